"""Who ends when the process has too much memory: the youngest statement that explains the growth."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from engine.cancellation import Cancellation
from engine.errors import CancelledError
from sqlfront import watch
from sqlfront.problems import OutOfMemoryError
from sqlfront.watch import Watch

MOST = 1000


@pytest.fixture
def process(monkeypatch):
    """A process whose memory is what the test says, and whose watch looks when the test says so."""
    monkeypatch.setattr(watch, "SECONDS", 60.0)
    return [100]


def begun(guard, stack, process, taken):
    """Start a statement when the process has so many bytes."""
    process[0] = taken
    cancellation = Cancellation()
    stack.enter_context(guard.watching(cancellation))
    return cancellation


def ended(*cancellations):
    found = []
    for at, cancellation in enumerate(cancellations):
        try:
            cancellation.check()
        except OutOfMemoryError as error:
            assert error.sqlstate == "53200"
            found.append(at)
    return found


@pytest.mark.parametrize(
    ("starts", "now", "expected"),
    [
        ([100], 1000, []),
        ([100], 1001, [0]),
        ([100, 150, 900], 1100, [1]),
        ([100, 800, 990], 1100, [0]),
        ([1200], 1100, []),
    ],
)
def test_the_youngest_that_explains_the_growth_ends(process, starts, now, expected):
    guard = Watch(lambda: process[0], lambda: MOST)
    with ExitStack() as stack:
        statements = [begun(guard, stack, process, taken) for taken in starts]
        process[0] = now
        guard.look()
        assert ended(*statements) == expected


def test_a_second_one_ends_when_the_first_did_not_help(process):
    guard = Watch(lambda: process[0], lambda: MOST)
    with ExitStack() as stack:
        statements = [begun(guard, stack, process, taken) for taken in (100, 150)]
        process[0] = 1100
        for _ in range(watch.PATIENCE):
            guard.look()
        assert ended(*statements) == [1]
        guard.look()
        assert ended(*statements) == [0, 1]
        guard.look()


def test_a_statement_that_was_done_is_left_alone(process):
    guard = Watch(lambda: process[0], lambda: MOST)
    cancellation = Cancellation()
    with guard.watching(cancellation):
        pass
    process[0] = 2000
    guard.look()
    assert ended(cancellation) == []


def test_the_first_reason_is_told():
    cancellation = Cancellation()
    cancellation.cancel()
    cancellation.cancel("out of memory", OutOfMemoryError)
    with pytest.raises(CancelledError):
        cancellation.check()


def test_this_process_has_some_memory():
    assert watch.resident() > 1 << 20
