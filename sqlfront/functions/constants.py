"""Texts in a statement that stand for values: read here where DuckDB would read them otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DType

from sqlfront.functions.templates import fill, text
from sqlfront.problems import UnreadableValueError
from sqlfront.wire.parameters import decode_parameter

_TEXTS: Final = pa.list_(pa.string())
_WHOLE: Final[Mapping[DType, str]] = {
    DType.INT: "integer",
    DType.BIGINT: "bigint",
    DType.SMALLINT: "smallint",
}
_TIMED: Final = (DType.DATE, DType.TIMESTAMP, DType.TIMESTAMPTZ)
_NUMBER: Final = re.compile(r"\s*[+-]?\d+\s*")
_DECIMAL: Final = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
_MOMENTS: Final = {
    "now": "NOW()",
    "today": "CAST(NOW() AS DATE)",
    "yesterday": "CAST(NOW() AS DATE) - 1",
    "tomorrow": "CAST(NOW() AS DATE) + 1",
}
_DATES: Final = (
    *("%Y%m%d", "%Y/%m/%d", "%m/%d/%Y", "%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y"),
    *("%Y-%b-%d", "%Y-%B-%d"),
)


def read(written: str, target: exp.DataType) -> exp.Expr | None:
    """Return the value of a text for a type; None where DuckDB reads it in the same way.

    Raises:
        UnreadableValueError: the text is no whole number, though DuckDB would round it to one.
    """
    if target.is_type(*_WHOLE) and not _NUMBER.fullmatch(written):
        raise UnreadableValueError(
            f'invalid input syntax for type {_WHOLE[target.this]}: "{written}"',
            hint="Cast to numeric first." if _DECIMAL.fullmatch(written) else None,
        )
    return _time(written.strip(), target) if target.is_type(*_TIMED) else None


def interval(written: str) -> exp.Expr:
    """Return an interval for its text.

    >>> interval("1 day 02:03:04").sql("duckdb")
    "CAST('0 months 1 days 7384000000 microseconds' AS INTERVAL)"
    """
    read_as: Any = decode_parameter(written.encode(), pa.month_day_nano_interval(), False)
    months, days, nanoseconds = read_as
    spelled = f"{months} months {days} days {nanoseconds // 1000} microseconds"
    return exp.cast(text(spelled), "interval", dialect="duckdb")


def elements(written: str) -> list[str | None]:
    """Return the elements of an array for its text.

    >>> elements('{a, "b, c", NULL}')
    ['a', 'b, c', None]
    """
    found: Any = decode_parameter(written.encode(), _TEXTS, False)
    return list(found)


def data(written: str) -> exp.Expr:
    r"""Return bytes for their text: ``\x6162``, or characters with ``\\`` and ``\ooo``."""
    found: Any = decode_parameter(written.encode(), pa.binary(), False)
    return fill("UNHEX(x)", x=text(found.hex()))


def _time(written: str, target: exp.DataType) -> exp.Expr | None:
    moment = _MOMENTS.get(written.lower())
    if moment is not None:
        return exp.cast(fill(moment), target)
    if re.match(r"\d{4,}-\d", written):
        return None
    found = next(filter(None, (_date(written, form) for form in _DATES)), None)
    return None if found is None else exp.cast(text(found.isoformat()), target)


def _date(written: str, form: str) -> date | None:
    try:
        return datetime.strptime(" ".join(written.replace(",", " ").split()), form).date()
    except ValueError:
        return None
