"""A flag that stops a running question: set from any thread, checked between small pieces of work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from engine.errors import CancelledError, WaylineError
from engine.memory import Share

BY_USER: Final = "canceling statement due to user request"


class Cancellation:
    """One per statement. ``cancel()`` may come from another thread at any time, also before the start.

    Attributes:
        share: of the memory that the statement's work is taken from; None: from all of it.
        waited: seconds that it waited for its turn.
    """

    share: Share | None = None
    waited: float = 0.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._kind: type[WaylineError] = CancelledError
        self._interrupts: list[Callable[[], object]] = []

    def cancel(self, reason: str = BY_USER, kind: type[WaylineError] = CancelledError) -> None:
        """Set the flag and interrupt whatever library call is under way; the first reason is told.

        Args:
            kind: of the error with which the question ends.
        """
        with self._lock:
            if self._reason is None:
                self._kind, self._reason = kind, reason
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            interrupt()

    def check(self) -> None:
        """Raise CancelledError if cancelled, or what it was cancelled with."""
        if self._reason is not None:
            raise self._kind(self._reason)

    @contextmanager
    def interrupting(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Call ``interrupt`` on cancel while the block runs; what the block raises then is CancelledError."""
        self.check()
        with self._lock:
            self._interrupts.append(interrupt)
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)
