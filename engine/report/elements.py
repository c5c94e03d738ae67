"""Statements over the rows of a frame, with arrays of objects opened into their elements where asked.

Columns of components are written with the table ``rows``; fields of elements are read from the opened
element, with the component's own settings applied to them.
"""

from __future__ import annotations

from sqlglot import exp

from engine.dataview.components import DataView
from engine.dataview.values import value_expression
from engine.report.columns import ELEMENT, ELEMENTS, ROW_INDEX, column_name, in_array, spelled_out

ROWS = "rows"


def over_rows(expression: exp.Expr, view: DataView, array: str | None) -> exp.Expr:
    """Return an expression over components as one over the table ``rows``."""

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or node.table:
            return node
        component = view.component(node.name)
        if in_array(component, array) and component.source is not None:
            field = exp.Dot(
                this=exp.column(ELEMENT, table=ROWS, quoted=True),
                expression=exp.to_identifier(component.source.element, quoted=True),
            )
            return exp.paren(value_expression(component, field))
        return exp.column(column_name(component), table=ROWS, quoted=True)

    return spelled_out(expression.copy()).transform(replace)


def from_rows(array: str | None) -> exp.Expr:
    """Return the FROM item ``rows``: a frame's table, opened to one row per element for an array.

    An event with an empty or missing array keeps one row, whose element is NULL.
    """
    if array is None:
        return exp.to_table(ROWS)
    elements = exp.column(ELEMENTS, quoted=True)
    length = exp.func("coalesce", exp.func("len", elements), exp.convert(0), dialect="duckdb")
    filled = exp.case().when(exp.GT(this=length, expression=exp.convert(0)), elements)
    opened = exp.Anonymous(
        this="unnest",
        expressions=[filled.else_(exp.Array(expressions=[exp.null()]))],
    )
    inner = exp.select(exp.Star(), exp.alias_(opened, ELEMENT, quoted=True)).from_(exp.to_table(ROWS))
    return inner.subquery(ROWS)


def matching(condition: exp.Expr, view: DataView, array: str | None) -> exp.Select:
    """Return a SELECT of the row indices of the events on which a condition holds."""
    row = exp.column(ROW_INDEX, table=ROWS, quoted=True)
    return (
        exp.select(exp.alias_(row, ROW_INDEX, quoted=True))
        .distinct(distinct=array is not None)
        .from_(from_rows(array))
        .where(over_rows(condition, view, array))
    )
