"""Answers whose objects and arrays are JSON, for clients that cannot read PostgreSQL's composites."""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from sqlfront.trees import column


def nested_as_json(query: exp.Expr, schema: pa.Schema) -> exp.Expr:
    """Return a query whose objects and arrays are texts of JSON; the same if it has none."""
    if not any(map(pa.types.is_nested, schema.types)):
        return query
    names = [f"c{at}" for at in range(len(schema))]
    identifiers = [exp.to_identifier(name, quoted=True) for name in names]
    alias = exp.TableAlias(this=exp.to_identifier("_", quoted=True), columns=identifiers)
    shown = [
        exp.cast(exp.Anonymous(this="to_json", expressions=[column(name)]), "text", dialect="duckdb")
        if pa.types.is_nested(kind)
        else column(name)
        for name, kind in zip(names, schema.types, strict=True)
    ]
    outputs = [exp.alias_(output, name, quoted=True) for output, name in zip(shown, names, strict=True)]
    inner = query if isinstance(query, exp.Subquery) else exp.Subquery(this=query.copy())
    inner = inner.copy()
    inner.set("alias", alias)
    return exp.select(*outputs).from_(inner)
