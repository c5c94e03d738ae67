"""All sessions of a server: numbers and secrets, cancel requests, the limit, the end."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlfront.session import Session
from sqlfront.sqlstate import SqlError


@dataclass(frozen=True)
class Guest:
    """Who opened a session: the user, and the id of the password or token that was shown."""

    user: str
    credential: str = ""


@dataclass(frozen=True)
class _Opened:
    secret: bytes
    session: Session
    guest: Guest
    task: asyncio.Task[Any] | None


class Sessions:
    """Guards the open sessions; used on the event loop only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._numbers = itertools.count(1)
        self._open: dict[int, _Opened] = {}
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
    def opened(self, make: Callable[[int, bytes], Session], guest: Guest) -> Iterator[Session]:
        """Open a session with a new number and secret, and close it after the block.

        Raises:
            SqlError: there are as many sessions as are allowed.
        """
        if len(self._open) >= self._limit:
            raise SqlError("sorry, too many clients already", "53300", hint="Close some of them.")
        number, secret = next(self._numbers), secrets.token_bytes(4)
        session = make(number, secret)
        self._open[number] = _Opened(secret, session, guest, asyncio.current_task())
        try:
            yield session
        finally:
            del self._open[number]
            session.close()

    def cancel(self, number: int, secret: bytes) -> None:
        """Cancel what a session runs, if the secret is right; a wrong one is not told."""
        known = self._open.get(number)
        if known is not None and hmac.compare_digest(known.secret, secret):
            known.session.cancel()

    def guests(self) -> frozenset[Guest]:
        """Return who has sessions."""
        return frozenset(opened.guest for opened in self._open.values())

    def expel(self, guests: Collection[Guest]) -> None:
        """Cancel what somebody's sessions run, and end them."""
        for opened in self._open.values():
            if opened.guest in guests and opened.task is not None:
                opened.session.cancel()
                opened.task.cancel()

    async def shut_down(self, grace: float) -> None:
        """Cancel all statements and connections; wait at most ``grace`` seconds for them to end."""
        for opened in self._open.values():
            opened.session.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
