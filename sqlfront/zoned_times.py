"""Times of day with a zone: Arrow has none, so that they leave DuckDB as texts and are told as ``timetz``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from sqlfront.trees import over_columns

ZONED_TIME: Final = "TIME WITH TIME ZONE"
"""DuckDB's name of the type."""


def with_zoned_times_as_text(query: exp.Expr, kinds: Sequence[DuckDBPyType]) -> exp.Expr:
    """Return a query whose columns have texts in the place of such times, also in lists and structs.

    Args:
        kinds: DuckDB's types of its columns.
    """
    written = list(map(str, kinds))
    if not any(ZONED_TIME in kind for kind in written):
        return query
    return over_columns(query, written, _as_text)


def _as_text(value: exp.Expr, kind: str) -> exp.Expr:
    if ZONED_TIME not in kind:
        return value
    return exp.cast(value, kind.replace(ZONED_TIME, "VARCHAR"), dialect="duckdb")
