"""Any exception as an error that a SQL client understands: one line, a SQLSTATE, a hint."""

from __future__ import annotations

import logging
import re
from typing import Final

import duckdb

from engine.errors import WaylineError

_LOG = logging.getLogger(__name__)
_DUCKDB: Final[tuple[tuple[type[Exception], str], ...]] = (
    (duckdb.InterruptException, "57014"),
    (duckdb.ParserException, "42601"),
    (duckdb.SyntaxException, "42601"),
    (duckdb.BinderException, "42703"),
    (duckdb.CatalogException, "42P01"),
    (duckdb.ConversionException, "22P02"),
    (duckdb.OutOfRangeException, "22003"),
    (duckdb.InvalidTypeException, "42804"),
    (duckdb.TypeMismatchException, "42804"),
    (duckdb.InvalidInputException, "22023"),
    (duckdb.NotImplementedException, "0A000"),
    (duckdb.PermissionException, "42501"),
    (duckdb.OutOfMemoryException, "53200"),
)
_REFINED: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"Table with name .* does not exist"), "42P01"),
    (
        re.compile(r"Scalar Function|Aggregate Function|Function with name|No function matches"),
        "42883",
    ),
    (re.compile(r"must appear in the GROUP BY"), "42803"),
    (re.compile(r"Ambiguous reference"), "42702"),
    (re.compile(r"division by zero", re.IGNORECASE), "22012"),
    (re.compile(r'^Invalid Input Error: relation ".*" does not exist'), "42P01"),
    (re.compile(r'^Invalid Input Error: (?:function|operator) ".*" does not exist'), "42883"),
    (re.compile(r'^Invalid Input Error: schema ".*" does not exist'), "3F000"),
    (re.compile(r'^Invalid Input Error: (?:type|role|collation) ".*" does not exist'), "42704"),
    (re.compile(r"Type with name|unrecognized configuration parameter"), "42704"),
)
_PREFIX: Final = re.compile(r"^(?:[A-Z][A-Za-z]* )+Error: ")


class SqlError(WaylineError):
    """An error with the SQLSTATE that fits it.

    Args:
        message: one line.
        sqlstate: five characters of PostgreSQL's appendix A.
        hint: what to do about it.
        detail: a second sentence on what was wrong.
        position: 1-based character of the statement's text, if known.
    """

    def __init__(
        self,
        message: str,
        sqlstate: str,
        *,
        hint: str | None = None,
        detail: str | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate
        self.detail = detail
        self.position = position


def to_wayline_error(error: BaseException) -> WaylineError:
    """Return the error to show to a client; what was not foreseen is logged as a bug."""
    if isinstance(error, WaylineError):
        return error
    if isinstance(error, duckdb.Error):
        return _from_duckdb(error)
    if isinstance(error, MemoryError):
        return SqlError("out of memory", "53200", hint="Ask for less at once.")
    if isinstance(error, RecursionError):
        hint = "Use IN (…) instead of many ORs, and fewer brackets."
        return SqlError("the statement is nested too deeply", "54001", hint=hint)
    _LOG.error("internal error", exc_info=error)
    return SqlError(
        f"internal error: {type(error).__name__}",
        "XX000",
        hint="This is a bug in wayline; the server's log has the details.",
    )


def _from_duckdb(error: duckdb.Error) -> SqlError:
    message = str(error)
    if isinstance(error, duckdb.InterruptException):
        return SqlError("canceling statement due to user request", "57014")
    refined = (state for pattern, state in _REFINED if pattern.search(message))
    general = (state for kind, state in _DUCKDB if isinstance(error, kind))
    sqlstate = next(refined, None) or next(general, "58000")
    shown, _, rest = message.partition("\n")
    suggestion = re.search(r"Did you mean[^\n]*|Candidate bindings:[^\n]*", rest)
    return SqlError(_PREFIX.sub("", shown), sqlstate, hint=suggestion[0] if suggestion else None)
