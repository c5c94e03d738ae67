"""Times of day with a zone: Arrow has none, so that they leave DuckDB as texts and are told as ``timetz``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from sqlfront.trees import column

ZONED_TIME: Final = "TIME WITH TIME ZONE"
"""DuckDB's name of the type."""
_RELATION: Final = "answer"


def with_zoned_times_as_text(query: exp.Expr, kinds: Sequence[DuckDBPyType]) -> exp.Expr:
    """Return a query whose columns have texts in the place of such times, also in lists and structs.

    Args:
        kinds: DuckDB's types of its columns.
    """
    written = list(map(str, kinds))
    if not any(ZONED_TIME in kind for kind in written):
        return query
    names = [f"c{at}" for at in range(len(written))]
    outputs = [
        exp.alias_(_as_text(column(name, _RELATION), kind), name)
        for name, kind in zip(names, written, strict=True)
    ]
    alias = exp.TableAlias(this=exp.to_identifier(_RELATION), columns=list(map(exp.to_identifier, names)))
    return exp.select(*outputs).from_(exp.Subquery(this=query.copy(), alias=alias))


def _as_text(value: exp.Expr, kind: str) -> exp.Expr:
    if ZONED_TIME not in kind:
        return value
    return exp.cast(value, kind.replace(ZONED_TIME, "VARCHAR"), dialect="duckdb")
