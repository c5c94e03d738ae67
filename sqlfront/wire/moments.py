"""Reads dates and times as PostgreSQL writes them, text and binary, eras and infinities included.

Python's own types end at the years 1 and 9999: what is beyond comes as the text that DuckDB reads.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final, NoReturn

from sqlfront.wire.binary import EPOCH_DAYS, EPOCH_MICROS
from sqlfront.wire.text import (
    DAY,
    INFINITE_DAY,
    INFINITE_TIME,
    date_text,
    offset_text,
    time_text,
    timestamp_text,
)

_EPOCH: Final = datetime(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_TIMESTAMP: Final = re.compile(
    r"\s*(?P<date>\d{4,}-\d{1,2}-\d{1,2}|\d{8})"
    r"(?:[ T]+(?P<clock>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2}){0,2})?\s*(?P<era>BC|AD)?\s*",
    re.IGNORECASE,
)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?")
_ZONED_CLOCK: Final = re.compile(
    r"\s*([\d:.]+)\s*(AM|PM)?\s*(Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2}){0,2})?\s*", re.IGNORECASE
)
_TIMETZ: Final = struct.Struct("!qi")
_INFINITIES: Final = frozenset(("infinity", "-infinity"))


class Beyond(str):
    """A date or time that Python's types do not reach, as DuckDB writes it: ``0044-03-15 (BC)``."""

    __slots__ = ()


class FieldRangeError(ValueError):
    """A date or time that is well written but that no calendar or clock shows."""


def _invalid() -> NoReturn:
    raise ValueError


def _out_of_range() -> NoReturn:
    raise FieldRangeError


def read_date(raw: str) -> date | Beyond:
    """Read a day; what comes after it, a time of day or a zone, is ignored as in PostgreSQL."""
    if raw.strip().lower() in _INFINITIES:
        return Beyond(raw.strip().lower())
    match = _TIMESTAMP.fullmatch(raw) or _invalid()
    found = _point(match)
    return found.date() if isinstance(found, datetime) else Beyond(_day(match))


def read_timestamp(raw: str) -> datetime | Beyond:
    """Read a point in time; like PostgreSQL, a zone is ignored where the type has none."""
    if raw.strip().lower() in _INFINITIES:
        return Beyond(raw.strip().lower())
    return _point(_TIMESTAMP.fullmatch(raw) or _invalid())


def read_timestamptz(raw: str, zone: timezone = UTC) -> datetime | Beyond:
    """Read an instant; without an offset it is in the given zone."""
    if raw.strip().lower() in _INFINITIES:
        return Beyond(raw.strip().lower())
    match = _TIMESTAMP.fullmatch(raw) or _invalid()
    offset, point = match["zone"], _point(match)
    if isinstance(point, Beyond):
        return Beyond(f"{point}{_offset_text(offset)}" if match["clock"] else point)
    local = point.replace(tzinfo=timezone(read_offset(offset)) if offset else zone)
    try:
        return local.astimezone(UTC)
    except OverflowError:
        return Beyond(f"{point}{_offset_text(offset)}")


def _point(match: re.Match[str]) -> datetime | Beyond:
    clock = _since_midnight(match["clock"]) if match["clock"] else timedelta()
    if (match["era"] or "").upper() != "BC" and int(_parts(match)[0]) <= 9999:
        year, month, day = map(int, _parts(match))
        try:
            return datetime(year, month, day) + clock
        except OverflowError:
            return Beyond(f"{_day(match)} {match['clock']}")
        except ValueError:
            raise FieldRangeError from None
    _parsed_day(match)
    return Beyond(f"{_day(match)} {match['clock']}" if match["clock"] else _day(match))


def _parts(match: re.Match[str]) -> tuple[str, str, str]:
    """Return year, month and day as written, also without hyphens."""
    written = match["date"]
    if "-" not in written:
        return written[:4], written[4:6], written[6:]
    year, month, day = written.split("-")
    return year, month, day


def _parsed_day(match: re.Match[str]) -> None:
    """Raise unless a day far away exists, by the same day of a year of the same length."""
    year, month, day = map(int, _parts(match))
    counted = 1 - year if (match["era"] or "").upper() == "BC" else year
    if not year:
        raise ValueError
    date(2000 + counted % 400, month, day)


