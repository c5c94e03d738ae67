"""Parameter values of a Bind message, text or binary, as Python values."""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, NoReturn

import pyarrow as pa

from engine.errors import InputError, UnsupportedError
from sqlfront.wire.binary import EPOCH_DAYS, EPOCH_MICROS
from sqlfront.wire.types import BY_NAME, BY_OID, pg_name

Decoder = Callable[[bytes], Any]
_EPOCH: Final = datetime(1970, 1, 1)
_TRUE: Final = ("t", "true", "y", "yes", "on", "1")
_FALSE: Final = ("f", "false", "n", "no", "off", "0")
_TIMESTAMP: Final = re.compile(
    r"\s*(?P<date>\d{4}-\d{1,2}-\d{1,2})"
    r"(?:[ T]+(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?"
    r"\s*(?P<zone>Z|UTC|[+-]\d{1,2}(?::?\d{2}){0,2})?\s*",
    re.IGNORECASE,
)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?")
_INTERVAL_PART: Final = re.compile(r"([+-]?\d+) ?(day|days|d)\b", re.IGNORECASE)
_INTERVAL: Final = re.compile(
    r"(?:[+-]?\d+ ?(?:day|days|d)\b)?\s*(?:([+-]?)(\d+:\d{2}(?::\d{2}(?:\.\d+)?)?))?", re.IGNORECASE
)
_ESCAPED_BYTE: Final = re.compile(r"\\(\\|[0-3][0-7]{2})")
_ARRAY_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",{}\s][^",{}]*)', re.ASCII)


class ParameterError(InputError):
    """A parameter's bytes are no value of its type."""

    sqlstate = "22P02"


