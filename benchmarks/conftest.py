"""Options and fixtures that all benchmark modules share."""

from __future__ import annotations

import os

import pytest

from benchmarks.pairs import chosen
from benchmarks.peer_tables import THREADS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the size and the seed of the generated events."""
    parser.addoption("--events", type=int, default=200_000, help="number of generated web events")
    parser.addoption("--turns", type=int, help="how often every measurement takes its turn")
    parser.addoption("--targets", nargs="*", default=[], help="only what these targets need, such as P3")
    parser.addoption("--seed", type=int, default=1, help="seed of the generated events")


def pytest_configure() -> None:
    """Let every question be computed: no answer is kept, here or in processes that benchmarks start."""
    os.environ["WAYLINE_RESULT_CACHE"] = "0"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let all measurements of a module take turns, so that a busy spell hits every side."""
    if "turn" in metafunc.fixturenames:
        module = metafunc.module
        turns = metafunc.config.getoption("--turns") or module.TURNS
        pairs = chosen(module.PAIRS, metafunc.config.getoption("--targets"))
        wanted = {name for pair in pairs.values() for name in (pair.ours, *pair.peers)}
        names = [name for name in module.MEASUREMENTS if name in wanted]
        cases = [(turn, name) for turn in range(turns) for name in names]
        metafunc.parametrize(("turn", "name"), cases)


@pytest.fixture(scope="session")
def events(request: pytest.FixtureRequest) -> int:
    """Return the number of generated web events."""
    return int(request.config.getoption("--events"))


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of the generated events."""
    return int(request.config.getoption("--seed"))


@pytest.fixture(scope="session", autouse=True)
def two_cores() -> None:
    """Confine us and the peers alike to two cores, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
