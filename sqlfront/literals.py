"""Python values and Arrow tables as SQL literals: of parameters, and of results that go into a report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Final

import pyarrow as pa
from sqlglot import exp

from engine.errors import InputError
from engine.types import sql_type
from sqlfront.problems import NumberRangeError
from sqlfront.wire.types import named_type, plain_type

TEXT: Final = pa.string()
_OTHER_NAMES: Final[dict[pa.DataType, str]] = {
    pa.binary(): "BLOB",
    pa.time64("us"): "TIME",
    pa.duration("us"): "INTERVAL",
    pa.month_day_nano_interval(): "INTERVAL",
    pa.date64(): "DATE",
    pa.null(): "VARCHAR",
    pa.uuid(): "UUID",
    pa.json_(): "JSON",
}
_ZONED_TIME: Final = named_type("timetz")
_MOST_DIGITS: Final = 38


def type_name(arrow_type: pa.DataType) -> str:
    """Return the DuckDB spelling of an Arrow type; text for one that has none."""
    if arrow_type == _ZONED_TIME:
        return "TIMETZ"
    arrow_type = plain_type(arrow_type)
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


def literal(value: object, arrow_type: pa.DataType) -> exp.Expr:
    """Return a value as a typed literal; texts stay untyped, so that they are read by their context."""
    if value is None:
        return typed_null(arrow_type)
    if arrow_type == _ZONED_TIME:
        return exp.cast(_written(value), "TIMETZ", dialect="duckdb")
    arrow_type = plain_type(arrow_type)
    if isinstance(value, str) and _is_text(arrow_type):
        return exp.Literal.string(value)
    if isinstance(value, list):
        return _array(value, arrow_type)
    if isinstance(value, bytes):
        return exp.func("unhex", exp.Literal.string(value.hex()), dialect="duckdb")
    if isinstance(value, Decimal) and pa.types.is_decimal(arrow_type):
        return _decimal(value)
    return exp.cast(_written(value), type_name(arrow_type), dialect="duckdb")


def _is_text(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type))


def _array(items: list[object], arrow_type: pa.DataType) -> exp.Expr:
    """Write a list; where its items are lists themselves, it has more dimensions than its type says."""
    inner = arrow_type.value_type if pa.types.is_list(arrow_type) else TEXT
    for _ in range(_depth(items) - _depth_of(inner) - 1):
        inner = pa.list_(inner)
    written = exp.Array(expressions=[literal(item, inner) for item in items])
    return exp.cast(written, type_name(pa.list_(inner)), dialect="duckdb")


def _depth(value: object) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _depth_of(arrow_type: pa.DataType) -> int:
    return 1 + _depth_of(arrow_type.value_type) if pa.types.is_list(arrow_type) else 0


def _decimal(value: Decimal) -> exp.Expr:
    """Write a decimal with all its digits; beyond 38 of them those behind the point are rounded away."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise InputError(f"{value} is no number", hint="numeric has no NaN and no infinity here.")
    before = max(len(digits) + exponent, 1)
    scale = min(max(-exponent, 0), _MOST_DIGITS - before)
    if scale < 0:
        raise NumberRangeError(f"a number of {before} digits is too long", hint=f"Keep to {_MOST_DIGITS}.")
    number = Decimal(format(value, f".{scale}f"))
    return exp.cast(_written(number), f"DECIMAL({before + scale}, {scale})", dialect="duckdb")


def _written(value: object) -> exp.Expr:
    if isinstance(value, bool):
        return exp.true() if value else exp.false()
    if isinstance(value, (int, Decimal)):
        number = exp.Literal.number(format(abs(value), "f") if isinstance(value, Decimal) else abs(value))
        return exp.Neg(this=number) if value < 0 else number
    if isinstance(value, (date, time)):
        return exp.Literal.string(value.isoformat())
    if isinstance(value, timedelta):
        micros = value // timedelta(microseconds=1)
        return exp.Literal.string(f"{micros} microseconds")
    if isinstance(value, pa.MonthDayNano):
        parts = f"{value.months} months {value.days} days {value.nanoseconds // 1000} microseconds"
        return exp.Literal.string(parts)
    return exp.Literal.string(str(value))


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
