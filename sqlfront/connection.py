"""One connection: carries bytes between a socket and a session.

Reading goes on while a statement runs, so that a client that went away is noticed and its statement
cancelled.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Final, TypeVar

from engine.errors import WaylineError
from sqlfront.greeting import Admitted, Authentication, authenticate, check_startup, goodbye, negotiation
from sqlfront.session import Session
from sqlfront.sessions import Guest, Sessions
from sqlfront.sqlstate import SqlError, to_wayline_error
from sqlfront.state import Front
from sqlfront.wire import messages as m
from sqlfront.wire import replies

GREETING_SECONDS: Final = 60.0
_READ: Final = 64 * 1024
_UNSENT_HIGH: Final = 4 * 1024 * 1024
_UNSENT_LOW: Final = 1024 * 1024
_WAITING_GROUPS: Final = 64
_Group = list[m.Message | WaylineError]
_Result = TypeVar("_Result")


class Connection:
    """Guards one client's socket.

    Args:
        front: parser, planner and users.
        sessions: where the session is registered.
        pool: threads on which statements run.
        reader: bytes from the client.
        writer: bytes to the client.
    """

    def __init__(
        self,
        front: Front,
        sessions: Sessions,
        pool: Executor,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._front = front
        self._sessions = sessions
        self._pool = pool
        self._reader = reader
        self._writer = writer
        self._frontend = m.FrontendReader()

    async def run(self) -> None:
        """Serve the client until it leaves, errs fatally, or the server ends."""
        try:
            await self._serve()
        except (ConnectionError, TimeoutError):
            pass
        except asyncio.CancelledError:
            self._say_goodbye(SqlError("terminating connection due to administrator command", "57P01"))
        except Exception as error:  # whatever goes wrong is told to the client
            self._say_goodbye(to_wayline_error(error))
        finally:
            with suppress(ConnectionError, asyncio.CancelledError):
                self._writer.close()
                await self._writer.wait_closed()

    def _say_goodbye(self, error: WaylineError) -> None:
        if not self._writer.is_closing():
            self._writer.write(goodbye(error))

    async def _serve(self) -> None:
        self._keep_alive()
        async with asyncio.timeout(GREETING_SECONDS):
            startup = await self._startup()
            if startup is None:
                return
            guest = await self._authenticate(startup)
        with self._sessions.opened(
            lambda number, secret: Session(self._front, startup.parameters, number, secret), guest
        ) as session:
            await self._send(session.greet())
            await self._converse(session)

    def _keep_alive(self) -> None:
        raw = self._writer.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._writer.transport.set_write_buffer_limits(_UNSENT_HIGH, _UNSENT_LOW)

    async def _startup(self) -> m.Startup | None:
        """Return the startup message; None if the client only wanted to cancel, or left."""
        while (greeting := self._frontend.greeting()) is None:
            if not await self._read():
                return None
        if isinstance(greeting, m.EncryptionRequest):
            await self._send(replies.NOT_ENCRYPTED)
            return await self._startup()
        if isinstance(greeting, m.CancelRequest):
            self._sessions.cancel(greeting.process, greeting.secret)
            return None
        check_startup(greeting)
        await self._send(negotiation(greeting))
        return greeting

    async def _authenticate(self, startup: m.Startup) -> Guest:
        user = startup.parameters["user"]
        exchange = authenticate(user, self._front.login)
        said = await self._on_thread(_advance, exchange, None)
        while not isinstance(said, Admitted):
            await self._send(said)
            said = await self._on_thread(_advance, exchange, await self._message())
        await self._send(said.reply)
        if said.credential:
            self._pool.submit(self._front.gate.note_use, said.credential)
        return Guest(user, said.credential)

    async def _message(self) -> m.Message:
        while (message := self._frontend.message()) is None:
            if not await self._read():
                raise ConnectionResetError
        return message

    async def _converse(self, session: Session) -> None:
        groups: asyncio.Queue[_Group] = asyncio.Queue(_WAITING_GROUPS)
        listening = asyncio.create_task(self._listen(groups, session))
        try:
            end = None
            while end is None:
                messages, end = _until_end(await _gathered(groups))
                await self._answer(session, messages)
            if isinstance(end, WaylineError):
                raise end
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def _listen(self, groups: asyncio.Queue[_Group], session: Session) -> None:
        """Put arriving messages into the queue, and Terminate when no more will come."""
        with suppress(ConnectionError):
            await groups.put(self._arrived())
            while await self._read():
                await groups.put(self._arrived())
        session.cancel()
        await groups.put([m.Terminate()])

    def _arrived(self) -> _Group:
        """Return the messages that are complete; rubbish in the stream ends them with an error."""
        group: _Group = []
        try:
            for message in self._frontend.messages():
                group.append(message)
        except WaylineError as error:
            group.append(error)
        return group

    async def _answer(self, session: Session, messages: list[m.Message]) -> None:
        chunks = session.process(messages)
        while (chunk := await self._on_thread(_next, chunks, session=session)) is not None:
            await self._send(chunk)

    async def _on_thread(
        self, function: Callable[..., _Result], *arguments: Any, session: Session | None = None
    ) -> _Result:
        """Run a function on the pool; wait for it even if the connection ends meanwhile."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if session is not None:
                session.cancel()
            await asyncio.wait([future])
            raise

    async def _read(self) -> bool:
        data = await self._reader.read(_READ)
        self._frontend.feed(data)
        return bool(data)

    async def _send(self, data: bytes) -> None:
        if data:
            self._writer.write(data)
            await self._writer.drain()


async def _gathered(groups: asyncio.Queue[_Group]) -> _Group:
    """Return all messages that wait, so that a pipeline is answered in one go."""
    group = list(await groups.get())
    while not groups.empty():
        group.extend(groups.get_nowait())
    return group


def _until_end(group: _Group) -> tuple[list[m.Message], m.Terminate | WaylineError | None]:
    """Return the messages before the one that ends the conversation, and that one."""
    messages: list[m.Message] = []
    for message in group:
        if isinstance(message, m.Terminate | WaylineError):
            return messages, message
        messages.append(message)
    return messages, None


def _next(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)


def _advance(exchange: Authentication, answer: m.Message | None) -> bytes | Admitted:
    """Return what an exchange says next, or how it ended."""
    try:
        return next(exchange) if answer is None else exchange.send(answer)
    except StopIteration as last:
        admitted: Admitted = last.value
        return admitted
