"""The PostgreSQL server: accepts connections and runs their sessions on worker threads.

The event loop only moves bytes; whatever a statement does happens on a thread of the pool, one step
at a time, and the next rows are made only when the client has taken the last ones.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from engine.errors import HomeError
from sqlfront.connection import Connection
from sqlfront.gate import FRESH_SECONDS
from sqlfront.sessions import Guest, Sessions
from sqlfront.state import Front

DEFAULT_PORT: Final = 5432
MAX_CONNECTIONS: Final = 100
GRACE_SECONDS: Final = 5.0


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
    max_connections: int = MAX_CONNECTIONS,
) -> None:
    """Serve until cancelled; then end every connection in order.

    Args:
        front: parser, planner and users.
        host: address to listen on; without users it must be of this machine alone.
        port: 0 takes any free one.
        ready: called once with the address when clients may connect.
        max_connections: further clients are refused; each may run one statement at a time.

    Raises:
        HomeError: the address cannot be used.
    """
    _check_exposure(host, front)
    pool = ThreadPoolExecutor(max_connections, thread_name_prefix="sql")
    sessions = Sessions(max_connections)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with sessions.task(asyncio.current_task()):
            await Connection(front, sessions, pool, reader, writer).run()

    server = await _listen(connected, host, port)
    watching = asyncio.create_task(_expel_unwelcome(front, sessions))
    try:
        if ready is not None:
            ready(Address(host, server.sockets[0].getsockname()[1]))
        await asyncio.Event().wait()
    finally:
        server.close()
        watching.cancel()
        await sessions.shut_down(GRACE_SECONDS)
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
    return HomeError(f"cannot listen on {host}:{port}: {error}", hint="Choose another address.")


def _check_exposure(host: str, front: Front) -> None:
    """Refuse to let everybody in from other machines."""
    if front.login is None and not _is_loopback(host):
        raise HomeError(
            f"{host} can be reached from other machines, but there are no users",
            hint="Add a user with a password, or listen on 127.0.0.1.",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


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
    max_connections: int = MAX_CONNECTIONS,
) -> Iterator[Address]:
    """Run a server in a background thread while the block lasts; for tests, demos and notebooks.

    Raises:
        HomeError: the address cannot be used.
    """
    background = _Background(partial(serve, front, host=host, port=port, max_connections=max_connections))
    try:
        yield background.start()
    finally:
        background.stop()
