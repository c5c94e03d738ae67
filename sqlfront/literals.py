"""Python values and Arrow tables as SQL literals: parameters, and results that go into a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlglot import exp

from engine.types import sql_type
from sqlfront.planner.zones import ZONE, in_zone
from sqlfront.problems import UndefinedParameterError
from sqlfront.trees import rewrite

TEXT: Final = pa.string()
_OTHER_NAMES: Final[dict[pa.DataType, str]] = {
    pa.binary(): "BLOB",
    pa.time64("us"): "TIME",
    pa.duration("us"): "INTERVAL",
    pa.month_day_nano_interval(): "INTERVAL",
    pa.date64(): "DATE",
    pa.null(): "VARCHAR",
}


def type_name(arrow_type: pa.DataType) -> str:
    """Return the DuckDB spelling of an Arrow type; text for one that has none."""
    if arrow_type in _OTHER_NAMES:
        return _OTHER_NAMES[arrow_type]
    if pa.types.is_timestamp(arrow_type):
        return "TIMESTAMPTZ" if arrow_type.tz else "TIMESTAMP"
    if pa.types.is_list(arrow_type):
        return f"{type_name(arrow_type.value_type)}[]"
    try:
        return sql_type(arrow_type)
    except KeyError:
        return "VARCHAR"


def typed_null(arrow_type: pa.DataType) -> exp.Expr:
    """Return NULL of a type."""
    return exp.cast(exp.null(), type_name(arrow_type), dialect="duckdb")


def literal(value: object, arrow_type: pa.DataType, zone: str | None = None) -> exp.Expr:
    """Return a value as a typed literal; texts stay untyped, so that they are read by their context.

    Args:
        zone: write an instant as wall-clock time in this zone.
    """
    if value is None:
        return typed_null(arrow_type)
    if isinstance(value, str) and (pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type)):
        text = exp.Literal.string(value)
        return text if zone is None else in_zone(text, zone)
    if isinstance(value, (list, tuple)):
        inner = arrow_type.value_type if pa.types.is_list(arrow_type) else TEXT
        items = exp.Array(expressions=[literal(item, inner, zone) for item in value])
        return exp.cast(items, type_name(arrow_type), dialect="duckdb")
    if isinstance(value, bytes):
        return exp.func("unhex", exp.Literal.string(value.hex()), dialect="duckdb")
    if isinstance(value, datetime) and value.tzinfo is not None and zone is not None:
        local = value.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        return exp.cast(exp.Literal.string(str(local)), "timestamp")
    return exp.cast(_written(value), type_name(arrow_type), dialect="duckdb")


def _written(value: object) -> exp.Expr:
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, (int, Decimal)) and not (isinstance(value, Decimal) and not value.is_finite()):
        number = exp.Literal.number(format(abs(value), "f") if isinstance(value, Decimal) else abs(value))
        return exp.Neg(this=number) if value < 0 else number
    if isinstance(value, (date, time)):
        return exp.Literal.string(value.isoformat())
    if isinstance(value, timedelta):
        micros = value // timedelta(microseconds=1)
        return exp.Literal.string(f"{micros} microseconds")
    return exp.Literal.string(str(value))


def with_values(tree: exp.Expr, values: Sequence[object], types: Sequence[pa.DataType]) -> exp.Expr:
    """Return a tree with parameters replaced by literals.

    Raises:
        UndefinedParameterError: a parameter has no value.
    """

    def change(part: exp.Expr) -> exp.Expr | None:
        if not isinstance(part, exp.Parameter):
            return None
        number = int(part.name)
        if not 1 <= number <= len(values):
            raise UndefinedParameterError(
                f"there is no parameter ${number}", hint="Give a value for every $1, $2, …"
            )
        return literal(values[number - 1], types[number - 1], part.meta_get(ZONE))

    return rewrite(tree.copy(), change, into_queries=True)


def rows_query(table: pa.Table) -> exp.Select:
    """Return a query that yields the rows of a small table, spelled out."""
    fields = list(table.schema)
    if not table.num_rows:
        return empty_query({field.name: field.type for field in fields})
    columns = [
        [literal(value, field.type) for value in column.to_pylist()]
        for field, column in zip(fields, table.columns, strict=True)
    ]
    tuples = [exp.Tuple(expressions=list(row)) for row in zip(*columns, strict=True)]
    names = [exp.to_identifier(field.name, quoted=True) for field in fields]
    alias = exp.TableAlias(this=exp.to_identifier("rows", quoted=True), columns=names)
    return exp.select(exp.Star()).from_(exp.Values(expressions=tuples, alias=alias))


def empty_query(types: Mapping[str, pa.DataType]) -> exp.Select:
    """Return a query that yields no rows, with typed columns."""
    outputs = [exp.alias_(typed_null(kind), name, quoted=True) for name, kind in types.items()]
    return exp.select(*outputs).where(exp.false())
