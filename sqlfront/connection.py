"""One connection: carries bytes between a socket and a session.

Reading goes on while a statement runs, so that a client that went away is noticed and its statement
cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from engine.errors import WaylineError
from sqlfront.auth import AuthenticationError, PasswordError
from sqlfront.channel import Channel
from sqlfront.greeting import (
    TLS_BEGINS,
    Admitted,
    Authentication,
    Encrypting,
    Offer,
    authenticate,
    check_startup,
    goodbye,
    negotiation,
)
from sqlfront.limits import GREETING_BYTES, Limits
from sqlfront.logins import Logins
from sqlfront.session import Session
from sqlfront.sessions import Guest, Sessions, shutting_down
from sqlfront.sqlstate import to_wayline_error
from sqlfront.state import Front
from sqlfront.tls import Encryption
from sqlfront.wire import messages as m
from sqlfront.wire.replies import Data

_WAITING_GROUPS: Final = 64
_Group = list[m.Message | WaylineError]
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Surroundings:
    """What all connections of a server share.

    Attributes:
        front: parser, planner and users.
        sessions: where sessions are registered.
        logins: wrong passwords.
        pool: threads on which statements run.
        limits: bounds.
        encryption: the certificate; None if TLS is not offered.
        passwords: whether encrypted clients are asked for the password itself instead of SCRAM.
    """

    front: Front
    sessions: Sessions
    logins: Logins
    pool: Executor
    limits: Limits
    encryption: Encryption | None = None
    passwords: bool = False


class Connection:
    """Guards one client's conversation.

    Args:
        server: what it shares with others.
        channel: bytes from and to the client.
    """

    def __init__(self, server: Surroundings, channel: Channel) -> None:
        self._server = server
        self._sessions = server.sessions
        self._channel = channel
        self._frontend = m.FrontendReader(message_limit=GREETING_BYTES)
        self._end_point: bytes | None = None
        self._patience: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Serve the client until it leaves, errs fatally, or the server ends."""
        try:
            await self._serve()
        except (ConnectionError, TimeoutError):
            pass
        except asyncio.CancelledError:
            self._say_goodbye(shutting_down())
        except Exception as error:  # whatever goes wrong is told to the client
            self._say_goodbye(to_wayline_error(error))
        finally:
            with suppress(asyncio.CancelledError):
                await self._channel.close()

    def _say_goodbye(self, error: WaylineError) -> None:
        with suppress(ConnectionError):
            self._channel.say(goodbye(error))

    async def _serve(self) -> None:
        with self._sessions.greeting():
            async with asyncio.timeout(self._server.limits.greeting_seconds):
                startup = await self._startup()
                if startup is None:
                    return
                guest = await self._authenticate(startup)
        self._frontend.message_limit = m.MESSAGE_LIMIT
        peer, front, limits = self._channel.peer, self._server.front, self._server.limits
        with self._sessions.opened(
            lambda number, secret: Session(front, startup.parameters, number, secret, peer, limits),
            guest,
            front.gate.limits(guest.user, None).connections,
        ) as session:
            await self._channel.send(session.greet())
            await self._converse(session)

    async def _startup(self) -> m.Startup | None:
        """Return the startup message; None if the client only wanted to cancel, or left."""
        encrypting = Encrypting(offered=self._server.encryption is not None)
        await self._begin(encrypting)
        while isinstance(greeting := await self._greeting(), m.EncryptionRequest):
            before = encrypting.encrypted
            self._channel.say(encrypting.answer(greeting, self._frontend.buffered))
            if encrypting.encrypted and not before:
                await self._encrypt()
        if isinstance(greeting, m.CancelRequest):
            self._sessions.cancel(greeting.process, greeting.secret, self._channel.peer.address)
            return None
        if greeting is None:
            return None
        check_startup(greeting)
        self._check_encrypted()
        self._sessions.check_room()
        await self._channel.send(negotiation(greeting))
        return greeting

    async def _begin(self, encrypting: Encrypting) -> None:
        """Take the client's first bytes; encrypt at once if it begins with TLS."""
        data = await self._channel.read()
        if self._server.encryption is not None and data[:1] == bytes([TLS_BEGINS]):
            await self._encrypt(data)
            encrypting.begun(self._channel.protocol)
        else:
            self._frontend.feed(data)

    async def _encrypt(self, received: bytes = b"") -> None:
        if self._server.encryption is not None:
            identity = self._server.encryption.identity
            await self._channel.encrypt(identity.context, received)
            self._end_point = identity.end_point

    async def _greeting(self) -> m.Greeting | None:
        while (greeting := self._frontend.greeting()) is None:
            if not await self._read():
                return None
        return greeting

    def _check_encrypted(self) -> None:
        """Refuse a client that must encrypt and does not, before it sends anything secret."""
        encryption, peer = self._server.encryption, self._channel.peer
        if encryption is not None and peer.tls is None and encryption.must_encrypt(peer):
            raise AuthenticationError(
                f"connections from {peer.address} must be encrypted, and this one is not",
                hint="Have the client use TLS: sslmode=require for libpq, ssl=true for others.",
            )

    async def _authenticate(self, startup: m.Startup) -> Guest:
        user, peer = startup.parameters["user"], self._channel.peer
        logins = self._server.logins
        logins.check(user, peer.address)
        try:
            guest = await self._exchange(
                user, Offer(self._server.passwords and peer.tls is not None, self._end_point)
            )
        except PasswordError:
            logins.failed(user, peer.address)
            raise
        logins.succeeded(user, peer.address)
        return guest

    async def _exchange(self, user: str, offer: Offer) -> Guest:
        exchange = authenticate(user, self._server.front.login, offer)
        said = await self._on_thread(_advance, exchange, None)
        while not isinstance(said, Admitted):
            await self._channel.send(said)
            said = await self._on_thread(_advance, exchange, await self._message())
        await self._channel.send(said.reply)
        if said.credential:
            self._server.pool.submit(self._server.front.gate.note_use, said.credential)
        return Guest(user, said.credential, self._server.front.gate.group(user))

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
                messages, end = _until_end(await self._next_group(groups, session))
                await self._answer(session, messages)
            if isinstance(end, WaylineError):
                raise end
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def _next_group(self, groups: asyncio.Queue[_Group], session: Session) -> _Group:
        """Wait for messages, but not longer than the session may be idle."""
        most, error = session.patience()
        with self._sessions.idle():
            try:
                async with asyncio.timeout(most) as self._patience:
                    return await _gathered(groups)
            except TimeoutError:
                raise error from None
            finally:
                self._patience = None

    async def _listen(self, groups: asyncio.Queue[_Group], session: Session) -> None:
        """Put arriving messages into the queue, and Terminate when no more will come.

        What can be answered at once, and while nothing else is, need not go through the queue.
        """
        with suppress(ConnectionError, TimeoutError):
            await groups.put(self._arrived())
            while await self._read():
                group = self._arrived()
                messages, end = _until_end(group)
                waiting = self._patience is not None and groups.empty() and end is None
                if waiting and session.is_instant(messages):
                    await self._answer_at_once(session, messages)
                else:
                    await groups.put(group)
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

    async def _answer_at_once(self, session: Session, messages: list[m.Message]) -> None:
        """Answer without a thread while the conversation waits; from now on it waits anew."""
        await self._channel.send(b"".join(session.process(messages)))
        waiting = self._patience
        if waiting is not None and waiting.when() is not None and not waiting.expired():
            most, _ = session.patience()
            waiting.reschedule(None if most is None else asyncio.get_running_loop().time() + most)

    async def _answer(self, session: Session, messages: list[m.Message]) -> None:
        """Send what the session says; while the client takes one chunk, the next is made."""
        chunks = session.process(messages)
        chunk = await self._on_thread(_next, chunks, session=session)
        while chunk is not None:
            if session.has_answered:
                await self._channel.send(chunk)
                return
            coming = asyncio.ensure_future(self._on_thread(_next, chunks, session=session))
            try:
                await self._channel.send(chunk)
            except BaseException:
                coming.cancel()
                await asyncio.wait([coming])
                raise
            chunk = await coming

    async def _on_thread(
        self, function: Callable[..., _Result], *arguments: Any, session: Session | None = None
    ) -> _Result:
        """Run a function on the pool; wait for it even if the connection ends meanwhile."""
        future = asyncio.get_running_loop().run_in_executor(self._server.pool, function, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if session is not None:
                session.cancel()
            await asyncio.wait([future])
            raise

    async def _read(self) -> bool:
        data = await self._channel.read()
        self._frontend.feed(data)
        return bool(data)


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


def _next(chunks: Iterator[Data]) -> Data | None:
    return next(chunks, None)


def _advance(exchange: Authentication, answer: m.Message | None) -> bytes | Admitted:
    """Return what an exchange says next, or how it ended."""
    try:
        return next(exchange) if answer is None else exchange.send(answer)
    except StopIteration as last:
        admitted: Admitted = last.value
        return admitted
