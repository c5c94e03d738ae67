"""Functions of dates and times that Spark SQL has and PostgreSQL has not, and their patterns.

A date pattern of Spark's (``yyyy-MM-dd HH:mm:ss``) becomes one of strftime's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions.templates import Arguments, Builder, call, constant, fill, filled, text

_CODES: Final = {
    "yyyy": "%Y",
    "y": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%-m",
    "dd": "%d",
    "d": "%-d",
    "DDD": "%j",
    "D": "%-j",
    "EEEE": "%A",
    "EEE": "%a",
    "EE": "%a",
    "E": "%a",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "mm": "%M",
    "m": "%-M",
    "ss": "%S",
    "s": "%-S",
    "SSS": "%g",
    "SSSSSS": "%f",
    "a": "%p",
}
_PIECE: Final = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*")
_SECONDS: Final = "yyyy-MM-dd HH:mm:ss"


def pattern(written: str) -> str:
    """Return strftime's pattern for one of Spark's.

    Raises:
        UnsupportedError: it has a letter for which there is none.

    >>> pattern("yyyy-MM-dd'T'HH:mm")
    '%Y-%m-%dT%H:%M'
    """

    def code(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1].replace("''", "'").replace("%", "%%") or "'"
        if match[0] not in _CODES:
            raise UnsupportedError(
                f'"{match[0]}" in a pattern of dates is not supported',
                hint=f"Use {', '.join(_CODES)}, or to_char().",
            )
        return _CODES[match[0]]

    return _PIECE.sub(code, written.replace("%", "%%"))


def _written(arguments: Arguments) -> exp.Expr:
    form = pattern(constant(arguments[1], "date_format"))
    return fill("STRFTIME(CAST(x AS TIMESTAMP), f)", x=arguments[0], f=text(form))


def _seconds(arguments: Arguments) -> exp.Expr:
    """Return ``unix_timestamp([time [, pattern]])``; a text that does not fit its pattern is NULL."""
    if not arguments:
        return fill("CAST(FLOOR(EPOCH(NOW())) AS BIGINT)")
    form = pattern(constant(arguments[1], "unix_timestamp")) if len(arguments) > 1 else pattern(_SECONDS)
    moment = fill(
        "CASE WHEN TYPEOF(x) = 'VARCHAR' THEN TRY_STRPTIME(CAST(x AS TEXT), f)"
        " ELSE TRY_CAST(x AS TIMESTAMP) END",
        x=arguments[0],
        f=text(form),
    )
    return fill("CAST(FLOOR(EPOCH(x)) AS BIGINT)", x=moment)


def _from_seconds(arguments: Arguments) -> exp.Expr:
    form = constant(arguments[1], "from_unixtime") if len(arguments) > 1 else _SECONDS
    return fill(
        "STRFTIME(MAKE_TIMESTAMP(CAST(x AS BIGINT) * 1000000), f)", x=arguments[0], f=text(pattern(form))
    )


def _moved(sign: str) -> Builder:
    """Return ``date_add(date, days)`` or ``date_sub``; with an interval it is a time."""

    def builder(arguments: Arguments) -> exp.Expr:
        date, days = arguments
        if isinstance(days, (exp.Interval, exp.Cast)):
            return fill(f"x {sign} y", x=date, y=days)
        return fill(f"CAST(x AS DATE) {sign} y", x=date, y=days)

    return builder


def _days_between(arguments: Arguments) -> exp.Expr:
    """Return ``datediff(end, start)`` in days; with a unit in front the difference in it, start first."""
    if len(arguments) == 3:
        return call("date_diff", *arguments)
    end, start = arguments
    return fill("CAST(DATE_DIFF('day', CAST(y AS DATE), CAST(x AS DATE)) AS INT)", x=end, y=start)


BUILDERS: Final[Mapping[str, Builder]] = {
    "add_months": filled("CAST(CAST(x AS DATE) + TO_MONTHS(CAST(y AS INT)) AS DATE)"),
    "date_add": _moved("+"),
    "date_format": _written,
    "date_sub": _moved("-"),
    "datediff": _days_between,
    "from_unixtime": _from_seconds,
    "from_utc_timestamp": filled("TIMEZONE(y, TIMEZONE('UTC', CAST(x AS TIMESTAMP)))"),
    "to_utc_timestamp": filled("TIMEZONE('UTC', TIMEZONE(y, CAST(x AS TIMESTAMP)))"),
    "unix_timestamp": _seconds,
}
