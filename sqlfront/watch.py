"""Watches the memory of the process while statements work, and ends the one that makes it grow too far.

DuckDB counts its tables and sorts, but not the values that it makes on the way, and nothing counts all that a
statement takes. So the process is asked: beyond its limit and a quarter, the statement ends that explains the
growth. That is the youngest in whose time the process grew by at least half of what it grew in all.

DuckDB can be interrupted between chunks of rows only, and a chunk of wide values may fill a machine. So a
server has a hard limit too: the system grants it no memory far beyond the other, and asking for more fails.
"""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Final

from engine import memory
from engine.cancellation import Cancellation
from sqlfront.problems import OutOfMemoryError

SECONDS: Final = 0.02
"""Time between two looks."""
PATIENCE: Final = 25
"""So many looks pass before a second statement ends: the first lets go of its memory only by and by."""
_PAGES: Final = Path("/proc/self/statm")
_STATUS: Final = Path("/proc/self/status")
_STACKS: Final = 1 << 30
_REASON: Final = "out of memory: the server has reached its limit, and this statement took the most"


def resident() -> int:
    """Return how many bytes of memory the process has now; 0 where the system does not tell."""
    try:
        pages = int(_PAGES.read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def allowed() -> int:
    """Return how many bytes the process may have before a statement ends for it."""
    return memory.limit() // 4 * 5


def set_hard_limit() -> None:
    """Have the system refuse this process, and those that it starts, memory far beyond the limit.

    What counts there are addresses, of which a process has more than memory; what it has of them so far, and
    some for the stacks of its threads, comes on top. Systems other than Linux are left as they are.
    """
    addresses = _status("VmData")
    if addresses is None:
        return
    idle = max(addresses - resident(), 0)
    wanted = allowed() + idle + _STACKS
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most == resource.RLIM_INFINITY or wanted < most:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))


def _status(name: str) -> int | None:
    """Return a size that the system tells of this process, in bytes; None where it does not tell."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return next((int(size) * 1024 for size in found), None)


@dataclass(eq=False)
class _Working:
    """A statement at work, and the bytes that the process had when it began."""

    cancellation: Cancellation
    before: int
    ended: bool = False


class Watch:
    """Guards the statements at work; its thread runs only while there are any.

    Args:
        taken: returns the bytes that the process has.
        most: returns those that it may have.
    """

    def __init__(self, taken: Callable[[], int] = resident, most: Callable[[], int] = allowed) -> None:
        self._taken = taken
        self._most = most
        self._lock = threading.Lock()
        self._working: list[_Working] = []
        self._is_awake = False
        self._rest = 0

    @contextmanager
    def watching(self, cancellation: Cancellation) -> Iterator[None]:
        """Count a statement as at work while the block runs; it may be cancelled with OutOfMemoryError."""
        statement = _Working(cancellation, self._taken())
        with self._lock:
            self._working.append(statement)
            if not self._is_awake:
                self._is_awake = True
                threading.Thread(target=self._watch, name="wayline-memory", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._working.remove(statement)

    def look(self) -> None:
        """End the statement that took most, if the process has more than it may."""
        taken = self._taken()
        with self._lock:
            self._rest = max(self._rest - 1, 0)
            if taken <= self._most() or self._rest:
                return
            able = [statement for statement in self._working if not statement.ended]
            culprit = _culprit(able, taken)
            if culprit is None:
                return
            culprit.ended, self._rest = True, PATIENCE
        culprit.cancellation.cancel(_REASON, OutOfMemoryError)

    def _watch(self) -> None:
        while True:
            sleep(SECONDS)
            with self._lock:
                if not self._working:
                    self._is_awake = False
                    return
            self.look()


def _culprit(working: list[_Working], taken: int) -> _Working | None:
    """Return the youngest statement that explains at least half of the growth; None if there was none."""
    grown = max((taken - statement.before for statement in working), default=0)
    if grown <= 0:
        return None
    return next(one for one in reversed(working) if (taken - one.before) * 2 >= grown)
