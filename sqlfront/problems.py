"""Errors that only SQL can have, and the translation of DuckDB's errors into them.

A client sees PostgreSQL's codes and a message that speaks of its own statement, never of DuckDB.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb
import pyarrow as pa

from engine.errors import (
    SyntaxProblem,
    UnknownColumnError,
    UnknownNameError,
    UnsupportedError,
    WaylineError,
    did_you_mean,
)
from sqlfront.wording import NO_CHARACTER, in_our_words


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


class NoObjectError(WaylineError):
    """A field of what is no object."""

    sqlstate = "42809"
    http_status = 400


class NoCastError(WaylineError):
    """A cast between types that have none."""

    sqlstate = "42846"
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


class PatternError(InvalidValueError):
    """A regular expression that is none."""

    sqlstate = "2201B"


class UnreadableTimeError(InvalidValueError):
    """A text that is no time of the format that it should have."""

    sqlstate = "22007"


class TimeRangeError(InvalidValueError):
    """A date or time that no calendar has, or that is too far away."""

    sqlstate = "22008"


class NumberRangeError(InvalidValueError):
    """A number that its type cannot hold, or with more digits than are kept."""

    sqlstate = "22003"


class UnknownZoneError(InvalidValueError):
    """A time zone that does not exist."""

    sqlstate = "22023"


class UnknownChoiceError(InvalidValueError):
    """A saved segment or date range that does not exist."""

    sqlstate = "22023"


class ArgumentRangeError(InvalidValueError):
    """A number for which a function has no value."""

    sqlstate = "22023"


class BucketCountError(InvalidValueError):
    """A number of buckets below one."""

    sqlstate = "22014"


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


class ProgramLimitError(WaylineError):
    """A value or a series that would be larger than any may be."""

    sqlstate = "54000"
    http_status = 400


class OutOfMemoryError(WaylineError):
    """A statement needed more memory than the server may use."""

    sqlstate = "53200"
    http_status = 503


class ServerError(WaylineError):
    """The server could not do its part: a file that is gone, an error in a library."""

    sqlstate = "58000"
    http_status = 500


_LOG: Final = logging.getLogger(__name__)
_WITHIN: Final = (duckdb.IOException, duckdb.InternalException, duckdb.FatalException, duckdb.HTTPException)
"""Errors that tell of the server and not of the statement."""
_COLUMN = re.compile(r'(?:Referenced column|column) "([^"]+)"', re.IGNORECASE)
_TABLE = re.compile(r'(?:Referenced table|Table with name) "?([^"\s]+)"?', re.IGNORECASE)
_FUNCTION = re.compile(r"Function with name \"?([^\"\s]+)\"?", re.IGNORECASE)
_TOO_BIG = re.compile(r"Could not convert string '\s*[+-]?\d+\s*' to U?INT")
_FIELD = re.compile(r'Could not find key "(.+)" in struct', re.IGNORECASE)
_NOTATION = re.compile(r"Cannot extract field '([^']+)' from expression")
_CANDIDATES = re.compile(r'"([^"]+)"')

_BY_CLASS: Final[tuple[tuple[type[duckdb.Error], type[WaylineError]], ...]] = (
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


_STREAMED: Final = re.compile(r"([A-Z][A-Za-z/ ]*) Error: ")
_BY_TITLE: Final[dict[str, type[duckdb.Error]]] = {
    "Out of Memory": duckdb.OutOfMemoryException,
    "Out of Range": duckdb.OutOfRangeException,
    "Conversion": duckdb.ConversionException,
    "Invalid Input": duckdb.InvalidInputException,
    "Not implemented": duckdb.NotImplementedException,
    "INTERRUPT": duckdb.InterruptException,
}
_BY_TEXT: Final[tuple[tuple[str, type[WaylineError]], ...]] = (
    (" has at most ", ProgramLimitError),
    ("maximum supported string size", ProgramLimitError),
    ("maximum total string size", ProgramLimitError),
    ("Lists larger than", ProgramLimitError),
    ("missing )", PatternError),
    ("no argument for repetition operator", PatternError),
    ("invalid escape sequence", PatternError),
    ("missing ]", PatternError),
    ("Malformed JSON", UnreadableValueError),
    ("Ambiguous reference", AmbiguousNameError),
    ("GROUP BY clause", GroupingError),
    ("cannot contain aggregates", GroupingError),
    ("aggregate function calls cannot be nested", GroupingError),
    ("aggregate functions are not allowed", GroupingError),
    ("Type with name", UnknownTypeError),
    ("Unknown TimeZone", UnknownZoneError),
    ("More than one row returned by a subquery", CardinalityError),
    ("Could not parse string", UnreadableTimeError),
    ("invalid date field format", UnreadableTimeError),
    ("invalid timestamp field format", UnreadableTimeError),
    ("invalid time field format", UnreadableTimeError),
    ("field value out of range", TimeRangeError),
    ("Overflow in ", NumberRangeError),
    ("out of range for the destination type", NumberRangeError),
    ("out of range", NumberRangeError),
    ("LIMIT/OFFSET cannot be negative", NegativeLimitError),
    (NO_CHARACTER, ArgumentRangeError),
    ("requires an even number of arguments", ArgumentRangeError),
    ("does not support the supplied arguments", UnknownFunctionError),
    ("Unimplemented type for cast", NoCastError),
    ("expected 1", SyntaxProblem),
    ("factorial of a negative number", NumberRangeError),
    ("GROUPING statement cannot be used", GroupingError),
    ("character not permitted", ProgramLimitError),
    ("Invalid UTF8 Codepoint", ProgramLimitError),
    ("ntile must be", BucketCountError),
)


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0]
    return re.sub(r"^[A-Za-z ]*Error: ", "", line)


def _unknown_name(text: str) -> WaylineError | None:
    tail = text.partition("Candidate")[2]
    quoted = text.split('"')[1:2]
    hint = did_you_mean(quoted[0], _CANDIDATES.findall(tail)) if tail and quoted else None
    if (match := _COLUMN.search(text)) and "not found" in text:
        return UnknownColumnError(f'column "{match[1]}" does not exist', hint=hint)
    if match := _FIELD.search(text):
        field = match[1].replace('""', '"')
        return UnknownColumnError(f'column "{field}" not found in data type record', hint=hint)
    if match := _NOTATION.search(text):
        problem = f"column notation .{match[1]} applied to a value that is not of a composite type"
        return NoObjectError(problem)
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
    except (OSError, pa.ArrowException) as error:
        raised = _streamed(str(error))
        if raised is None:
            raise
        raise from_duckdb(raised) from None


def _streamed(text: str) -> duckdb.Error | None:
    """Return the error that DuckDB raised while Arrow read rows from it, which tells nothing but its text."""
    found = _STREAMED.match(text)
    return None if found is None else _BY_TITLE.get(found[1], duckdb.Error)(text)


def from_duckdb(error: duckdb.Error) -> WaylineError:
    """Return the error that a SQL client should see for what DuckDB raised."""
    text = str(error)
    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException)):
        named = _unknown_name(text)
        if named is not None:
            return named
    if isinstance(error, _WITHIN):
        _LOG.error("DuckDB failed", exc_info=error)
        return ServerError("the server failed at this statement", hint="The server's log has the details.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return OutOfMemoryError(
            "out of memory: the statement needs more than answers may take", hint="Ask for less at once."
        )
    line = _first_line(text)
    if _TOO_BIG.search(line):
        return NumberRangeError(in_our_words(line))
    for part, refined in _BY_TEXT:
        if part in text:
            return refined(in_our_words(line))
    if "best candidate function" in text or "No function matches" in text:
        return UnknownFunctionError(in_our_words(line), hint="Add explicit casts to the arguments.")
    for kind, ours in _BY_CLASS:
        if isinstance(error, kind):
            return ours(in_our_words(line))
    return WaylineError(in_our_words(line))
