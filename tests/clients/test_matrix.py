"""Every client keeps to the contract against a served home; each test is one line of docs/clients.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.clients.contract import BOUND, CLIENTS, STATEMENTS, Client, expected, run
from tests.clients.matrix import PAGE, VERSION, recorded, table, written
from tests.clients.programs.spelling import rows
from tests.clients.server import Served, served_shop
from wayline.serving import ask


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_shop(tmp_path_factory.mktemp("shop")) as served:
        yield served


@pytest.fixture(scope="module")
def answers(served: Served) -> dict[str, str]:
    """What all clients must print, from questions asked without a server."""
    bound = re.sub(r"\{(\d)\}", lambda found: f"'{BOUND[int(found[1]) - 1]}'", STATEMENTS["bound"])
    return expected(*(rows(ask(served.home, statement)[1]) for statement in (STATEMENTS["question"], bound)))


@pytest.mark.matrix
@pytest.mark.parametrize(
    "client",
    [
        pytest.param(client, id=client.name, marks=[pytest.mark.clients] * client.needs_system)
        for client in CLIENTS
    ],
)
def test_client(
    client: Client,
    served: Served,
    answers: dict[str, str],
    record_property: Callable[[str, object], None],
) -> None:
    wanted = {step: (answers | client.also)[step] for step in client.steps}
    outcome = run(client, served.environment())
    record_property(VERSION, outcome.version)
    for step, answer in wanted.items():
        record_property(step, "ok" if outcome.values.get(step) == answer else "failed")
    assert outcome.errors == {}, outcome.said[-3000:]
    assert outcome.values == wanted, outcome.said[-3000:]


def test_the_page_shows_every_client_and_what_it_can_do() -> None:
    passed = {client.name: dict.fromkeys(client.steps, "ok") for client in CLIENTS}
    assert recorded(PAGE.read_text()) == recorded(written(PAGE.read_text(), table(CLIENTS, passed)))
