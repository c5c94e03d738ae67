"""Errors that only SQL can have, and the translation of DuckDB's errors into them.

A client sees PostgreSQL's codes and a message that speaks of its own statement, never of DuckDB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from engine.errors import (
    SyntaxProblem,
    UnknownColumnError,
    UnknownNameError,
    UnsupportedError,
    WaylineError,
    did_you_mean,
)


class PositionedSyntaxProblem(SyntaxProblem):
    """SQL text that cannot be parsed, with the place where it stopped making sense.

    Attributes:
        position: one-based character offset into the statement's text, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None, position: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.position = position


class UnknownFunctionError(WaylineError):
    """A function that does not exist, or not for these argument types."""

    sqlstate = "42883"
    http_status = 400


class GroupingError(WaylineError):
    """A column that is neither grouped nor aggregated, or an aggregate where none may stand."""

    sqlstate = "42803"
    http_status = 400


class AmbiguousNameError(WaylineError):
    """A column name that more than one table offers."""

    sqlstate = "42702"
    http_status = 400


class DatatypeError(WaylineError):
    """Operands whose types do not go together."""

    sqlstate = "42804"
    http_status = 400


class UnknownTypeError(WaylineError):
    """A type that does not exist."""

    sqlstate = "42704"
    http_status = 400


class InvalidValueError(WaylineError):
    """A value that its type cannot hold or that cannot be read as its type."""

    sqlstate = "22000"
    http_status = 400


class UnreadableValueError(InvalidValueError):
    """A text that is no value of the type it is cast to."""

    sqlstate = "22P02"


class NumberTooLongError(InvalidValueError):
    """A number with more digits than are kept."""

    sqlstate = "22003"


class UnknownZoneError(InvalidValueError):
    """A time zone that does not exist."""

    sqlstate = "22023"


class UnknownChoiceError(InvalidValueError):
    """A saved segment or date range that does not exist."""

    sqlstate = "22023"


class NegativeLimitError(InvalidValueError):
    """A LIMIT or OFFSET below zero."""

    sqlstate = "2201W"


class CardinalityError(InvalidValueError):
    """More rows where there may be one."""

    sqlstate = "21000"


class UndefinedParameterError(WaylineError):
    """A parameter without a value."""

    sqlstate = "42P02"
    http_status = 400


class ColumnCountError(WaylineError):
    """An alias that names more columns than there are."""

    sqlstate = "42P10"
    http_status = 400


class ResultChangedError(UnsupportedError):
    """A prepared statement whose columns changed because definitions were applied since."""


class OutOfMemoryError(WaylineError):
    """A statement needed more memory than the server may use."""

    sqlstate = "53200"
    http_status = 503


_COLUMN = re.compile(r'(?:Referenced column|column) "([^"]+)"', re.IGNORECASE)
_TABLE = re.compile(r'(?:Referenced table|Table with name) "?([^"\s]+)"?', re.IGNORECASE)
_FUNCTION = re.compile(r"Function with name \"?([^\"\s]+)\"?", re.IGNORECASE)
_CANDIDATES = re.compile(r'"([^"]+)"')

_BY_CLASS: Final[tuple[tuple[type[duckdb.Error], type[WaylineError]], ...]] = (
    (duckdb.OutOfMemoryException, OutOfMemoryError),
    (duckdb.ParserException, SyntaxProblem),
    (duckdb.SyntaxException, SyntaxProblem),
    (duckdb.NotImplementedException, UnsupportedError),
    (duckdb.TypeMismatchException, DatatypeError),
    (duckdb.BinderException, DatatypeError),
    (duckdb.ConversionException, UnreadableValueError),
    (duckdb.DataError, InvalidValueError),
    (duckdb.OutOfRangeException, InvalidValueError),
    (duckdb.InvalidInputException, InvalidValueError),
)


_BY_TEXT: Final[tuple[tuple[str, type[WaylineError]], ...]] = (
    ("Ambiguous reference", AmbiguousNameError),
    ("GROUP BY clause", GroupingError),
    ("cannot contain aggregates", GroupingError),
    ("aggregate function calls cannot be nested", GroupingError),
    ("aggregate functions are not allowed", GroupingError),
    ("Type with name", UnknownTypeError),
    ("Unknown TimeZone", UnknownZoneError),
    ("More than one row returned by a subquery", CardinalityError),
    ("LIMIT/OFFSET cannot be negative", NegativeLimitError),
)


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0]
    return re.sub(r"^[A-Za-z ]*Error: ", "", line)


def _unknown_name(text: str) -> WaylineError | None:
    tail = text.partition("Candidate")[2]
    hint = did_you_mean(text.split('"')[1], _CANDIDATES.findall(tail)) if tail else None
    if (match := _COLUMN.search(text)) and "not found" in text:
        return UnknownColumnError(f'column "{match[1]}" does not exist', hint=hint)
    if (match := _TABLE.search(text)) and ("not found" in text or "does not exist" in text):
        return UnknownNameError(f'relation "{match[1]}" does not exist', hint=hint)
    if (match := _FUNCTION.search(text)) and "does not exist" in text:
        return UnknownFunctionError(f"function {match[1]} does not exist")
    return None


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """Turn DuckDB's errors into ours while the block runs."""
    try:
        yield
    except duckdb.Error as error:
        raise from_duckdb(error) from None


def from_duckdb(error: duckdb.Error) -> WaylineError:
    """Return the error that a SQL client should see for what DuckDB raised."""
    text = str(error)
    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException)):
        named = _unknown_name(text)
        if named is not None:
            return named
    line = _first_line(text)
    for part, refined in _BY_TEXT:
        if part in text:
            return refined(line)
    if "best candidate function" in text or "No function matches" in text:
        return UnknownFunctionError(line, hint="Add explicit casts to the arguments.")
    for kind, ours in _BY_CLASS:
        if isinstance(error, kind):
            return ours(line)
    return WaylineError(line)