def _day(match: re.Match[str]) -> str:
    year, month, day = _parts(match)
    era = " (BC)" if (match["era"] or "").upper() == "BC" else ""
    return f"{int(year):04d}-{int(month):02d}-{int(day):02d}{era}"


def _offset_text(offset: str | None) -> str:
    return "+00" if offset is None or offset.isalpha() else offset


def _since_midnight(raw: str) -> timedelta:
    hours, minutes, seconds, fraction = (_CLOCK.fullmatch(raw) or _invalid()).groups()
    if int(hours) > 24 or int(minutes) > 59 or int(seconds or 0) > 60:
        raise FieldRangeError
    micros = round(float(f"0.{fraction or 0}") * 1_000_000)
    found = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0), microseconds=micros)
    return found if found <= timedelta(days=1) else _out_of_range()


def read_offset(zone: str) -> timedelta:
    """Read ``+02``, ``-05:30``, ``Z``."""
    digits = re.findall(r"\d{1,2}", zone)
    hours, minutes, seconds = (int(part) for part in (*digits, "0", "0", "0")[:3])
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -size if zone.startswith("-") else size


def read_time(raw: str) -> time | Beyond:
    """Read a time of day; 24:00 is the end of one."""
    return time_of(_zoned_clock(raw)[0])


def read_timetz(raw: str) -> str:
    """Read a time of day with its offset, UTC where there is none; it is written as DuckDB writes it."""
    micros, offset = _zoned_clock(raw)
    return f"{time_text(micros)}{offset_text(offset // _SECOND)}"


def timetz_from_binary(raw: bytes) -> str:
    """Read microseconds since midnight and seconds west of UTC."""
    micros, west = _TIMETZ.unpack(raw)
    return f"{time_text(micros)}{offset_text(-west)}" if 0 <= micros <= DAY else _invalid()


def timetz_binary(written: str) -> bytes:
    """Return the binary format of a time of day with its offset."""
    micros, offset = _zoned_clock(written)
    return _TIMETZ.pack(micros, -(offset // _SECOND))


def _zoned_clock(raw: str) -> tuple[int, timedelta]:
    """Return microseconds since midnight, and how far the zone is ahead of UTC."""
    clock, half, zone = (_ZONED_CLOCK.fullmatch(raw) or _invalid()).groups()
    found = _since_midnight(clock)
    if half is not None:
        if found >= timedelta(hours=13):
            raise FieldRangeError
        found = found % timedelta(hours=12) + timedelta(hours=12 * (half.upper() == "PM"))
    return found // _MICROSECOND, read_offset(zone or "")


def time_of(micros: int) -> time | Beyond:
    """Return a time of day from microseconds since midnight."""
    if not 0 <= micros <= DAY:
        raise ValueError
    return Beyond("24:00:00") if micros == DAY else (_EPOCH + micros * _MICROSECOND).time()


def date_from_binary(raw: bytes) -> date | Beyond:
    """Read days since 2000."""
    (days,) = struct.unpack("!i", raw)
    if abs(days) >= INFINITE_DAY:
        return Beyond("infinity" if days > 0 else "-infinity")
    try:
        return (_EPOCH + timedelta(days=days + EPOCH_DAYS)).date()
    except OverflowError:
        return Beyond(_duckdb(date_text(days + EPOCH_DAYS)))


def timestamp_from_binary(raw: bytes) -> datetime | Beyond:
    """Read microseconds since 2000."""
    micros: int = struct.unpack("!q", raw)[0]
    if abs(micros) >= INFINITE_TIME:
        return Beyond("infinity" if micros > 0 else "-infinity")
    try:
        return _EPOCH + (micros + EPOCH_MICROS) * _MICROSECOND
    except OverflowError:
        return Beyond(_duckdb(timestamp_text(micros + EPOCH_MICROS)))


def timestamptz_from_binary(raw: bytes) -> datetime | Beyond:
    """Read microseconds since 2000 in UTC."""
    found = timestamp_from_binary(raw)
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) else found


def time_from_binary(raw: bytes) -> time | Beyond:
    """Read microseconds since midnight."""
    return time_of(struct.unpack("!q", raw)[0])


def _duckdb(written: str) -> str:
    """``0044-03-15 10:00:00 BC`` → ``0044-03-15 (BC) 10:00:00``."""
    if not written.endswith(" BC"):
        return written
    day, _, clock = written.removesuffix(" BC").partition(" ")
    return f"{day} (BC) {clock}".strip()
