"""What clients send, parsed from bytes as they arrive; no sockets here.

A stream may be cut anywhere: the reader keeps the unfinished rest until more bytes come.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from engine.errors import WaylineError

PROTOCOL_3: Final = 3
CANCEL_CODE: Final = 80_877_102
SSL_CODE: Final = 80_877_103
GSS_CODE: Final = 80_877_104
STARTUP_LIMIT: Final = 10_000
MESSAGE_LIMIT: Final = 64 * 1024 * 1024


class ProtocolError(WaylineError):
    """The client sent bytes that are no message of the protocol; the connection cannot go on."""

    sqlstate = "08P01"
    http_status = 400


@dataclass(frozen=True)
class Startup:
    """First message: protocol version and parameters such as user and database."""

    major: int
    minor: int
    parameters: dict[str, str]


@dataclass(frozen=True)
class EncryptionRequest:
    """SSLRequest or GSSENCRequest: the client would like an encrypted connection."""

    gss: bool


@dataclass(frozen=True)
class CancelRequest:
    """Another connection asks to cancel what the given one runs."""

    process: int
    secret: bytes


@dataclass(frozen=True)
class Password:
    """Answer to an authentication request: a password or a step of SASL."""

    data: bytes


@dataclass(frozen=True)
class SimpleQuery:
    """SQL text, possibly of several statements."""

    sql: str


@dataclass(frozen=True)
class Parse:
    """Prepare a statement; an oid of 0 leaves a parameter's type open."""

    name: str
    sql: str
    parameter_oids: tuple[int, ...]


@dataclass(frozen=True)
class Bind:
    """Give a prepared statement its parameter values; formats are 0 (text) or 1 (binary)."""

    portal: str
    statement: str
    parameter_formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


@dataclass(frozen=True)
class Describe:
    """Ask for the columns of a prepared statement (``S``) or portal (``P``)."""

    kind: str
    name: str


@dataclass(frozen=True)
class Execute:
    """Run a portal; 0 rows means all."""

    portal: str
    max_rows: int


@dataclass(frozen=True)
class Close:
    """Forget a prepared statement (``S``) or portal (``P``)."""

    kind: str
    name: str


@dataclass(frozen=True)
class Flush:
    """Send what has been answered so far."""


@dataclass(frozen=True)
class Sync:
    """End of a group of extended messages."""


@dataclass(frozen=True)
class Terminate:
    """Goodbye."""


@dataclass(frozen=True)
class FunctionCall:
    """Call a function without SQL: an old way that a few clients still know."""

    function: int


@dataclass(frozen=True)
class CopyIn:
    """Data for ``COPY … FROM STDIN``, its end, or its failure; which of them the tag tells."""

    tag: str


Greeting = Startup | EncryptionRequest | CancelRequest
Message = (
    Password
    | SimpleQuery
    | Parse
    | Bind
    | Describe
    | Execute
    | Close
    | Flush
    | Sync
    | Terminate
    | FunctionCall
    | CopyIn
)


class FrontendReader:
    """Turns arriving bytes into messages.

    Args:
        message_limit: bytes of the longest message; may be changed at any time.
    """

    def __init__(self, *, message_limit: int = MESSAGE_LIMIT) -> None:
        self.message_limit = message_limit
        self._buffer = bytearray()

    @property
    def buffered(self) -> int:
        """Bytes that have arrived and belong to no complete message yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._buffer += data

    def greeting(self) -> Greeting | None:
        """Return the next greeting, or None until it is complete.

        Raises:
            ProtocolError: malformed, or too long.
        """
        body = self._take(0, STARTUP_LIMIT)
        return None if body is None else _greeting(body)

    def messages(self) -> Iterator[Message]:
        """Yield the complete messages that have arrived.

        Raises:
            ProtocolError: malformed, too long, or of an unknown kind.
        """
        while (message := self.message()) is not None:
            yield message

    def message(self) -> Message | None:
        """Return the next message, or None until it is complete."""
        if not self._buffer:
            return None
        tag = chr(self._buffer[0])
        if tag not in _TAGS:
            raise ProtocolError(
                f"invalid frontend message type {self._buffer[0]}",
                hint="Is the client speaking the PostgreSQL protocol, version 3?",
            )
        body = self._take(1, self.message_limit)
        return None if body is None else _parse_message(tag, body)

    def _take(self, start: int, limit: int) -> bytes | None:
        """Take a body whose length word stands at ``start``; None until all of it has come."""
        if len(self._buffer) < start + 4:
            return None
        (length,) = struct.unpack_from("!I", self._buffer, start)
        if not 4 <= length <= limit:
            raise ProtocolError(f"invalid message length {length}; the limit is {limit} bytes")
        end = start + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[start + 4 : end])
        del self._buffer[:end]
        return body


class _Body:
    """Reads the fields of one message from left to right."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def text(self) -> str:
        """Return a zero-terminated string."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise ProtocolError("invalid string in message: its end is missing")
        raw, self._at = self._data[self._at : end], end + 1
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise _bad_encoding(raw) from None

    def number(self, form: str) -> int:
        """Return an integer: ``h`` for 16 bits, ``i`` for 32, ``I`` for 32 without sign."""
        (value,) = struct.unpack("!" + form, self.take(struct.calcsize("!" + form)))
        return int(value)

    def numbers(self, form: str) -> tuple[int, ...]:
        """Return a list of integers behind its 16-bit count."""
        return tuple(self.number(form) for _ in range(self.number("H")))

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        if size < 0 or self._at + size > len(self._data):
            raise ProtocolError("insufficient data left in message")
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Raise ProtocolError if anything is left."""
        if self._at != len(self._data):
            raise ProtocolError("invalid message format: bytes are left over")


