"""Single values in PostgreSQL's binary format, all big-endian.

Times come as integers since 1970, as Arrow stores them; PostgreSQL counts from 2000-01-01.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from sqlfront.wire.text import INFINITE_DAY, INFINITE_TIME

EPOCH_MICROS: Final = 946_684_800_000_000
EPOCH_DAYS: Final = 10_957
NULL: Final = b"\xff\xff\xff\xff"
_DIGIT: Final = 10_000


def numeric_binary(value: Decimal | int) -> bytes:
    """Return a decimal as base-10000 digits with weight, sign and display scale."""
    sign, digits, exponent = Decimal(value).as_tuple()
    if not isinstance(exponent, int):
        return struct.pack("!HhHH", 0, 0, 0xC000, 0)
    scale = max(0, -exponent)
    padding = -scale % 4
    number = int("".join(map(str, digits))) * 10 ** (max(exponent, 0) + padding)
    groups = _groups(number)
    weight = len(groups) - 1 - (scale + padding) // 4
    while groups and not groups[-1]:
        groups.pop()
    header = (len(groups), weight if groups else 0, 0x4000 if sign and groups else 0, scale)
    return struct.pack(f"!HhHH{len(groups)}H", *header, *groups)


def _groups(number: int) -> list[int]:
    groups: list[int] = []
    while number:
        number, group = divmod(number, _DIGIT)
        groups.append(group)
    return groups[::-1]


def date_binary(days: int) -> bytes:
    """Return days since 1970 as days since 2000; infinities keep PostgreSQL's extreme values."""
    if abs(days) >= INFINITE_DAY:
        return struct.pack("!i", INFINITE_DAY if days > 0 else -INFINITE_DAY - 1)
    return struct.pack("!i", days - EPOCH_DAYS)


def timestamp_binary(micros: int) -> bytes:
    """Return microseconds since 1970 as microseconds since 2000."""
    if abs(micros) >= INFINITE_TIME:
        return struct.pack("!q", INFINITE_TIME if micros > 0 else -INFINITE_TIME - 1)
    return struct.pack("!q", micros - EPOCH_MICROS)


def interval_binary(months: int, days: int, micros: int) -> bytes:
    """Return an interval's three parts, the smallest first."""
    return struct.pack("!qii", micros, days, months)


def uuid_binary(value: str | bytes) -> bytes:
    """Return the sixteen bytes of a UUID."""
    return value if isinstance(value, bytes) else uuid.UUID(value).bytes


def sized(value: bytes | None) -> bytes:
    """Return a value behind its length, as DataRow, arrays and records all write it."""
    return NULL if value is None else struct.pack("!i", len(value)) + value


def array_binary(
    elements: Sequence[bytes | None], oid: int, sizes: Sequence[int] | None = None, first: int = 1
) -> bytes:
    """Return an array of values that are encoded already.

    Args:
        elements: of all dimensions, the last one fastest.
        sizes: of each dimension; one of all elements if left out.
        first: where indexes begin.
    """
    has_null = any(element is None for element in elements)
    sizes = sizes or [len(elements)]
    header = struct.pack("!iiI", len(sizes) if elements else 0, has_null, oid)
    bounds = b"".join(struct.pack("!ii", size, first) for size in sizes) if elements else b""
    return header + bounds + b"".join(map(sized, elements))


def record_binary(fields: Sequence[tuple[int, bytes | None]]) -> bytes:
    """Return a record of (type oid, encoded value) fields."""
    body = b"".join(struct.pack("!I", oid) + sized(value) for oid, value in fields)
    return struct.pack("!i", len(fields)) + body
