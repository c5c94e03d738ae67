"""The PostgreSQL server: accepts connections and runs their sessions on worker threads.

The event loop only moves bytes; whatever a statement does happens on a thread of the pool, one step
at a time, and rows are made one chunk ahead of what the client has taken, no further.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from engine.errors import HomeError
from sqlfront.channel import Channel
from sqlfront.connection import Connection, Surroundings
from sqlfront.gate import FRESH_SECONDS
from sqlfront.limits import Limits
from sqlfront.logins import Logins
from sqlfront.peer import is_loopback
from sqlfront.sessions import Guest, Sessions
from sqlfront.state import Front
from sqlfront.tls import Encryption
from sqlfront.wire import compiled

DEFAULT_PORT: Final = 5432
_LIMITS: Final = Limits()


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int


async def serve(
    front: Front,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    ready: Callable[[Address], object] | None = None,
    limits: Limits = _LIMITS,
    encryption: Encryption | None = None,
    passwords: bool = False,
) -> None:
    """Serve until cancelled; then end every connection in order, those with running statements last.

    Args:
        front: parser, planner and users.
        host: address to listen on; without users it must be of this machine alone.
        port: 0 takes any free one.
        ready: called once with the address when clients may connect.
        limits: what clients may use.
        encryption: the certificate; without one all connections are in plain.
        passwords: ask encrypted clients for the password itself, for those that do not know SCRAM.

    Raises:
        HomeError: the address cannot be used.
    """
    _check_exposure(host, front)
    compiled.load_in_background()
    pool = ThreadPoolExecutor(limits.connections, thread_name_prefix="sql")
    sessions = Sessions(limits)
    surroundings = Surroundings(front, sessions, Logins(), pool, limits, encryption, passwords)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with sessions.connection():
            await Connection(surroundings, Channel(reader, writer, limits.send_seconds)).run()

    server = await _listen(connected, host, port)
    watching = asyncio.create_task(_expel_unwelcome(front, sessions))
    try:
        if ready is not None:
            ready(Address(host, server.sockets[0].getsockname()[1]))
        await asyncio.Event().wait()
    finally:
        server.close()
        watching.cancel()
        await sessions.shut_down()
        await asyncio.to_thread(front.close)
        pool.shutdown(wait=False, cancel_futures=True)


async def _expel_unwelcome(front: Front, sessions: Sessions) -> None:
    """End the sessions of users who may no longer log in, or whose password or token was revoked."""
    while front.login is not None:
        await asyncio.sleep(FRESH_SECONDS)
        guests = sessions.guests()
        with suppress(SQLAlchemyError):  # the catalog cannot be read at the moment
            sessions.expel(await asyncio.to_thread(_unwelcome, front, guests))


def _unwelcome(front: Front, guests: Iterable[Guest]) -> list[Guest]:
    return [guest for guest in guests if not front.gate.is_welcome(guest.user, guest.credential)]


async def _listen(
    connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], host: str, port: int
) -> asyncio.Server:
    try:
        return await asyncio.start_server(connected, host, port, backlog=128)  # type: ignore[arg-type]
    except (OSError, OverflowError) as error:
        raise _cannot_listen(error, host, port) from None


def _cannot_listen(error: Exception, host: str, port: int) -> HomeError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return HomeError(f"port {port} on {host} is in use", hint="Stop its owner or choose another port.")
    reason = str(error)
    if isinstance(error, OSError) and error.errno is not None:
        reason = os.strerror(error.errno) if error.errno in errno.errorcode else error.strerror or reason
    return HomeError(f"cannot listen on {host}:{port}: {reason}", hint="Choose another address.")


def _check_exposure(host: str, front: Front) -> None:
    """Refuse to let everybody in from other machines."""
    if front.login is None and not is_loopback(host):
        raise HomeError(
            f"{host} can be reached from other machines, but there are no users",
            hint="Add a user with a password, or listen on 127.0.0.1.",
        )


class _Background:
    """Guards a server that runs in a thread of its own."""

    def __init__(self, serving: Callable[..., Coroutine[Any, Any, None]]) -> None:
        self._serving = serving
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._address: Address | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sql-server", daemon=True)

    def start(self) -> Address:
        """Start, and return the address once clients may connect."""
        self._thread.start()
        self._started.wait()
        if self._address is None:
            raise self._error or RuntimeError("the server ended before it began")
        return self._address

    def stop(self) -> None:
        """End all connections and wait until the server is gone."""
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # handed to the thread that waits in start()
            self._error = error
        finally:
            self._started.set()

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        with suppress(asyncio.CancelledError):
            await self._serving(ready=self._ready)

    def _ready(self, address: Address) -> None:
        self._address = address
        self._started.set()


@contextmanager
def running(
    front: Front,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    limits: Limits = _LIMITS,
    encryption: Encryption | None = None,
    passwords: bool = False,
) -> Iterator[Address]:
    """Run a server in a background thread while the block lasts; for tests, demos and notebooks.

    Raises:
        HomeError: the address cannot be used.
    """
    background = _Background(
        partial(
            serve,
            front,
            host=host,
            port=port,
            limits=limits,
            encryption=encryption,
            passwords=passwords,
        )
    )
    try:
        yield background.start()
    finally:
        background.stop()
