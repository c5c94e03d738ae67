"""Single values as PostgreSQL prints them (DateStyle ISO, IntervalStyle postgres, time zone UTC).

Times come as integers, as Arrow stores them: Python's own types end at the years 1 and 9999.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import numpy as np

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
INFINITE_TIME: Final = 2**63 - 1
INFINITE_DAY: Final = 2**31 - 1
_UNIX_ORDINAL: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = date(9999, 12, 31).toordinal() - _UNIX_ORDINAL
_FIRST_DAY: Final = 1 - _UNIX_ORDINAL
_DAYS_IN_ERA: Final = 146_097
_NEEDS_QUOTES_IN_ARRAY: Final = re.compile(r'[{}",\\\s]|^$|^null$', re.IGNORECASE | re.ASCII)
_NEEDS_QUOTES_IN_RECORD: Final = re.compile(r'[()",\\\s]|^$', re.ASCII)


def float8_text(value: float) -> str:
    """Return the shortest digits that read back as the same double: ``0.1``, ``1e+20``."""
    return _float_text(repr(float(value)), float(value), 15)


def float4_text(value: float) -> str:
    """Return the shortest digits that read back as the same single-precision number."""
    single = np.float32(value)
    return _float_text(np.format_float_scientific(single, unique=True), float(single), 6)


def _float_text(shortest: str, value: float, exponent_from: int) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    number = Decimal(shortest)
    if number and not -4 <= number.adjusted() < exponent_from:
        return _scientific(number)
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _scientific(number: Decimal) -> str:
    sign, digits, _ = number.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' if sign else ''}{text[0]}{fraction}e{number.adjusted():+03d}"


def numeric_text(value: Decimal | int) -> str:
    """Return a decimal with all digits of its scale and never an exponent."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def trimmed(value: Decimal) -> Decimal:
    """Return a decimal without the zeros at the end of its fraction."""
    plain = value.normalize()
    return plain if plain == 0 or plain % 1 else plain.quantize(Decimal(1))


def date_text(days: int) -> str:
    """Return the day that is ``days`` after 1970-01-01."""
    if abs(days) >= INFINITE_DAY:
        return "infinity" if days > 0 else "-infinity"
    day, before_christ = _day(days)
    return f"{day} BC" if before_christ else day


def time_text(micros: int) -> str:
    """Return a time of day, without trailing zeros of the fraction."""
    seconds, fraction = divmod(micros, SECOND)
    minutes, second = divmod(seconds, 60)
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
    return f"{clock}.{fraction:06d}".rstrip("0") if fraction else clock


def offset_text(seconds: int) -> str:
    """Return ``+02``, ``-03:30``, ``+00:53:28``."""
    minutes, second = divmod(abs(seconds), 60)
    hour, minute = divmod(minutes, 60)
    text = f"{'-' if seconds < 0 else '+'}{hour:02d}"
    text += f":{minute:02d}" if minute or second else ""
    return text + (f":{second:02d}" if second else "")


def timestamp_text(micros: int, zone: str = "") -> str:
    """Return a point in time given in microseconds since 1970; ``zone`` follows it (``+00``)."""
    if abs(micros) >= INFINITE_TIME:
        return "infinity" if micros > 0 else "-infinity"
    days, rest = divmod(micros, DAY)
    day, before_christ = _day(days)
    return f"{day} {time_text(rest)}{zone}{' BC' if before_christ else ''}"


def _day(days: int) -> tuple[str, bool]:
    if _FIRST_DAY <= days <= _LAST_DAY:
        return date.fromordinal(days + _UNIX_ORDINAL).isoformat(), False
    era, day_of_era = divmod(days - _FIRST_DAY, _DAYS_IN_ERA)
    within = date.fromordinal(day_of_era + 1)
    year = within.year + 400 * era
    shown = year if year > 0 else 1 - year
    return f"{shown:04d}-{within.month:02d}-{within.day:02d}", year <= 0


def interval_text(months: int, days: int, micros: int) -> str:
    """Return an interval as ``1 year 2 mons 3 days 04:05:06``."""
    years, months = int(months / 12), months - 12 * int(months / 12)
    parts: list[str] = []
    for amount, unit in ((years, "year"), (months, "mon"), (days, "day")):
        if amount:
            sign = "+" if amount > 0 and parts and parts[-1].startswith("-") else ""
            parts.append(f"{sign}{amount} {unit}{'' if amount == 1 else 's'}")
    if micros or not parts:
        parts.append(_clock(micros, bool(parts) and parts[-1].startswith("-")))
    return " ".join(parts)


def _clock(micros: int, after_negative: bool) -> str:
    sign = "-" if micros < 0 else "+" if after_negative else ""
    return sign + time_text(abs(micros))


def bytea_text(value: bytes) -> str:
    r"""Return bytes as ``\x`` and hexadecimal digits."""
    return "\\x" + value.hex()


def uuid_text(value: str | bytes) -> str:
    """Return a UUID, given as its sixteen bytes or as text, in groups of digits."""
    return str(uuid.UUID(bytes=value)) if isinstance(value, bytes) else value


def array_text(elements: Sequence[str | None], nested: bool = False) -> str:
    """Return ``{a,"b c",NULL}``; ``nested`` elements are arrays themselves and stay as they are."""
    return "{" + ",".join(_array_element(element, nested) for element in elements) + "}"


def _array_element(element: str | None, nested: bool) -> str:
    if element is None:
        return "NULL"
    if nested or not _NEEDS_QUOTES_IN_ARRAY.search(element):
        return element
    return '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'


def record_text(fields: Sequence[str | None]) -> str:
    """Return ``(a,"b c",)``, where nothing at all stands for NULL."""
    return "(" + ",".join(_record_field(field) for field in fields) + ")"


def _record_field(field: str | None) -> str:
    if field is None:
        return ""
    if not _NEEDS_QUOTES_IN_RECORD.search(field):
        return field
    return '"' + field.replace("\\", "\\\\").replace('"', '""') + '"'
