"""Every client does every step of the contract against a served home; each test is one cell of the matrix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.clients.contract import BOUND, CLIENTS, STATEMENTS, Client, Outcome, expected, run
from tests.clients.programs.spelling import rows
from tests.clients.server import Served, served_shop
from wayline.serving import ask

CELLS = [
    pytest.param(
        client,
        step,
        id=f"{client.name}-{step}",
        marks=[pytest.mark.matrix, pytest.mark.xdist_group(client.name)]
        + [pytest.mark.clients] * client.needs_system,
    )
    for client in CLIENTS
    for step in client.steps
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_shop(tmp_path_factory.mktemp("shop")) as served:
        yield served


@pytest.fixture(scope="module")
def answers(served: Served) -> dict[str, str]:
    """What all clients must print, from questions asked without a server."""
    bound = re.sub(r"\{(\d)\}", lambda found: f"'{BOUND[int(found[1]) - 1]}'", STATEMENTS["bound"])
    return expected(*(rows(ask(served.home, statement)[1]) for statement in (STATEMENTS["question"], bound)))


@pytest.fixture(scope="module")
def outcome(served: Served) -> Callable[[Client], Outcome]:
    """What a client's program printed; it runs once, at the first of its cells."""
    return cache(lambda client: run(client, served.environment()))


@pytest.mark.parametrize(("client", "step"), CELLS)
def test_client(
    client: Client,
    step: str,
    outcome: Callable[[Client], Outcome],
    answers: dict[str, str],
    record_property: Callable[[str, object], None],
) -> None:
    found = outcome(client)
    record_property("version", found.version)
    if step not in found.values:
        pytest.fail(found.errors.get(step, found.said[-3000:]), pytrace=False)
    assert found.values[step] == (client.also | answers)[step]
