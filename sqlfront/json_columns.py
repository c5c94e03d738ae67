"""Answers whose objects and arrays are JSON, for clients that cannot read PostgreSQL's composites."""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from sqlfront.trees import over_columns


def nested_as_json(query: exp.Expr, schema: pa.Schema) -> exp.Expr:
    """Return a query whose objects and arrays are texts of JSON; the same if it has none."""
    if not any(map(pa.types.is_nested, schema.types)):
        return query
    return over_columns(query, schema.types, _as_json)


def _as_json(value: exp.Expr, kind: pa.DataType) -> exp.Expr:
    if not pa.types.is_nested(kind):
        return value
    return exp.cast(exp.Anonymous(this="to_json", expressions=[value]), "text", dialect="duckdb")
