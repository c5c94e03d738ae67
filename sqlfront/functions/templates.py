"""Pieces of DuckDB's SQL with places for trees: what a function of PostgreSQL is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from sqlglot import exp, parse_one

from engine.errors import UnsupportedError
from sqlfront.trees import guarded, rewrite
from sqlfront.wire.types import NUMERIC

EXACT: Final = f"DECIMAL({NUMERIC.precision},{NUMERIC.scale})"
"""What ``numeric`` without a precision is kept as, as DuckDB spells it."""
Arguments = Sequence[exp.Expr]
Builder = Callable[[Arguments], exp.Expr]
"""Returns what a call of a function with some arguments is in DuckDB."""
NAME: Final = "name"
"""Key in a node's meta: the function that it was written as."""


def fill(template: str, **parts: exp.Expr) -> exp.Expr:
    """Return an expression in which columns of the template are replaced by trees.

    >>> from sqlglot import exp
    >>> fill("LOWER(x) || y", x=exp.column("a"), y=exp.column("b") + 1).sql("duckdb")
    'LOWER(a) || (b + 1)'
    """

    def change(node: exp.Expr) -> exp.Expr | None:
        if not isinstance(node, exp.Column) or node.table or node.name not in parts:
            return None
        return guarded(parts[node.name].copy())

    return rewrite(_read(template).copy(), change)


def filled(template: str) -> Builder:
    """Return a builder that puts a call's arguments for ``x``, ``y`` and ``z`` of a template, in this order.

    It raises IndexError if there are fewer than the template names; more are left out.
    """

    def build(arguments: Arguments) -> exp.Expr:
        named = {column.name for column in _read(template).find_all(exp.Column)}
        return fill(template, **{name: arguments[at] for at, name in enumerate("xyz") if name in named})

    return build


@lru_cache(maxsize=1024)
def _read(template: str) -> exp.Expr:
    tree = parse_one(template, read="duckdb")
    for node in tree.walk():
        node._meta = None
    return tree


def text(value: str) -> exp.Expr:
    """Return a text literal."""
    return exp.Literal.string(value)


def number(value: int) -> exp.Expr:
    """Return a whole number as a literal."""
    return exp.Literal.number(value)


def call(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Return a call of one of DuckDB's functions that the parser should not interpret."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def chained(pieces: list[exp.Expr]) -> exp.Expr:
    """Return texts one behind the other."""
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = exp.DPipe(this=whole, expression=piece)
    return exp.paren(whole, copy=False) if len(pieces) > 1 else whole


def constant(argument: exp.Expr, function: str) -> str:
    """Return the text of a constant argument.

    Raises:
        UnsupportedError: it is not one.
    """
    if isinstance(argument, exp.Cast):
        argument = argument.this
    if isinstance(argument, exp.Literal) and argument.is_string:
        return str(argument.this)
    raise UnsupportedError(
        f"{function} with a pattern that is not a constant text", hint="Write the pattern in quotes."
    )
