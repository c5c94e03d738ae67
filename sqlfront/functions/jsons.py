"""PostgreSQL's functions and operators of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions.constants import elements
from sqlfront.functions.templates import Arguments, Builder, call, constant, fill, filled, text


def path(value: exp.Expr, steps: exp.Expr, as_text: bool) -> exp.Expr:
    """Return ``value #> '{a,0}'``, as text for ``#>>``."""
    written = elements(constant(steps, "#>"))
    return _walked(value, [step or "" for step in written], as_text)


def _walked(value: exp.Expr, steps: Sequence[str], as_text: bool) -> exp.Expr:
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return call("json_extract_string" if as_text else "json_extract", value, text(pointer))


def _extract_path(as_text: bool) -> Builder:
    def builder(arguments: Arguments) -> exp.Expr:
        return _walked(arguments[0], [constant(step, "json_extract_path") for step in arguments[1:]], as_text)

    return builder


def _row(arguments: Arguments) -> exp.Expr:
    value = arguments[0]
    if not isinstance(value, (exp.Tuple, exp.Anonymous)):
        raise UnsupportedError(
            "row_to_json of a table's row is not supported", hint="Use json_build_object()."
        )
    named: list[exp.Expr] = []
    for at, part in enumerate(value.expressions):
        named += [text(f"f{at + 1}"), part]
    return call("json_object", *named)


_TYPE_OF: Final = (
    "CASE JSON_TYPE(x) WHEN 'VARCHAR' THEN 'string' WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'object'"
    " WHEN 'BOOLEAN' THEN 'boolean' WHEN 'NULL' THEN 'null' ELSE LEFT(JSON_TYPE(x), 0) || 'number' END"
)
_PAIR: Final = "TO_JSON(CAST(k AS TEXT)) || ':' || COALESCE(CAST(TO_JSON(v) AS TEXT), 'null')"


def in_order(values: exp.Expr) -> exp.Expr:
    """Return the argument of an aggregate; ``DISTINCT x`` without an order gets that of its values."""
    if not isinstance(values, exp.Distinct) or len(values.expressions) != 1:
        return values
    ordered = exp.Ordered(this=values.expressions[0].copy(), nulls_first=False)
    return exp.Order(this=values, expressions=[ordered])


def array_of(arguments: Arguments) -> tuple[exp.Expr, str]:
    """Return the aggregate under ``json_agg(value ORDER BY …)``, and a template around it, ``x``."""
    return call("list", *map(in_order, arguments)), "TO_JSON(x)"


def object_of(arguments: Arguments) -> tuple[exp.Expr, str]:
    """Return the aggregate under ``json_object_agg(key, value ORDER BY …)``, and a template around it."""
    key, value = arguments
    comma = text(",")
    if isinstance(value, exp.Order):
        comma, value = exp.Order(this=comma, expressions=value.expressions), value.this
    pairs = call("string_agg", fill(_PAIR, k=key, v=value), comma)
    return pairs, "CAST('{' || x || '}' AS JSON)"


AGGREGATES: Final = {
    f"{kind}_{name}": builder
    for kind in ("json", "jsonb")
    for name, builder in (("agg", array_of), ("object_agg", object_of))
}
"""Aggregates that consist of one of DuckDB's, which takes OVER and FILTER, and something around it."""

BUILDERS: Final[Mapping[str, Builder]] = {
    **{
        f"{kind}_{name}": builder
        for kind in ("json", "jsonb")
        for name, builder in (
            ("build_object", lambda arguments: call("json_object", *arguments)),
            ("build_array", lambda arguments: call("json_array", *arguments)),
            ("array_length", filled("CAST(JSON_ARRAY_LENGTH(x) AS INT)")),
            ("extract_path", _extract_path(False)),
            ("extract_path_text", _extract_path(True)),
            ("typeof", filled(_TYPE_OF)),
        )
    },
    "row_to_json": _row,
    "array_to_json": lambda arguments: call("to_json", *arguments),
    "to_jsonb": lambda arguments: call("to_json", *arguments),
}
