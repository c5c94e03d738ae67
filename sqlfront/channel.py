"""Carries bytes between a client's socket and a connection, in plain or within TLS.

TLS runs over buffers in memory rather than inside the event loop's transport: what the client sent right
behind its request for encryption then cannot slip past, and a client may also begin with TLS at once.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Final

from sqlfront.peer import Peer, Tls

_READ: Final = 64 * 1024
_WRITE: Final = 256 * 1024
_UNSENT_HIGH: Final = 4 * 1024 * 1024
_UNSENT_LOW: Final = 1024 * 1024
_CLOSE_SECONDS: Final = 5.0


class Channel:
    """Guards one client's socket.

    Args:
        reader: bytes from the client.
        writer: bytes to the client.
        send_seconds: a client that takes nothing for so long is cut off.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, send_seconds: float
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._send_seconds = send_seconds
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._watch_the_other_end()

    def _watch_the_other_end(self) -> None:
        """Let the kernel notice a client that is gone without a word."""
        raw: socket.socket | None = self._writer.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                unanswered = round(self._send_seconds * 1000)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unanswered)
        self._writer.transport.set_write_buffer_limits(_UNSENT_HIGH, _UNSENT_LOW)

    @property
    def peer(self) -> Peer:
        """The client as it is known now."""
        address, port, *_ = self._writer.get_extra_info("peername") or ("", 0)
        return Peer(address.partition("%")[0], port, self._encryption())

    def _encryption(self) -> Tls | None:
        cipher = self._tls.cipher() if self._tls is not None else None
        if self._tls is None or cipher is None:
            return None
        return Tls(self._tls.version() or "", cipher[0], cipher[2])

    @property
    def protocol(self) -> str | None:
        """The protocol that the client chose within TLS (ALPN)."""
        return self._tls.selected_alpn_protocol() if self._tls is not None else None

    async def encrypt(self, context: ssl.SSLContext, received: bytes = b"") -> None:
        """Begin TLS; from here on nothing is taken or sent in plain.

        Args:
            context: the server's certificate and key.
            received: what the client has already sent of it.

        Raises:
            ConnectionError: the client wants it otherwise, or left.
        """
        self._incoming.write(received)
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                if not await self._more():
                    raise ConnectionResetError from None
            except ssl.SSLError as error:
                self._flush()
                raise ConnectionAbortedError(str(error)) from None
            else:
                break
        self._tls = tls
        await self._drained()

    async def read(self) -> bytes:
        """Return bytes that have come, waiting for the first; none at the end."""
        if self._tls is None:
            return await self._reader.read(_READ)
        while True:
            try:
                return self._tls.read(_READ)
            except ssl.SSLWantReadError:
                if not await self._more():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise ConnectionAbortedError(str(error)) from None

    async def _more(self) -> bool:
        """Send what TLS itself has to say, and give it the next bytes of the client, if any come."""
        await self._drained()
        data = await self._reader.read(_READ)
        self._incoming.write(data)
        return bool(data)

    async def send(self, data: bytes | memoryview) -> None:
        """Send bytes; wait while too many are on their way.

        Raises:
            ConnectionError: the client left.
            TimeoutError: it takes nothing.
        """
        if len(data) <= _WRITE:
            self.say(data)
            await self._drained()
            return
        whole = memoryview(data)
        for start in range(0, len(whole), _WRITE):
            self.say(whole[start : start + _WRITE])
            await self._drained()

    def say(self, data: bytes | memoryview) -> None:
        """Send a few bytes without waiting."""
        if self._tls is None:
            self._writer.write(data)
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            raise ConnectionAbortedError(str(error)) from None
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())

    async def _drained(self) -> None:
        """Wait until the client has taken enough; cut it off if it takes nothing for too long."""
        self._flush()
        transport = self._writer.transport
        if transport.get_write_buffer_size() <= _UNSENT_LOW:
            await self._writer.drain()
            return
        while True:
            unsent = transport.get_write_buffer_size()
            try:
                async with asyncio.timeout(self._send_seconds):
                    await self._writer.drain()
                    return
            except TimeoutError:
                if transport.get_write_buffer_size() >= unsent:
                    transport.abort()
                    raise

    async def close(self) -> None:
        """Say goodbye in TLS, send what waits for a few seconds at most, and close."""
        with suppress(ssl.SSLError, OSError):
            if self._tls is not None:
                self._tls.unwrap()
        with suppress(OSError):
            self._flush()
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
