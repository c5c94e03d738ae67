"""Names of unaliased outputs, as PostgreSQL gives them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlglot import exp

from sqlfront.functions import called

UNNAMED: Final = "?column?"

_SYNTAX: Final[tuple[tuple[type[exp.Expr], str], ...]] = (
    (exp.Extract, "extract"),
    (exp.Coalesce, "coalesce"),
    (exp.Exists, "exists"),
    (exp.Array, "array"),
    (exp.Substring, "substring"),
    (exp.StrPosition, "position"),
    (exp.Overlay, "overlay"),
    (exp.AtTimeZone, "timezone"),
    (exp.CurrentDate, "current_date"),
    (exp.CurrentTimestamp, "current_timestamp"),
    (exp.CurrentTime, "current_time"),
    (exp.CurrentUser, "current_user"),
    (exp.SessionUser, "session_user"),
    (exp.CurrentCatalog, "current_catalog"),
    (exp.Localtimestamp, "localtimestamp"),
    (exp.Localtime, "localtime"),
    (exp.Tuple, "row"),
    (exp.GroupConcat, "string_agg"),
    (exp.ArrayOverlaps, "overlaps"),
    (exp.ArgMax, "arg_max"),
    (exp.ArgMin, "arg_min"),
    (exp.Ceil, "ceil"),
    (exp.Chr, "chr"),
    (exp.Floor, "floor"),
    (exp.Initcap, "initcap"),
)
_TYPES: Final = {
    "INT": "int4",
    "BIGINT": "int8",
    "SMALLINT": "int2",
    "DOUBLE": "float8",
    "FLOAT": "float4",
    "DECIMAL": "numeric",
    "BOOLEAN": "bool",
    "TIMESTAMPTZ": "timestamptz",
    "CHAR": "bpchar",
    "VARBINARY": "bytea",
}
_TRIMS: Final = {"LEADING": "ltrim", "TRAILING": "rtrim"}


def output_name(node: exp.Expr) -> str:
    """Return the name of an unaliased output.

    >>> from sqlfront.dialect import parse
    >>> [output_name(o) for o in parse("select count(*), a.b, 1 + 1, b::text, '1'::int")[0].tree.selects]
    ['count', 'b', '?column?', 'b', 'int4']
    """
    return _name(node)[0]


def told_apart(names: Iterable[str]) -> tuple[str, ...]:
    """Give names that repeat earlier ones, in any case, a number.

    >>> told_apart(["day", "sum", "Sum", "sum_1"])
    ('day', 'sum', 'Sum_1', 'sum_1_1')
    """
    found: dict[str, str] = {}
    for name in names:
        number, free = 0, name
        while free.lower() in found:
            number += 1
            free = f"{name}_{number}"
        found[free.lower()] = free
    return tuple(found.values())


def _name(node: exp.Expr) -> tuple[str, bool]:
    """Return a name, and whether it is more than the name of a type or of CASE."""
    if isinstance(node, exp.Column):
        return node.name, True
    if isinstance(node, exp.Dot):
        return (output_name(node.expression) if node.expression.args else node.name), True
    if isinstance(
        node, (exp.Aliases, exp.Paren, exp.Window, exp.Filter, exp.WithinGroup, exp.Bracket, exp.Collate)
    ):
        return _name(node.this)
    if isinstance(node, (exp.Identifier, exp.Alias)):
        return node.alias_or_name, True
    if isinstance(node, (exp.Cast, exp.TryCast)):
        return _of_cast(node)
    if isinstance(node, exp.Case):
        return _of_case(node)
    if isinstance(node, exp.Subquery):
        return _of_query(node)
    return _of_function(node)


def _of_cast(node: exp.Expr) -> tuple[str, bool]:
    name, strong = _name(node.this)
    if strong:
        return name, True
    target = node.args["to"]
    written = (target.expressions[0] if target.is_type("array") and target.expressions else target).this
    word = getattr(written, "name", str(written))
    return _TYPES.get(word, word.lower()), False


def _of_case(node: exp.Case) -> tuple[str, bool]:
    default = node.args.get("default")
    name, strong = _name(default) if default is not None else ("case", False)
    return (name, True) if strong else ("case", False)


def _of_query(node: exp.Subquery) -> tuple[str, bool]:
    inner = node.unnest()
    first = inner.selects[0] if isinstance(inner, exp.Query) and inner.selects else None
    return (UNNAMED, False) if first is None else (_name(first)[0], True)


def _of_function(node: exp.Expr) -> tuple[str, bool]:
    name = called(node)
    if name is not None:
        return name, True
    if isinstance(node, exp.Trim):
        return _TRIMS.get(node.text("position").upper(), "btrim"), True
    if isinstance(node, exp.ArrayOverlaps) and not isinstance(node.this, exp.Tuple):
        return UNNAMED, False
    if isinstance(node, exp.Interval):
        return "interval", False
    for kind, known in _SYNTAX:
        if isinstance(node, kind):
            return known, True
    return UNNAMED, False
