"""Reads values as PostgreSQL writes them, text or binary: of a Bind message, and of typed literals."""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NoReturn

import pyarrow as pa

from engine.errors import InputError, UnsupportedError
from sqlfront.wire import moments
from sqlfront.wire.arrays import read_array, read_array_binary
from sqlfront.wire.intervals import read_interval
from sqlfront.wire.types import BY_NAME, BY_OID, pg_name

Decoder = Callable[[bytes], Any]
_TRUE: Final = ("true", "yes", "on", "1")
_FALSE: Final = ("false", "no", "off", "0")
_ESCAPED_BYTE: Final = re.compile(r"\\(\\|[0-3][0-7]{2})")
_OCTAL_CHAR: Final = re.compile(r"\\([0-3][0-7]{2})")
_NUMBER: Final = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
_FLOAT_WORD: Final = re.compile(r"\s*[+-]?(?:nan|inf|infinity)\s*", re.IGNORECASE)
_TIMES: Final = frozenset(("date", "time", "timestamp", "timestamptz", "timetz", "interval"))
_LONGEST_SHOWN: Final = 60


class ParameterError(InputError):
    """The bytes are no value of the type."""

    sqlstate = "22P02"


class ParameterTimeError(ParameterError):
    """The text is no date or time."""

    sqlstate = "22007"


class ParameterFieldError(ParameterError):
    """The text is a date or time that does not exist."""

    sqlstate = "22008"


class ParameterRangeError(ParameterError):
    """The number does not fit the type."""

    sqlstate = "22003"


class ParameterFormatError(ParameterError):
    """The bytes are not in the type's binary format."""

    sqlstate = "22P03"


class _OutOfRange(ValueError):
    """A number that is well written but does not fit."""


def decode_parameter(raw: bytes | None, arrow_type: pa.DataType, is_binary: bool) -> object:
    """Return the Python value of what PostgreSQL would read in this type.

    Times are naive, or aware in UTC for ``timestamptz``, and ``moments.Beyond`` where Python has none;
    intervals are ``pa.MonthDayNano``; arrays are lists, in lists if they have several dimensions.

    Raises:
        ParameterError: the bytes are no value of the type.
        UnsupportedError: the type has no such format here.
    """
    if raw is None:
        return None
    name = pg_name(arrow_type)
    try:
        if name.startswith("_"):
            return _decode_array(raw, name[1:], is_binary)
        return _decode(raw, name, is_binary)
    except (ValueError, ArithmeticError, struct.error) as error:
        raise _problem(raw, name, is_binary, error) from None


def _problem(raw: bytes, name: str, is_binary: bool, error: Exception) -> ParameterError:
    if is_binary:
        shown = raw[:_LONGEST_SHOWN].hex()
        return ParameterFormatError(f'invalid input for type {_display(name)} in binary format: "{shown}"')
    shown = raw[:_LONGEST_SHOWN].decode(errors="replace")
    if isinstance(error, _OutOfRange):
        return ParameterRangeError(
            f'invalid input: value "{shown}" is out of range for type {_display(name)}'
        )
    if isinstance(error, moments.FieldRangeError):
        return ParameterFieldError(f'date/time field value out of range: "{shown}"')
    kind = ParameterTimeError if name in _TIMES else ParameterError
    return kind(f'invalid input syntax for type {_display(name)}: "{shown}"')


def _display(name: str) -> str:
    return BY_NAME[name].display if name in BY_NAME else f"{BY_NAME[name[1:]].display}[]"


def _decode(raw: bytes, name: str, is_binary: bool) -> Any:
    decoder = (_BINARY if is_binary else _TEXT).get(name)
    if decoder is None:
        form = "binary" if is_binary else "text"
        raise UnsupportedError(f"parameters of type {_display(name)} are not read in {form} format")
    return decoder(raw)


def _decode_array(raw: bytes, element: str, is_binary: bool) -> list[Any]:
    if not is_binary:
        return read_array(raw.decode(), lambda item: _decode(item.encode(), element, False))
    return read_array_binary(raw, _element)


def _element(oid: int, raw: bytes) -> Any:
    return _decode(raw, BY_OID[oid].name, True) if oid in BY_OID else _invalid()


def _invalid() -> NoReturn:
    raise ValueError


def _exactly(form: str) -> Decoder:
    return lambda raw: struct.unpack(form, raw)[0]


def _from_text(function: Callable[[str], Any]) -> Decoder:
    return lambda raw: function(raw.decode())


def _bool(raw: str) -> bool:
    """Read a word or the beginning of one, if no other word begins so."""
    word = raw.strip().lower()
    found = {value for words, value in ((_TRUE, True), (_FALSE, False)) for w in words if w.startswith(word)}
    return found.pop() if word and len(found) == 1 else _invalid()


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(raw: str) -> int:
        value = int(raw) if re.fullmatch(r"\s*[+-]?\d+\s*", raw, re.ASCII) else _invalid()
        if not low <= value <= high:
            raise _OutOfRange
        return value

    return read


