"""What the server sends: one function per message, each returning its bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from engine.errors import WaylineError
from sqlfront.query import ResultColumn
from sqlfront.wire.types import pg_modifier, pg_oid, pg_size

NOT_ENCRYPTED: Final = b"N"
ENCRYPTED: Final = b"S"
Data: TypeAlias = bytes | memoryview
"""What goes to the client; many rows come as they lie in memory."""


def _message(tag: bytes, body: bytes = b"") -> bytes:
    return tag + struct.pack("!I", len(body) + 4) + body


def _text(value: str) -> bytes:
    """Return a zero-terminated string; a zero inside would end it early, so it is left out."""
    return value.replace("\0", "").encode(errors="replace") + b"\0"


def authentication_ok() -> bytes:
    """The client is who it says."""
    return _message(b"R", struct.pack("!I", 0))


def authentication_cleartext_password() -> bytes:
    """Ask the client for the password itself."""
    return _message(b"R", struct.pack("!I", 3))


def authentication_sasl(mechanisms: Iterable[str]) -> bytes:
    """Ask the client to choose a SASL mechanism."""
    return _message(b"R", struct.pack("!I", 10) + b"".join(map(_text, mechanisms)) + b"\0")


def authentication_sasl_continue(data: bytes) -> bytes:
    """A further step of SASL."""
    return _message(b"R", struct.pack("!I", 11) + data)


def authentication_sasl_final(data: bytes) -> bytes:
    """The last word of SASL, before AuthenticationOk."""
    return _message(b"R", struct.pack("!I", 12) + data)


def negotiate_protocol_version(minor: int, unknown_options: Sequence[str]) -> bytes:
    """The newest minor protocol version that we speak, and protocol options that we do not know."""
    body = struct.pack("!II", minor, len(unknown_options))
    return _message(b"v", body + b"".join(map(_text, unknown_options)))


def parameter_status(name: str, value: str) -> bytes:
    """A setting that clients keep an eye on."""
    return _message(b"S", _text(name) + _text(value))


def backend_key_data(process: int, secret: bytes) -> bytes:
    """What a CancelRequest must bring."""
    return _message(b"K", struct.pack("!I", process) + secret)


def ready_for_query(status: str) -> bytes:
    """Ready; status is I (idle), T (in a transaction) or E (in a failed one)."""
    return _message(b"Z", status.encode())


def row_description(columns: Sequence[ResultColumn], binary: Sequence[bool]) -> bytes:
    """Names, types and formats of the columns that DataRows will carry."""
    fields = b"".join(
        _text(column.name)
        + struct.pack(
            "!IhIhih",
            0,
            0,
            pg_oid(column.type),
            pg_size(column.type),
            pg_modifier(column.type),
            is_binary,
        )
        for column, is_binary in zip(columns, binary, strict=True)
    )
    return _message(b"T", struct.pack("!H", len(columns)) + fields)


def parameter_description(oids: Sequence[int]) -> bytes:
    """Types of a prepared statement's parameters."""
    return _message(b"t", struct.pack(f"!H{len(oids)}I", len(oids), *oids))


def no_data() -> bytes:
    """The statement returns no rows."""
    return _message(b"n")


def parse_complete() -> bytes:
    """The statement is prepared."""
    return _message(b"1")


def bind_complete() -> bytes:
    """The portal is ready."""
    return _message(b"2")


def close_complete() -> bytes:
    """The statement or portal is gone, if there was one."""
    return _message(b"3")


def copy_out_response(is_binary: bool, columns: int) -> bytes:
    """CopyData follows, in the given format."""
    return _message(b"H", struct.pack(f"!BH{columns}H", is_binary, columns, *[is_binary] * columns))


def copy_done() -> bytes:
    """There is no more CopyData."""
    return _message(b"c")


def command_complete(tag: str) -> bytes:
    """A statement is done; the tag says what it did (``SELECT 5``)."""
    return _message(b"C", _text(tag))


def empty_query() -> bytes:
    """There was no statement in the text."""
    return _message(b"I")


def portal_suspended() -> bytes:
    """The portal has more rows than were asked for."""
    return _message(b"s")


def error_response(error: WaylineError, severity: str = "ERROR") -> bytes:
    """An error with its SQLSTATE and hint, and what else it may have: detail, position (from 1)."""
    return _message(b"E", _fields(severity, error.sqlstate, error.message, error))


def notice_response(message: str, sqlstate: str = "00000", severity: str = "NOTICE") -> bytes:
    """A remark that a client may show; severity is NOTICE or WARNING."""
    return _message(b"N", _fields(severity, sqlstate, message, None))


def _fields(severity: str, sqlstate: str, message: str, error: WaylineError | None) -> bytes:
    fields = {"S": severity, "V": severity, "C": sqlstate, "M": message}
    position, detail = getattr(error, "position", None), getattr(error, "detail", None)
    if detail:
        fields["D"] = detail
    if error is not None and error.hint:
        fields["H"] = error.hint
    if position is not None:
        fields["P"] = str(position)
    return b"".join(code.encode() + _text(value) for code, value in fields.items()) + b"\0"
