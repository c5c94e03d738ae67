"""All sessions of a server: numbers and secrets, cancel requests, the limit, the end."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlfront.session import Session
from sqlfront.sqlstate import SqlError


class Sessions:
    """Guards the open sessions; used on the event loop only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers = itertools.count(1)
        self._open: dict[int, tuple[bytes, Session]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextmanager
    def task(self, task: asyncio.Task[Any] | None) -> Iterator[None]:
        """Count a connection's task for as long as the block lasts."""
        if task is None:
            raise RuntimeError("a connection needs a task")
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    @contextmanager
    def opened(self, make: Callable[[int, bytes], Session]) -> Iterator[Session]:
        """Open a session with a new number and secret, and close it after the block.

        Raises:
            SqlError: there are as many sessions as are allowed.
        """
        if len(self._open) >= self._limit:
            raise SqlError("sorry, too many clients already", "53300", hint="Close some of them.")
        number, secret = next(self._numbers), secrets.token_bytes(4)
        session = make(number, secret)
        self._open[number] = (secret, session)
        try:
            yield session
        finally:
            del self._open[number]
            session.close()

    def cancel(self, number: int, secret: bytes) -> None:
        """Cancel what a session runs, if the secret is right; a wrong one is not told."""
        known, session = self._open.get(number, (b"", None))
        if session is not None and hmac.compare_digest(known, secret):
            session.cancel()

    async def shut_down(self, grace: float) -> None:
        """Cancel all statements and connections; wait at most ``grace`` seconds for them to end."""
        for _, session in self._open.values():
            session.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
