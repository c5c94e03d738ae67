"""PostgreSQL's functions of arrays, and its literals of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.functions.bounds import series_end
from sqlfront.functions.constants import elements
from sqlfront.functions.templates import Arguments, Builder, call, fill, filled


def array(literal: str) -> exp.Array:
    """Return an array for its text; the elements are texts that are read by their context."""
    return exp.Array(
        expressions=[exp.null() if item is None else exp.Literal.string(item) for item in elements(literal)]
    )


def _from_text(arguments: Arguments) -> exp.Expr:
    """Return ``string_to_array(text, delimiter [, text that stands for NULL])``."""
    subject, delimiter = arguments[:2]
    split = fill(
        "CASE WHEN x = '' THEN CAST([] AS TEXT[]) ELSE STRING_SPLIT(x, y) END", x=subject, y=delimiter
    )
    if isinstance(delimiter, exp.Null):
        split = fill("STRING_SPLIT(x, '')", x=subject)
    if len(arguments) == 2:
        return split
    item = exp.to_identifier("item")
    nulled = exp.Lambda(
        this=exp.Nullif(this=exp.to_identifier("item"), expression=arguments[2]), expressions=[item]
    )
    return call("list_transform", split, nulled)


def _length(arguments: Arguments) -> exp.Expr:
    if len(arguments) > 1 and arguments[1] != exp.Literal.number(1):
        raise UnsupportedError("only the first dimension of an array has a length here", hint="Use 1.")
    return fill("CAST(NULLIF(LEN(x), 0) AS INT)", x=arguments[0])


def _lower(arguments: Arguments) -> exp.Expr:
    return fill("CASE WHEN LEN(x) > 0 THEN 1 END", x=arguments[0])


def _filtered(arguments: Arguments) -> exp.Expr:
    item = exp.to_identifier("item")
    differs = exp.NullSafeNEQ(this=exp.to_identifier("item"), expression=arguments[1])
    return call("list_filter", arguments[0], exp.Lambda(this=differs, expressions=[item]))


def _exchanged(arguments: Arguments) -> exp.Expr:
    item = exp.to_identifier("item")
    same = exp.NullSafeEQ(this=exp.to_identifier("item"), expression=arguments[1])
    chosen = exp.Case(ifs=[exp.If(this=same, true=arguments[2])], default=exp.to_identifier("item"))
    return call("list_transform", arguments[0], exp.Lambda(this=chosen, expressions=[item]))


def _to_text(arguments: Arguments) -> exp.Expr:
    """Return ``array_to_string(array, delimiter [, text for NULL])``; NULLs are left out without it."""
    values = arguments[0]
    if len(arguments) > 2:
        item = exp.to_identifier("item")
        as_text = exp.cast(exp.to_identifier("item"), "text", dialect="duckdb")
        filled = exp.Coalesce(this=as_text, expressions=[arguments[2]])
        values = call("list_transform", values, exp.Lambda(this=filled, expressions=[item]))
    return call("array_to_string", values, arguments[1])


def series(node: exp.Expr) -> exp.Expr:
    """Return ``generate_series(…)`` among the outputs, a row for each value."""
    start, end, step = node.args["start"], node.args["end"], node.args.get("step")
    steps = () if step is None else (step,)
    return exp.Explode(this=call("generate_series", start, series_end(start, end, step), *steps))


BUILDERS: Final[Mapping[str, Builder]] = {
    "string_to_array": _from_text,
    "string_to_table": lambda arguments: exp.Explode(this=_from_text(arguments)),
    "array_to_string": _to_text,
    "array_length": _length,
    "array_upper": _length,
    "array_lower": _lower,
    "array_remove": _filtered,
    "array_replace": _exchanged,
    "array_prepend": filled("LIST_PREPEND(x, y)"),
    "cardinality": filled("CAST(LEN(x) AS INT)"),
}
