"""Texts of intervals in all of PostgreSQL's spellings, written in the one that DuckDB reads."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from sqlglot import exp

from sqlfront.problems import UnreadableTimeError

_MICROSECONDS: Final = {"second": 10**6, "minute": 60 * 10**6, "hour": 3600 * 10**6}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}
_DAYS: Final = {"day": 1, "week": 7}
_UNITS: Final = {
    **{name: name for name in (*_MONTHS, *_DAYS, *_MICROSECONDS, "millisecond", "microsecond")},
    **dict.fromkeys(("s", "sec"), "second"),
    **dict.fromkeys(("m", "min"), "minute"),
    **dict.fromkeys(("h", "hr"), "hour"),
    **dict.fromkeys(("mon",), "month"),
    **dict.fromkeys(("y", "yr"), "year"),
    **dict.fromkeys(("dec",), "decade"),
    **dict.fromkeys(("c", "cent", "centurie"), "century"),
    **dict.fromkeys(("mil", "millennia"), "millennium"),
    **dict.fromkeys(("ms", "msec", "millisecon"), "millisecond"),
    **dict.fromkeys(("us", "usec", "microsecon"), "microsecond"),
    "d": "day",
    "w": "week",
}
_PART: Final = re.compile(
    r"\s*(?:(?P<sign>[+-]?)(?P<years>\d+)-(?P<months>\d+)(?=\s|$)"
    r"|(?P<minus>[+-]?)(?P<hours>\d+):(?P<minutes>\d+)(?::(?P<seconds>\d+(?:\.\d*)?))?"
    r"|(?P<number>[+-]?\s*(?:\d+(?:\.\d*)?|\.\d+))\s*(?P<unit>[a-z]*))\s*,?",
    re.IGNORECASE,
)
_ISO: Final = re.compile(
    r"P(?:(?P<year>-?[\d.]+)Y)?(?:(?P<month>-?[\d.]+)M)?(?:(?P<week>-?[\d.]+)W)?(?:(?P<day>-?[\d.]+)D)?"
    r"(?:T(?:(?P<hour>-?[\d.]+)H)?(?:(?P<minute>-?[\d.]+)M)?(?:(?P<second>-?[\d.]+)S)?)?"
)


class _Length:
    """Months, days and microseconds, which are kept apart as months and days differ in length."""

    def __init__(self) -> None:
        self.months = self.days = self.microseconds = Decimal(0)

    def add(self, amount: Decimal, unit: str) -> None:
        """Add an amount; what is left of a month goes to days, of a day to the time."""
        if unit in _MONTHS:
            whole = amount * _MONTHS[unit]
            self.months += int(whole)
            if unit == "month" or unit == "quarter":
                self.add((whole - int(whole)) * 30, "day")
        elif unit in _DAYS:
            whole = amount * _DAYS[unit]
            self.days += int(whole)
            self.microseconds += (whole - int(whole)) * 24 * _MICROSECONDS["hour"]
        else:
            parts = {"millisecond": 1000, "microsecond": 1, **_MICROSECONDS}
            self.microseconds += amount * parts[unit]

    def negated(self) -> None:
        """Turn it around."""
        self.months, self.days, self.microseconds = -self.months, -self.days, -self.microseconds


def interval(written: str) -> exp.Expr:
    """Return an interval for its text.

    Raises:
        UnreadableTimeError: the text is none.

    >>> interval("1 day 02:03:04").sql("duckdb")
    "CAST('1 days 7384000000 microseconds' AS INTERVAL)"
    """
    length = _read(written)
    parts = (
        (int(length.months), "months"),
        (int(length.days), "days"),
        (round(length.microseconds), "microseconds"),
    )
    spelled = " ".join(f"{amount} {unit}" for amount, unit in parts if amount) or "0 days"
    return exp.cast(exp.Literal.string(spelled), "interval", dialect="duckdb")


def _read(written: str) -> _Length:
    length, rest = _Length(), written.strip()
    iso = _ISO.fullmatch(rest)
    if iso is not None and rest not in ("P", ""):
        for unit, amount in iso.groupdict().items():
            length.add(Decimal(amount or 0), unit)
        return length
    ago = rest.lower().endswith("ago")
    rest = re.sub(r"^@|ago$", "", rest, flags=re.IGNORECASE).strip()
    if not rest:
        raise _unreadable(written)
    while rest:
        match = _PART.match(rest)
        if match is None:
            raise _unreadable(written)
        _add(match, length, written)
        rest = rest[match.end() :].strip()
    if ago:
        length.negated()
    return length


def _add(match: re.Match[str], length: _Length, written: str) -> None:
    if match["years"] is not None:
        sign = -1 if match["sign"] == "-" else 1
        length.add(Decimal(sign * (int(match["years"]) * 12 + int(match["months"]))), "month")
    elif match["hours"] is not None:
        sign = -1 if match["minus"] == "-" else 1
        for unit in _MICROSECONDS:
            length.add(sign * Decimal(match[f"{unit}s"] or 0), unit)
    else:
        spelled = match["unit"].lower() or "second"
        known = _UNITS.get(spelled) or _UNITS.get(spelled.removesuffix("s"))
        if known is None:
            raise _unreadable(written)
        length.add(Decimal(match["number"].replace(" ", "")), known)


def _unreadable(written: str) -> UnreadableTimeError:
    return UnreadableTimeError(
        f'invalid input syntax for type interval: "{written}"', hint="Write it like '1 day 02:03:04'."
    )
