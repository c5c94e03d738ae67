"""Functions that Spark SQL has and PostgreSQL has not: of numbers, texts, arrays, maps and JSON.

A name that both have means what it means in PostgreSQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.expressions import DType

from engine.errors import UnsupportedError
from sqlfront.functions.templates import Arguments, Builder, call, constant, fill, filled, number, text
from sqlfront.problems import UnreadableValueError
from sqlfront.trees import bare, guarded, rewrite


def _collected(values: exp.Expr, *, distinct: bool) -> exp.Expr:
    """Return all values that are not NULL as an array; it is empty where there are none."""
    if isinstance(values, exp.Distinct):
        values, distinct = values.expressions[0], True
    found = fill(
        "LIST_SORT(LIST(DISTINCT x) FILTER (WHERE x IS NOT NULL))"
        if distinct
        else "LIST(x) FILTER (WHERE x IS NOT NULL)",
        x=values,
    )
    return exp.Coalesce(this=found, expressions=[exp.Array(expressions=[])])


def of_window(collected: exp.Expr, around: exp.Expr) -> exp.Expr:
    """Return ``collect_list`` as it can stand before OVER, where no empty array is put for NULL.

    Raises:
        UnsupportedError: it stands before FILTER, or is ``collect_set``, which is put in order afterwards.
    """
    if isinstance(around, exp.Filter) or not isinstance(collected.this, exp.Filter):
        raise UnsupportedError(
            "collect_list with FILTER, and collect_set with FILTER or OVER, are not supported",
            hint="Use array_agg().",
        )
    filtered: exp.Expr = collected.this
    return filtered


def _split(arguments: Arguments) -> exp.Expr:
    if len(arguments) > 2 and arguments[2] != exp.Neg(this=number(1)):
        raise UnsupportedError("split() with a limit is not supported", hint="Take a part by its index.")
    return call("string_split_regex", *arguments[:2])


def _extracted(arguments: Arguments) -> exp.Expr:
    """Return ``regexp_extract(text, pattern [, group])``: the first group, unless another is named."""
    group = arguments[2] if len(arguments) > 2 else number(1)
    return call("regexp_extract", arguments[0], arguments[1], group)


def _named(arguments: Arguments) -> exp.Expr:
    names = [constant(name, "named_struct") for name in arguments[::2]]
    return struct(list(zip(names, arguments[1::2], strict=True)))


def struct(fields: Sequence[tuple[str, exp.Expr]]) -> exp.Expr:
    """Return an object with named fields."""
    return exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=value)
            for name, value in fields
        ]
    )


def named_struct(node: exp.Expr) -> exp.Expr:
    """Return ``struct(a AS x, b, 1)``: others are called as their column, or by their place."""
    fields: list[tuple[str, exp.Expr]] = []
    for at, field in enumerate(node.expressions, 1):
        if isinstance(field, (exp.PropertyEQ, exp.Alias)):
            value = field.expression if isinstance(field, exp.PropertyEQ) else field.this
            name = field.this.name if isinstance(field, exp.PropertyEQ) else field.alias
            fields.append((name, value))
        else:
            fields.append((field.name if isinstance(field, exp.Column) else f"col{at}", field))
    return struct(fields)


def over_elements(function: str, array: exp.Expr, function_of_element: exp.Expr) -> exp.Expr:
    """Return ``transform(array, x -> …)`` or ``filter``; a second parameter is the place, from 0."""
    if not isinstance(function_of_element, exp.Lambda):
        raise UnsupportedError(f"{function} without a function is not supported", hint="Write x -> …")
    parameters = function_of_element.expressions
    if len(parameters) > 1:
        place = parameters[1].name
        counted = exp.Sub(this=exp.to_identifier(place, quoted=True), expression=number(1))
        function_of_element = function_of_element.copy()
        function_of_element.set("this", with_value(function_of_element.this, place, counted))
    return call(function, array, function_of_element)


def with_value(body: exp.Expr, name: str, value: exp.Expr) -> exp.Expr:
    """Return the body of a function with a value in the place of a parameter."""

    def change(node: exp.Expr) -> exp.Expr | None:
        if isinstance(node, exp.Lambda) and name in [inner.name for inner in node.expressions]:
            return node
        if isinstance(node, exp.Dot):
            node.set("this", rewrite(node.this, change))
            return node
        is_parameter = isinstance(node, exp.Identifier) and node.name == name
        return guarded(value.copy()) if is_parameter else None

    return rewrite(body.copy(), change)


def _map(arguments: Arguments) -> exp.Expr:
    keys, values = list(arguments[::2]), list(arguments[1::2])
    if len(keys) != len(values):
        raise ValueError("a map takes a value for each key")
    return call("map", exp.Array(expressions=keys), exp.Array(expressions=values))


def _aggregated(arguments: Arguments) -> exp.Expr:
    """Return ``aggregate(array, start, (sum, x) -> … [, sum -> …])``."""
    values, start, merge = arguments[:3]
    whole = call("list_reduce", values, merge, start)
    if len(arguments) < 4:
        return whole
    finish = arguments[3]
    return with_value(finish.this, finish.expressions[0].name, whole)


def _from_json(arguments: Arguments) -> exp.Expr:
    written = constant(arguments[1], "from_json")
    return fill(
        "CASE WHEN JSON_VALID(x) THEN JSON_TRANSFORM(x, y) END",
        x=arguments[0],
        y=text(json.dumps(_shape(_schema(written)))),
    )


def _schema(written: str) -> exp.DataType:
    """Return the type that a schema describes: ``a INT, b ARRAY<STRING>``, or a type by itself."""
    is_type = re.match(r"\s*(?:array|struct|map)\s*<", written, re.IGNORECASE)
    try:
        kind = exp.DataType.build(written if is_type else f"STRUCT<{written}>", dialect="spark")
    except (ParseError, TypeError, ValueError):
        raise _unreadable(written) from None
    if not all(part.expressions for part in kind.find_all(exp.DataType) if part.args.get("nested")):
        raise _unreadable(written)
    return kind


def _unreadable(written: str) -> UnreadableValueError:
    return UnreadableValueError(f'invalid schema "{written}"', hint="Write it as 'a INT, b ARRAY<STRING>'.")


def _shape(kind: exp.DataType) -> Any:
    if kind.is_type(DType.ARRAY):
        return [_shape(kind.expressions[0])]
    if kind.is_type(DType.STRUCT):
        return {field.name: _shape(field.args["kind"]) for field in kind.expressions}
    if kind.is_type(DType.MAP):
        raise UnsupportedError("from_json into maps is not supported", hint="Name the fields: 'a INT'.")
    return kind.sql(dialect="duckdb")


def _sha2(arguments: Arguments) -> exp.Expr:
    if bare(arguments[1]) not in (number(256), number(0)):
        raise UnsupportedError("sha2 with other than 256 bits is not supported", hint="Use 256.")
    return call("sha256", arguments[0])


def _sorted(arguments: Arguments) -> exp.Expr:
    is_down = len(arguments) > 1 and bare(arguments[1]) == exp.false()
    order = (text("DESC"), text("NULLS LAST")) if is_down else (text("ASC"), text("NULLS FIRST"))
    return call("list_sort", arguments[0], *order)


COLLECTING: Final = frozenset({"collect_list", "collect_set"})
"""Aggregates that leave out NULLs by a clause of their own."""

BUILDERS: Final[Mapping[str, Builder]] = {
    "aggregate": _aggregated,
    "array_distinct": filled("LIST_DISTINCT(x)"),
    "array_join": lambda arguments: call("array_to_string", *arguments[:2]),
    "array_max": filled("LIST_MAX(x)"),
    "array_min": filled("LIST_MIN(x)"),
    "collect_list": lambda arguments: _collected(arguments[0], distinct=False),
    "collect_set": lambda arguments: _collected(arguments[0], distinct=True),
    "count_if": filled("COUNT(CASE WHEN x THEN 1 END)"),
    "element_at": lambda arguments: call("list_extract", arguments[0], arguments[1]),
    "from_json": _from_json,
    "get_json_object": filled("CASE WHEN JSON_VALID(x) THEN JSON_EXTRACT_STRING(x, y) END"),
    "isnotnull": filled("(x IS NOT NULL)"),
    "isnull": filled("(x IS NULL)"),
    "map": _map,
    "map_keys": lambda arguments: call("map_keys", *arguments),
    "map_values": lambda arguments: call("map_values", *arguments),
    "named_struct": _named,
    "nvl2": filled("CASE WHEN x IS NOT NULL THEN y ELSE z END"),
    "percentile": filled("QUANTILE_CONT(x, y)"),
    "percentile_approx": filled("QUANTILE_DISC(x, y)"),
    "regexp_extract": _extracted,
    "sha2": _sha2,
    "size": filled("CAST(LEN(x) AS INT)"),
    "sort_array": _sorted,
    "split": _split,
}
