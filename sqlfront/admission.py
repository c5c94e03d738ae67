"""Lets so many statements work at once; the others wait their turn, and no role crowds out another.

What waits longest in the role that has least at work goes next. A statement has a place while it works, not
while its client takes rows, so a slow client keeps nobody waiting; for more rows it takes its turn again.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from engine.cancellation import Cancellation
from engine.errors import WaylineError
from engine.governance.access import Access

PLACES: Final = 2 * (os.cpu_count() or 1)
"""Statements that work at once unless the server says otherwise."""
LONGEST_QUEUE: Final = 200
"""So many statements may wait."""


class QueueTimeoutError(WaylineError):
    """A statement waited longer for its turn than its role may."""

    sqlstate = "53400"
    http_status = 503


class QueueFullError(WaylineError):
    """Too many statements wait already."""

    sqlstate = "53300"
    http_status = 503


@dataclass(eq=False)
class _Turn:
    """A statement that waits for its turn, or has it.

    Attributes:
        most: so many statements of its group may work at once; None: all.
        goes_on: it has begun already.
    """

    group: str
    most: int | None
    goes_on: bool
    number: int
    has_place: bool = field(default=False)


class Admission:
    """Guards the places of a server's statements.

    Args:
        places: how many there are.
    """

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._changed = threading.Condition()
        self._working: Counter[str] = Counter()
        self._waiting: list[_Turn] = []
        self._numbers = count()

    @contextmanager
    def admitted(
        self, access: Access, cancellation: Cancellation, *, goes_on: bool = False
    ) -> Iterator[None]:
        """Hold a place while the block runs.

        Args:
            access: whose limits count; those of the same roles share them.
            cancellation: of the statement; ends the wait, and is told how long it was.
            goes_on: the statement had a place before: it waits for as long as need be.

        Raises:
            QueueFullError: too many wait.
            QueueTimeoutError: it waited for as long as its role may.
            CancelledError: it was cancelled meanwhile.
        """
        group = group_of(access)
        turn = _Turn(group, access.limits.statements, goes_on, next(self._numbers))
        patience = None if goes_on else access.limits.queue_ms
        began = time.monotonic()
        try:
            with cancellation.interrupting(self._wake):
                self._wait(turn, None if patience is None else began + patience / 1000, cancellation)
            cancellation.waited += time.monotonic() - began
            yield
        finally:
            self._leave(turn)

    @property
    def present(self) -> int:
        """How many statements work or wait."""
        with self._changed:
            return self._working.total() + len(self._waiting)

    def _wait(self, turn: _Turn, until: float | None, cancellation: Cancellation) -> None:
        with self._changed:
            if not turn.goes_on and len(self._waiting) >= LONGEST_QUEUE:
                raise QueueFullError(
                    f"{len(self._waiting)} statements wait for their turn already", hint="Try again later."
                )
            self._waiting.append(turn)
            self._give()
            while not turn.has_place:
                cancellation.check()
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    raise QueueTimeoutError(
                        "the statement waited for its turn as long as its role may",
                        hint="Try again later, or ask an administrator: wayline role set ROLE --queue …",
                    )
                self._changed.wait(left)

    def _leave(self, turn: _Turn) -> None:
        with self._changed:
            if turn.has_place:
                self._working[turn.group] -= 1
            else:
                self._waiting = [other for other in self._waiting if other is not turn]
            self._give()

    def _give(self) -> None:
        """Give free places to those whose turn it is."""
        while self._working.total() < self._places:
            able = [turn for turn in self._waiting if self._may_work(turn)]
            if not able:
                return
            best = min(able, key=lambda turn: (self._working[turn.group], turn.number))
            self._waiting.remove(best)
            self._working[best.group] += 1
            best.has_place = True
            self._changed.notify_all()

    def _may_work(self, turn: _Turn) -> bool:
        return turn.most is None or self._working[turn.group] < turn.most

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def group_of(access: Access) -> str:
    """Return what statements share their limits by: the roles of whoever asks."""
    return ", ".join(access.roles)
