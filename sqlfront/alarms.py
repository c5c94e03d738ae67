"""Rings when a time is over: one thread for all statements that have a time limit."""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from time import monotonic
from typing import Final

_LOG = logging.getLogger(__name__)
_FORGOTTEN: Final = 1_000


class _Alarm:
    """Guards one alarm: it rings once, unless it was turned off before."""

    def __init__(self, ring: Callable[[], object]) -> None:
        self._lock = threading.Lock()
        self._ring: Callable[[], object] | None = ring

    def ring(self) -> None:
        with self._lock:
            ring, self._ring = self._ring, None
            if ring is not None:
                ring()

    def turn_off(self) -> None:
        with self._lock:
            self._ring = None

    @property
    def is_off(self) -> bool:
        return self._ring is None


class Alarms:
    """Guards the alarms that are set, and the thread that waits for the next."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = count()
        self._waiting: list[tuple[float, int, _Alarm]] = []
        self._thread: threading.Thread | None = None

    @contextmanager
    def after(self, seconds: float | None, ring: Callable[[], object]) -> Iterator[None]:
        """Call ``ring`` on another thread if the block lasts longer; never after it. None is no alarm."""
        if seconds is None:
            yield
            return
        alarm = _Alarm(ring)
        self._set(monotonic() + seconds, alarm)
        try:
            yield
        finally:
            alarm.turn_off()

    def _set(self, at: float, alarm: _Alarm) -> None:
        with self._changed:
            if len(self._waiting) % _FORGOTTEN == _FORGOTTEN - 1:
                self._waiting = [entry for entry in self._waiting if not entry[2].is_off]
                heapq.heapify(self._waiting)
            entry = (at, next(self._numbers), alarm)
            heapq.heappush(self._waiting, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="alarms", daemon=True)
                self._thread.start()
            elif self._waiting[0] is entry:
                self._changed.notify()

    def _watch(self) -> None:
        while True:
            try:
                self._next_due().ring()
            except Exception:  # one that fails must not keep the others from ringing
                _LOG.exception("an alarm failed")

    def _next_due(self) -> _Alarm:
        with self._changed:
            while True:
                wait = self._waiting[0][0] - monotonic() if self._waiting else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(wait)
