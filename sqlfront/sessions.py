"""All sessions of a server: numbers and secrets, cancel requests, the limit, the end."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import logging
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlfront.limits import Limits
from sqlfront.logins import FREE_TRIES, Guesses
from sqlfront.session import Session
from sqlfront.sqlstate import SqlError

_LAST_SECONDS: Final = 2.0
_NO_SECRET: Final = bytes(4)
_LOG = logging.getLogger(__name__)


def shutting_down() -> SqlError:
    """Return what clients are told when the server ends."""
    return SqlError("terminating connection due to administrator command", "57P01")


@dataclass(frozen=True)
class Guest:
    """Who opened a session.

    Attributes:
        credential: id of the password or token that was shown.
        roles: of the user at that time; sessions of the same roles are counted together.
    """

    user: str
    credential: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Opened:
    secret: bytes
    session: Session
    guest: Guest
    task: asyncio.Task[Any] | None


class Sessions:
    """Guards the open sessions; used on the event loop only."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._numbers = itertools.count(1)
        self._open: dict[int, _Opened] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle: set[asyncio.Task[Any]] = set()
        self._guesses = Guesses()
        self._greetings = 0
        self._ending = False

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Count this task's connection for as long as the block lasts."""
        task = _this_task()
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    @contextmanager
    def greeting(self) -> Iterator[None]:
        """Count a client that has not shown who it is yet.

        Raises:
            SqlError: there are as many of them as are allowed.
        """
        if self._greetings >= self._limits.greetings:
            raise SqlError("sorry, too many clients are logging in already", "53300", hint="Try again.")
        self._greetings += 1
        try:
            with self.idle():
                yield
        finally:
            self._greetings -= 1

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Mark the connection of this task as one that waits for its client: the end need not wait for it.

        Raises:
            SqlError: the end has come.
        """
        task = _this_task()
        if self._ending:
            raise shutting_down()
        self._idle.add(task)
        try:
            yield
        finally:
            self._idle.discard(task)

    def check_room(self) -> None:
        """Raise SqlError if there are as many sessions as are allowed."""
        if len(self._open) >= self._limits.connections:
            raise SqlError(
                "sorry, too many clients already",
                "53300",
                detail=f"This server takes {self._limits.connections} clients at once.",
                hint="Close some of them.",
            )

    def _check_roles_room(self, guest: Guest, most: int | None) -> None:
        if (
            most is not None
            and sum(opened.guest.roles == guest.roles for opened in self._open.values()) >= most
        ):
            raise SqlError(
                f'too many connections for role "{", ".join(guest.roles)}"',
                "53300",
                detail=f"It may have {most} at once.",
                hint="Close some of them, or ask an administrator: wayline role set ROLE --connections …",
            )

    @contextmanager
    def opened(
        self, make: Callable[[int, bytes], Session], guest: Guest, most: int | None = None
    ) -> Iterator[Session]:
        """Open a session with a new number and secret, and close it after the block.

        Args:
            most: so many sessions may have the guest's roles; None: as many as the server takes.

        Raises:
            SqlError: there are as many sessions as are allowed.
        """
        self.check_room()
        self._check_roles_room(guest, most)
        number, secret = next(self._numbers), secrets.token_bytes(4)
        session = make(number, secret)
        self._open[number] = _Opened(secret, session, guest, asyncio.current_task())
        try:
            yield session
        finally:
            del self._open[number]
            session.close()

    def cancel(self, number: int, secret: bytes, address: str) -> None:
        """Cancel what a session runs, if the secret is right; a wrong one is not told.

        An address with several wrong ones has to wait before another counts, as after wrong passwords.
        """
        if self._guesses.wait(address) > 0:
            return
        known = self._open.get(number)
        if hmac.compare_digest(_NO_SECRET if known is None else known.secret, secret) and known is not None:
            known.session.cancel()
        elif self._guesses.failed(address) == FREE_TRIES:
            _LOG.warning("%d wrong keys in requests to cancel from %s", FREE_TRIES, address)

    def guests(self) -> frozenset[Guest]:
        """Return who has sessions."""
        return frozenset(opened.guest for opened in self._open.values())

    def expel(self, guests: Collection[Guest]) -> None:
        """Cancel what somebody's sessions run, and end them."""
        for opened in self._open.values():
            if opened.guest in guests and opened.task is not None:
                opened.session.cancel()
                opened.task.cancel()

    async def shut_down(self) -> None:
        """End the connections that wait for their clients, let statements run on for a while, then cancel."""
        self._ending = True
        for task in self._idle:
            task.cancel()
        await self._ended(self._limits.grace_seconds)
        for opened in self._open.values():
            opened.session.cancel("canceling statement due to administrator command")
        for task in self._tasks:
            task.cancel()
        await self._ended(_LAST_SECONDS)

    async def _ended(self, most: float) -> None:
        """Wait for all connections, for so many seconds at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=most)


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a connection needs a task")
    return task