class EncodingError(ProtocolError):
    """Text that is not UTF-8."""

    sqlstate = "22021"


def _bad_encoding(raw: bytes) -> EncodingError:
    return EncodingError(
        f'invalid byte sequence for encoding "UTF8": 0x{raw[:16].hex()}',
        hint="Set the client's encoding to UTF8.",
    )


def _greeting(data: bytes) -> Greeting:
    body = _Body(data)
    code = body.number("I")
    if code == CANCEL_CODE:
        return CancelRequest(body.number("I"), body.rest())
    if code in (SSL_CODE, GSS_CODE):
        body.end()
        return EncryptionRequest(gss=code == GSS_CODE)
    if code >> 16 != PROTOCOL_3:
        raise ProtocolError(f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}: use 3.0")
    parameters: dict[str, str] = {}
    while name := body.text():
        parameters[name] = body.text()
    body.end()
    return Startup(code >> 16, code & 0xFFFF, parameters)


def _parse_message(tag: str, data: bytes) -> Message:
    body = _Body(data)
    message = _TAGS[tag](body)
    body.end()
    return message


def _parse(body: _Body) -> Message:
    return Parse(body.text(), body.text(), body.numbers("I"))


def _bind(body: _Body) -> Message:
    portal, statement, formats = body.text(), body.text(), body.numbers("h")
    values = tuple(_value(body) for _ in range(body.number("H")))
    if len(formats) not in (0, 1, len(values)):
        raise ProtocolError(f"{len(formats)} parameter formats for {len(values)} parameters")
    return Bind(portal, statement, formats, values, body.numbers("h"))


def _value(body: _Body) -> bytes | None:
    length = body.number("i")
    return None if length == -1 else body.take(length)


def _target(body: _Body) -> tuple[str, str]:
    kind = chr(body.take(1)[0])
    if kind not in "SP":
        raise ProtocolError(f"invalid message subtype {kind!r}: a statement is S, a portal is P")
    return kind, body.text()


def _describe(body: _Body) -> Message:
    return Describe(*_target(body))


def _execute(body: _Body) -> Message:
    return Execute(body.text(), max(body.number("i"), 0))


def _close(body: _Body) -> Message:
    return Close(*_target(body))


def _function_call(body: _Body) -> Message:
    function = body.number("I")
    body.rest()
    return FunctionCall(function)


def _copy_in(tag: str) -> Callable[[_Body], Message]:
    def read(body: _Body) -> Message:
        body.rest()
        return CopyIn(tag)

    return read


_TAGS: Final[dict[str, Callable[[_Body], Message]]] = {
    "p": lambda body: Password(body.rest()),
    "Q": lambda body: SimpleQuery(body.text()),
    "P": _parse,
    "B": _bind,
    "D": _describe,
    "E": _execute,
    "C": _close,
    "H": lambda body: Flush(),
    "S": lambda body: Sync(),
    "X": lambda body: Terminate(),
    "F": _function_call,
    **{tag: _copy_in(tag) for tag in "dcf"},
}
