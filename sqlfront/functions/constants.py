"""Texts that a statement casts to a type, read as PostgreSQL reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from sqlglot import exp
from sqlglot.expressions import DType

from sqlfront.functions import arrays
from sqlfront.functions.intervals import interval
from sqlfront.functions.templates import EXACT, fill, text
from sqlfront.problems import UnreadableValueError

_WHOLE: Final = (DType.INT, DType.BIGINT, DType.SMALLINT)
_TIMED: Final = (DType.DATE, DType.TIMESTAMP, DType.TIMESTAMPTZ)
_NUMBER: Final = re.compile(r"\s*[+-]?\d+\s*")
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
_TRUE: Final = frozenset({"t", "tr", "tru", "true", "y", "ye", "yes", "on", "1"})
_FALSE: Final = frozenset({"f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0"})
_TYPES: Final[Mapping[DType, str]] = {
    DType.INT: "integer",
    DType.BIGINT: "bigint",
    DType.SMALLINT: "smallint",
}
_OCTAL: Final = re.compile(rb"\\(\\|[0-3][0-7]{2})")


def read(written: str, target: exp.DataType) -> exp.Expr | None:
    """Return the value of a text for a type; None where DuckDB reads it in the same way.

    Raises:
        UnreadableValueError: the text is no value of the type, though DuckDB would take it for one.
    """
    if target.is_type(DType.INTERVAL):
        return interval(written)
    if target.is_type(DType.ARRAY) and written.lstrip().startswith("{"):
        return exp.cast(arrays.array(written), target)
    if target.is_type(DType.VARBINARY, DType.BINARY):
        return data(written)
    if target.is_type(DType.BOOLEAN):
        return _boolean(written)
    if target.is_type(*_WHOLE) and not _NUMBER.fullmatch(written):
        kind = _TYPES[target.this]
        raise UnreadableValueError(
            f'invalid input syntax for type {kind}: "{written}"', hint="Cast to numeric first."
        )
    if target.is_type(*_TIMED):
        return _time(written.strip(), target)
    return None


def exact(value: exp.Expr) -> exp.Expr:
    """Return a number as numeric without a given precision: a written one keeps its decimals."""
    number = _decimal(value.name) if isinstance(value, exp.Literal) else None
    if number is None:
        return exp.cast(value, EXACT, dialect="duckdb")
    spelled = format(number, "f")
    decimals = len(spelled.partition(".")[2])
    digits = max(len(spelled.lstrip("-").replace(".", "")), decimals + 1)
    written = exp.Literal.number(spelled.lstrip("-"))
    kept = exp.cast(exp.Neg(this=written) if number < 0 else written, f"decimal({digits}, {decimals})")
    return kept if digits <= 38 else exp.cast(value, EXACT, dialect="duckdb")


def _decimal(written: str) -> Decimal | None:
    try:
        number = Decimal(written.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def data(written: str) -> exp.Expr:
    r"""Return bytes for their text: ``\x6162``, or characters with ``\\`` and ``\ooo``."""
    if written.startswith("\\x"):
        found = re.sub(r"\s", "", written[2:])
        if re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", found) is None:
            raise UnreadableValueError("invalid hexadecimal data", hint="Two digits for each byte.")
    else:
        found = _OCTAL.sub(_byte, written.encode()).hex()
    return fill("UNHEX(x)", x=text(found))


def _byte(match: re.Match[bytes]) -> bytes:
    return b"\\" if match[1] == b"\\" else bytes([int(match[1], 8)])


def _boolean(written: str) -> exp.Expr | None:
    word = written.strip().lower()
    return exp.true() if word in _TRUE else exp.false() if word in _FALSE else None


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
