"""Reads intervals as PostgreSQL does: ``1 mon -2 days 03:04``, ``P1M2DT3H``, ``1-2 3 4:05``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import pyarrow as pa

_SECOND: Final = Decimal(1_000_000)
_DAY: Final = 86_400 * _SECOND
_DAYS_IN_MONTH: Final = 30


@dataclass(frozen=True)
class _Unit:
    """What one of a unit is worth in months, days and microseconds."""

    months: int = 0
    days: int = 0
    micros: Decimal = Decimal(0)


_UNITS: Final = {
    "millennium": _Unit(months=12_000),
    "century": _Unit(months=1200),
    "decade": _Unit(months=120),
    "year": _Unit(months=12),
    "month": _Unit(months=1),
    "week": _Unit(days=7),
    "day": _Unit(days=1),
    "hour": _Unit(micros=3600 * _SECOND),
    "minute": _Unit(micros=60 * _SECOND),
    "second": _Unit(micros=_SECOND),
    "millisecond": _Unit(micros=Decimal(1000)),
    "microsecond": _Unit(micros=Decimal(1)),
}
_SPELLINGS: Final = {
    "millennium": "millennia millenniums mil mils millennium",
    "century": "centuries century cent c",
    "decade": "decades decade dec decs",
    "year": "years year yrs yr y",
    "month": "months month mons mon",
    "week": "weeks week w",
    "day": "days day d",
    "hour": "hours hour hrs hr h",
    "minute": "minutes minute mins min m",
    "second": "seconds second secs sec s",
    "millisecond": "milliseconds millisecond msecs msec ms",
    "microsecond": "microseconds microsecond usecs usec us",
}
_BY_WORD: Final = {word: _UNITS[unit] for unit, words in _SPELLINGS.items() for word in words.split()}
_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<clock>(?P<clock_sign>[+-])?(?P<hours>\d+):(?P<minutes>\d\d?)(?::(?P<seconds>\d\d?(?:\.\d*)?))?)
    | (?P<months>(?P<months_sign>[+-])?(?P<years>\d+)-(?P<more>\d+))
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+))\s*(?P<unit>[a-z]*)
    | (?P<ago>ago)
    )""",
    re.VERBOSE,
)
_ISO: Final = re.compile(r"P(?P<date>(?:[-+\d.]+[YMWD])*)(?:T(?P<time>(?:[-+\d.]+[HMS])+))?", re.IGNORECASE)
_ISO_PART: Final = re.compile(r"([-+]?[\d.]+)([A-Z])")
_ISO_DATE: Final = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_ISO_TIME: Final = {"H": "hour", "M": "minute", "S": "second"}
_Part = tuple[Decimal, _Unit]


def read_interval(raw: str) -> pa.MonthDayNano:
    """Return an interval's months, days and nanoseconds.

    Raises:
        ValueError: the text is no interval.
    """
    text = raw.strip().lower().removeprefix("@").strip()
    if not text:
        raise ValueError
    iso = _ISO.fullmatch(text)
    if iso is not None and len(text) > 1:
        return _sum(_iso_parts(iso), 1)
    backwards = text.endswith(" ago")
    return _sum(_parts(text.removesuffix(" ago")), -1 if backwards else 1)


def _iso_parts(iso: re.Match[str]) -> Iterator[_Part]:
    for group, units in (("date", _ISO_DATE), ("time", _ISO_TIME)):
        for number, letter in _ISO_PART.findall((iso[group] or "").upper()):
            yield Decimal(number), _UNITS[units[letter]]


def _parts(text: str) -> Iterator[_Part]:
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or token["ago"] or token.end() == at:
            raise ValueError
        at = token.end()
        kind = next(kind for kind in _READERS if token[kind] is not None)
        yield from _READERS[kind](token, at == len(text))


def _clock(token: re.Match[str], is_last: bool) -> Iterator[_Part]:
    sign = -1 if token["clock_sign"] == "-" else 1
    for group, unit in (("hours", "hour"), ("minutes", "minute"), ("seconds", "second")):
        yield sign * Decimal(token[group] or 0), _UNITS[unit]


def _years_and_months(token: re.Match[str], is_last: bool) -> Iterator[_Part]:
    sign = -1 if token["months_sign"] == "-" else 1
    yield sign * Decimal(12 * int(token["years"]) + int(token["more"])), _UNITS["month"]


def _number(token: re.Match[str], is_last: bool) -> Iterator[_Part]:
    """A number without a unit is days before a clock, and seconds at the end."""
    word = token["unit"] or ("second" if is_last else "day")
    if word not in _BY_WORD:
        raise ValueError
    yield Decimal(token["number"]), _BY_WORD[word]


_READERS: Final[dict[str, Callable[[re.Match[str], bool], Iterator[_Part]]]] = {
    "clock": _clock,
    "months": _years_and_months,
    "number": _number,
}


def _sum(parts: Iterator[_Part], sign: int) -> pa.MonthDayNano:
    """Add parts up; what is left of a month becomes days of a thirtieth, of a day microseconds."""
    months, days, micros = 0, 0, Decimal(0)
    for number, unit in parts:
        whole = int(number * unit.months)
        months += whole
        over = number * unit.months - whole
        in_days = number * unit.days + (over * _DAYS_IN_MONTH if unit.months == 1 else 0)
        months += round(over) if unit.months > 1 else 0
        days += int(in_days)
        micros += (in_days - int(in_days)) * _DAY + number * unit.micros
    nanos = int(micros.to_integral_value()) * 1000
    return pa.MonthDayNano([sign * months, sign * days, sign * nanos])
