"""Casts of a component to what it already is (BI tools send them around every column) are left out."""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp
from sqlglot.expressions import DType

from engine.dataview.components import DataView
from sqlfront.trees import bare, replaced


def without_idle_casts(node: exp.Expr, view: DataView) -> exp.Expr:
    """Return an expression over components without casts that change nothing."""

    def change(part: exp.Expr) -> exp.Expr | None:
        if isinstance(part, exp.Cast) and is_idle(part, view):
            return without_idle_casts(bare(part.this), view)
        return None

    return replaced(node, change)


def is_idle(cast: exp.Cast, view: DataView) -> bool:
    """Tell whether a cast is of a component to the type that it has."""
    inner = bare(cast.this)
    if not isinstance(inner, exp.Column) or inner.table:
        return False
    own, target = view.component(inner.name).type, cast.to
    if pa.types.is_string(own):
        return bool(target.is_type(DType.TEXT, DType.VARCHAR)) and not target.expressions
    if pa.types.is_timestamp(own):
        return bool(target.is_type(DType.TIMESTAMP, DType.DATETIME, DType.TIMESTAMPNTZ))
    if pa.types.is_float64(own):
        return bool(target.is_type(DType.DOUBLE))
    return bool(pa.types.is_int64(own) and target.is_type(DType.BIGINT))