def decode_parameter(raw: bytes | None, arrow_type: pa.DataType, is_binary: bool) -> object:
    """Return a parameter's Python value: times naive, or aware in UTC for ``timestamptz``.

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
    except (ValueError, ArithmeticError, struct.error):
        shown = raw.hex() if is_binary else raw[:60].decode(errors="replace")
        raise ParameterError(f'invalid input for type {_display(name)}: "{shown}"') from None


def _display(name: str) -> str:
    return BY_NAME[name].display if name in BY_NAME else f"{BY_NAME[name[1:]].display}[]"


def _decode(raw: bytes, name: str, is_binary: bool) -> Any:
    decoder = (_BINARY if is_binary else _TEXT).get(name)
    if decoder is None:
        form = "binary" if is_binary else "text"
        raise UnsupportedError(f"parameters of type {_display(name)} are not read in {form} format")
    return decoder(raw)


def _invalid() -> NoReturn:
    raise ValueError


def _exactly(form: str) -> Decoder:
    return lambda raw: struct.unpack(form, raw)[0]


def _from_text(function: Callable[[str], Any]) -> Decoder:
    return lambda raw: function(raw.decode())


def _bool(raw: str) -> bool:
    word = raw.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else _invalid()


def _integer(bits: int) -> Callable[[str], int]:
    def read(raw: str) -> int:
        value = int(raw) if re.fullmatch(r"\s*[+-]?\d+\s*", raw) else _invalid()
        return value if -(1 << bits - 1) <= value < 1 << bits - 1 else _invalid()

    return read


def _date(raw: str) -> date:
    return _timestamp(raw).date()


def _timestamp(raw: str) -> datetime:
    """Read a point in time; like PostgreSQL, a zone is ignored where the type has none."""
    match = _TIMESTAMP.fullmatch(raw) or _invalid()
    year, month, day = map(int, match["date"].split("-"))
    midnight = datetime(year, month, day)
    return midnight + _clock(match["clock"]) if match["clock"] else midnight


def _timestamptz(raw: str) -> datetime:
    match = _TIMESTAMP.fullmatch(raw) or _invalid()
    zone = timezone(_offset(match["zone"])) if match["zone"] else UTC
    return _timestamp(raw).replace(tzinfo=zone).astimezone(UTC)


def _clock(raw: str) -> timedelta:
    hours, minutes, seconds, fraction = (_CLOCK.fullmatch(raw) or _invalid()).groups()
    micros = int((fraction or "").ljust(6, "0")[:6])
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0), microseconds=micros)


def _offset(zone: str) -> timedelta:
    digits = re.findall(r"\d{1,2}", zone)
    hours, minutes, seconds = (int(part) for part in (*digits, "0", "0", "0")[:3])
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -size if zone.startswith("-") else size


def _time(raw: str) -> time:
    return (_EPOCH + _clock(raw.strip())).time()


def _interval(raw: str) -> timedelta:
    """Read ``3 days 04:05:06``; months have no fixed length and are not taken."""
    match = _INTERVAL.fullmatch(raw.strip())
    if not raw.strip() or match is None:
        raise ValueError
    days = _INTERVAL_PART.match(raw.strip())
    clock = _clock(match[2]) if match[2] else timedelta()
    return timedelta(days=int(days[1]) if days else 0) + (-clock if match[1] == "-" else clock)


def _bytea(raw: str) -> bytes:
    if raw.startswith("\\x"):
        return bytes.fromhex(raw[2:])
    return _ESCAPED_BYTE.sub(_byte, raw).encode("latin-1")


def _byte(found: re.Match[str]) -> str:
    return "\\" if found[1] == "\\" else chr(int(found[1], 8))


def _numeric(raw: str) -> Decimal:
    value = Decimal(raw.strip())
    return value if value.is_finite() else _invalid()


def _numeric_binary(raw: bytes) -> Decimal:
    """Read base-10000 digits; integers keep the sum exact at any precision."""
    count, weight, sign, scale = struct.unpack_from("!HhHH", raw)
    if sign not in (0, 0x4000):
        raise ValueError
    number = 0
    for group in struct.unpack_from(f"!{count}H", raw, 8):
        number = number * 10_000 + group
    exponent = 4 * (weight + 1 - count) + scale
    number = number * 10**exponent if exponent >= 0 else number // 10**-exponent
    return Decimal((1 if sign else 0, tuple(map(int, str(number))), -scale))


def _timestamp_binary(raw: bytes) -> datetime:
    (micros,) = struct.unpack("!q", raw)
    return _EPOCH + timedelta(microseconds=micros + EPOCH_MICROS)


def _date_binary(raw: bytes) -> date:
    (days,) = struct.unpack("!i", raw)
    return (_EPOCH + timedelta(days=days + EPOCH_DAYS)).date()


def _time_binary(raw: bytes) -> time:
    (micros,) = struct.unpack("!q", raw)
    return (_EPOCH + timedelta(microseconds=micros)).time()


def _interval_binary(raw: bytes) -> timedelta:
    micros, days, months = struct.unpack("!qii", raw)
    if months:
        raise ValueError
    return timedelta(days=days, microseconds=micros)


def _jsonb_binary(raw: bytes) -> str:
    return raw[1:].decode() if raw[:1] == b"\x01" else _invalid()


_STRINGS: Final = ("text", "varchar", "bpchar", "name", "char", "json", "unknown")
_TEXT: Final[dict[str, Decoder]] = {
    "bool": _from_text(_bool),
    "int2": _from_text(_integer(16)),
    "int4": _from_text(_integer(32)),
    "int8": _from_text(_integer(64)),
    "oid": _from_text(_integer(64)),
    "float4": _from_text(float),
    "float8": _from_text(float),
    "numeric": _from_text(_numeric),
    "date": _from_text(_date),
    "time": _from_text(_time),
    "timestamp": _from_text(_timestamp),
    "timestamptz": _from_text(_timestamptz),
    "interval": _from_text(_interval),
    "bytea": _from_text(_bytea),
    "uuid": _from_text(uuid.UUID),
    "jsonb": _from_text(str),
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
    "date": _date_binary,
    "time": _time_binary,
    "timestamp": _timestamp_binary,
    "timestamptz": lambda raw: _timestamp_binary(raw).replace(tzinfo=UTC),
    "interval": _interval_binary,
    "bytea": bytes,
    "uuid": lambda raw: uuid.UUID(bytes=raw),
    "jsonb": _jsonb_binary,
} | dict.fromkeys(_STRINGS, _from_text(str))


def _decode_array(raw: bytes, element: str, is_binary: bool) -> list[Any]:
    if not is_binary:
        return [
            None if item is None else _decode(item.encode(), element, False)
            for item in _array_items(raw.decode())
        ]
    dimensions, _, oid = struct.unpack_from("!iiI", raw)
    if not dimensions:
        return []
    if dimensions != 1 or oid not in BY_OID:
        raise ValueError
    sent = BY_OID[oid].name
    return [None if item is None else _decode(item, sent, True) for item in _sized_items(raw)]


def _array_items(raw: str) -> list[str | None]:
    """Split ``{a,"b c",NULL}`` into its elements."""
    body = raw.strip()
    if not (body.startswith("{") and body.endswith("}")) or "{" in _unquoted(body[1:-1]):
        raise ValueError
    return [_array_item(*found) for found in _ARRAY_TOKEN.findall(body[1:-1])]


def _array_item(quoted: str, bare: str) -> str | None:
    if not bare:
        return re.sub(r"\\(.)", r"\1", quoted)
    bare = bare.rstrip(" \t\n\r\v\f")
    return None if bare.upper() == "NULL" else bare


def _unquoted(body: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", body)


def _sized_items(raw: bytes) -> list[bytes | None]:
    (count,) = struct.unpack_from("!i", raw, 12)
    items: list[bytes | None] = []
    at = 20
    for _ in range(count):
        (length,) = struct.unpack_from("!i", raw, at)
        at += 4
        items.append(None if length == -1 else raw[at : at + length])
        at += max(length, 0)
    return items
