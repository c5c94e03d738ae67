"""Options and fixtures that all benchmark modules share."""

from __future__ import annotations

import pytest

from benchmarks.machine import confine
from benchmarks.pairs import chosen


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the size and the seed of the generated events."""
    parser.addoption("--events", type=int, default=200_000, help="number of generated web events")
    parser.addoption("--turns", type=int, help="how often every measurement takes its turn")
    parser.addoption("--targets", nargs="*", default=[], help="only what these targets need, such as P3")
    parser.addoption("--seed", type=int, default=1, help="seed of the generated events")


def pytest_configure() -> None:
    """Confine us and the peers alike, before anything is loaded."""
    confine()


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
