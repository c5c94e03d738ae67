"""Places of statements: so many at once, turns shared out among roles, limits of roles, an end to waiting."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from engine.cancellation import Cancellation
from engine.catalog.access import RoleLimits
from engine.errors import CancelledError
from engine.governance.access import Access
from engine.memory import Room, Share
from sqlfront import admission
from sqlfront.admission import Admission, QueueFullError, QueueTimeoutError

ANALYSTS = Access("ann", ("analysts",))
PATIENCE = 10


def limited(role, **limits):
    return Access(role, (role,), limits=RoleLimits(**limits))


class Statement:
    """One that works until it is told to end."""

    def __init__(self, guard, access, began):
        self.may_end, self.cancellation = threading.Event(), Cancellation()
        self._guard, self._access, self._began = guard, access, began

    def run(self):
        with self._guard.admitted(self._access, self.cancellation):
            self._began.append(self)
            assert self.may_end.wait(PATIENCE)


@pytest.fixture
def crowd():
    """Starts statements that wait in the order in which they come; ends them all at last."""
    with ThreadPoolExecutor(32) as pool, ExitStack() as stack:
        made = []

        def start(guard, access, began):
            statement = Statement(guard, access, began)
            made.append(statement)
            before = guard.present
            future = pool.submit(statement.run)
            while guard.present == before:
                pass
            return statement, future

        stack.callback(lambda: [statement.may_end.set() for statement in made])
        yield start


def settle(began, number):
    """Wait until so many statements have begun."""
    for _ in range(PATIENCE * 1000):
        if len(began) >= number:
            return
        threading.Event().wait(0.001)
    raise AssertionError(f"{len(began)} of {number} began")


def test_no_more_work_at_once_than_there_are_places(crowd):
    guard, began = Admission(2), []
    for _ in range(5):
        crowd(guard, ANALYSTS, began)
    settle(began, 2)
    threading.Event().wait(0.05)
    assert len(began) == 2
    began[0].may_end.set()
    settle(began, 3)


def test_a_role_with_less_at_work_goes_first(crowd):
    guard, began = Admission(2), []
    first = [crowd(guard, ANALYSTS, began)[0] for _ in range(5)]
    settle(began, 2)
    robot, _ = crowd(guard, limited("robots"), began)
    began[0].may_end.set()
    settle(began, 3)
    assert began[2] is robot
    assert robot not in first


def test_a_role_keeps_its_own_limit_while_places_are_free(crowd):
    guard, began = Admission(8), []
    for _ in range(3):
        crowd(guard, limited("robots", statements=1), began)
    crowd(guard, ANALYSTS, began)
    settle(began, 2)
    threading.Event().wait(0.05)
    assert len(began) == 2
    began[0].may_end.set()


def test_the_wait_ends_when_the_roles_patience_does(crowd):
    guard, began = Admission(1), []
    crowd(guard, ANALYSTS, began)
    settle(began, 1)
    with (
        pytest.raises(QueueTimeoutError) as caught,
        guard.admitted(limited("robots", queue_ms=20), Cancellation()),
    ):
        pass
    assert caught.value.sqlstate == "53400"
    began[0].may_end.set()
    with guard.admitted(ANALYSTS, Cancellation()):
        pass


def test_a_cancel_ends_the_wait_and_gives_the_turn_to_the_next(crowd):
    guard, began = Admission(1), []
    crowd(guard, ANALYSTS, began)
    settle(began, 1)
    second, outcome = crowd(guard, ANALYSTS, began)
    third, _ = crowd(guard, ANALYSTS, began)
    second.cancellation.cancel()
    with pytest.raises(CancelledError):
        outcome.result(PATIENCE)
    began[0].may_end.set()
    settle(began, 2)
    assert began[1] is third


def test_a_queue_has_an_end(crowd, monkeypatch):
    monkeypatch.setattr(admission, "LONGEST_QUEUE", 1)
    guard, began = Admission(1), []
    crowd(guard, ANALYSTS, began)
    settle(began, 1)
    crowd(guard, ANALYSTS, began)
    with pytest.raises(QueueFullError), guard.admitted(ANALYSTS, Cancellation()):
        pass


def test_what_goes_on_waits_beyond_the_patience_of_its_role(crowd):
    guard, began = Admission(1), []
    crowd(guard, ANALYSTS, began)
    settle(began, 1)
    threading.Timer(0.1, began[0].may_end.set).start()
    statement = Cancellation()
    with guard.admitted(limited("robots", queue_ms=1), statement, goes_on=True):
        assert statement.waited > 0.01


def test_an_error_leaves_the_place_to_others():
    guard = Admission(1)
    with pytest.raises(ValueError, match="odd"), guard.admitted(ANALYSTS, Cancellation()):
        raise ValueError("odd")
    with guard.admitted(ANALYSTS, Cancellation()):
        pass


def test_a_share_of_the_memory_keeps_to_itself():
    room, share = Room(lambda: 100), Share("robots", 30)

    def give_up():
        raise CancelledError("enough")

    with room.taken(20, give_up, share):
        with pytest.raises(CancelledError), room.taken(20, give_up, share):
            pass
        with room.taken(70, give_up), pytest.raises(CancelledError), room.taken(20, give_up):
            pass
    with room.taken(90, give_up, share):
        pass
    with room.taken(30, give_up, share), room.taken(20, give_up):
        pass