def _signed(bits: int) -> Callable[[str], int]:
    return _integer(-(1 << bits - 1), (1 << bits - 1) - 1)


def _oid(raw: str) -> int:
    """Read an oid; a negative one counts from the end, as in PostgreSQL."""
    return _integer(-(1 << 31), (1 << 32) - 1)(raw) % (1 << 32)


def _float(raw: str) -> float:
    if not (_NUMBER.fullmatch(raw) or _FLOAT_WORD.fullmatch(raw)):
        raise ValueError
    value = float(raw)
    if value in (float("inf"), float("-inf")) and _NUMBER.fullmatch(raw):
        raise _OutOfRange
    return value


def _bytea(raw: str) -> bytes:
    if raw.startswith("\\x"):
        return bytes.fromhex(raw[2:])
    plain = _ESCAPED_BYTE.sub("", raw)
    return (
        _ESCAPED_BYTE.sub(_byte, raw).encode("latin-1")
        if "\\" not in plain and plain.isascii()
        else _invalid()
    )


def _byte(found: re.Match[str]) -> str:
    return "\\" if found[1] == "\\" else chr(int(found[1], 8))


def _char(raw: str) -> str:
    r"""Read the one character of a ``"char"``: the first, or a byte as ``\303``."""
    octal = _OCTAL_CHAR.fullmatch(raw)
    return chr(int(octal[1], 8)) if octal else raw[:1]


def _name(raw: str) -> str:
    """Read a name, which ends after 63 bytes."""
    return raw.encode()[:63].decode(errors="ignore")


def _numeric(raw: str) -> Decimal:
    if _FLOAT_WORD.fullmatch(raw):
        raise _no_infinity()
    return Decimal(raw.strip()) if _NUMBER.fullmatch(raw) else _invalid()


def _no_infinity() -> UnsupportedError:
    return UnsupportedError("numeric has no NaN and no infinity here", hint="Use double precision.")


def _numeric_binary(raw: bytes) -> Decimal:
    """Read base-10000 digits; integers keep the sum exact at any precision."""
    count, weight, sign, scale = struct.unpack_from("!HhHH", raw)
    if sign in (0xC000, 0xD000, 0xF000):
        raise _no_infinity()
    if sign not in (0, 0x4000):
        raise ValueError
    number = 0
    for group in struct.unpack_from(f"!{count}H", raw, 8):
        number = number * 10_000 + group
    exponent = 4 * (weight + 1 - count) + scale
    number = number * 10**exponent if exponent >= 0 else number // 10**-exponent
    return Decimal((1 if sign else 0, tuple(map(int, str(number))), -scale))


def _interval_binary(raw: bytes) -> pa.MonthDayNano:
    micros, days, months = struct.unpack("!qii", raw)
    return pa.MonthDayNano([months, days, micros * 1000])


def _jsonb_binary(raw: bytes) -> str:
    return raw[1:].decode() if raw[:1] == b"\x01" else _invalid()


_STRINGS: Final = ("text", "varchar", "bpchar", "json", "unknown")
_TEXT: Final[dict[str, Decoder]] = {
    "bool": _from_text(_bool),
    "int2": _from_text(_signed(16)),
    "int4": _from_text(_signed(32)),
    "int8": _from_text(_signed(64)),
    "oid": _from_text(_oid),
    "float4": _from_text(_float),
    "float8": _from_text(_float),
    "numeric": _from_text(_numeric),
    "date": _from_text(moments.read_date),
    "time": _from_text(moments.read_time),
    "timetz": _from_text(moments.read_timetz),
    "timestamp": _from_text(moments.read_timestamp),
    "timestamptz": _from_text(moments.read_timestamptz),
    "interval": _from_text(read_interval),
    "bytea": _from_text(_bytea),
    "uuid": _from_text(uuid.UUID),
    "jsonb": _from_text(str),
    "char": _from_text(_char),
    "name": _from_text(_name),
} | dict.fromkeys(_STRINGS, _from_text(str))
_BINARY: Final[dict[str, Decoder]] = {
    "bool": _exactly("!?"),
    "int2": _exactly("!h"),
    "int4": _exactly("!i"),
    "int8": _exactly("!q"),
    "oid": _exactly("!I"),
    "float4": _exactly("!f"),
    "float8": _exactly("!d"),
    "numeric": _numeric_binary,
    "date": moments.date_from_binary,
    "time": moments.time_from_binary,
    "timetz": moments.timetz_from_binary,
    "timestamp": moments.timestamp_from_binary,
    "timestamptz": moments.timestamptz_from_binary,
    "interval": _interval_binary,
    "bytea": bytes,
    "uuid": lambda raw: uuid.UUID(bytes=raw),
    "jsonb": _jsonb_binary,
    "char": lambda raw: raw.decode("latin-1") if len(raw) == 1 else _invalid(),
    "name": _from_text(_name),
} | dict.fromkeys(_STRINGS, _from_text(str))
