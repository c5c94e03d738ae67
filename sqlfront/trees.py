"""Small tools over sqlglot trees that every rewrite shares: walk, replace, compare, split."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, cast

from sqlglot import ErrorLevel, exp

Kind = TypeVar("Kind")

ATOMS = (
    exp.Column,
    exp.Literal,
    exp.Paren,
    exp.Cast,
    exp.Case,
    exp.Null,
    exp.Boolean,
    exp.Subquery,
    exp.Parameter,
    exp.Tuple,
    exp.Star,
)
"""Expressions that need no parentheses wherever they stand."""


def rewrite(
    node: exp.Expr,
    change: Callable[[exp.Expr], exp.Expr | None],
    *,
    into_queries: bool = False,
) -> exp.Expr:
    """Replace nodes top-down, in place; what was put in is not visited again.

    Args:
        node: the tree, which is changed.
        change: returns the replacement of a node, or None to go on with its children.
        into_queries: visit nested queries as well.
    """
    changed = change(node)
    if changed is not None:
        return changed
    if not into_queries and is_query(node):
        return node
    for name, value in list(node.args.items()):
        new = _rewritten(value, change, into_queries)
        if new is not value:
            node.set(name, new)
    return node


def _rewritten(value: object, change: Callable[[exp.Expr], exp.Expr | None], into_queries: bool) -> object:
    """Rewrite what a node holds: an expression or a list of them; the same object if nothing changed."""
    if isinstance(value, exp.Expr):
        return rewrite(value, change, into_queries=into_queries)
    if not isinstance(value, list):
        return value
    items = [_rewritten(item, change, into_queries) for item in value]
    return value if all(map(operator.is_, items, value)) else items


def replaced(node: exp.Expr, change: Callable[[exp.Expr], exp.Expr | None]) -> exp.Expr:
    """Return a copy with nodes replaced top-down; nested queries are left alone."""
    return rewrite(node.copy(), change)


def is_query(node: exp.Expr) -> bool:
    """Tell whether a node is a question of its own: SELECT, UNION, VALUES or one in parentheses."""
    return isinstance(node, (exp.Query, exp.Values))


def own(node: exp.Expr) -> Iterator[exp.Expr]:
    """Walk a tree without its nested queries (they are visited, what is inside them is not)."""
    return node.walk(prune=is_query)


def columns(node: exp.Expr) -> Iterator[exp.Column]:
    """Return the columns of an expression, nested queries excepted."""
    return (found for found in own(node) if isinstance(found, exp.Column))


def queries(node: exp.Expr) -> Iterator[exp.Expr]:
    """Return the nested queries of an expression."""
    return (found for found in own(node) if is_query(found))


def bare(node: exp.Expr) -> exp.Expr:
    """Take off parentheses around an expression."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def guarded(node: exp.Expr) -> exp.Expr:
    """Put parentheses around an expression where it would otherwise read differently inside another."""
    if isinstance(node, ATOMS) or (
        isinstance(node, exp.Func) and not isinstance(node, (exp.Connector, exp.Binary))
    ):
        return node
    return exp.Paren(this=node)


def same(left: exp.Expr, right: exp.Expr) -> bool:
    """Compare two expressions; parentheses make no difference."""
    return key(left) == key(right)


def key(node: exp.Expr) -> exp.Expr:
    """Return an expression to compare and hash by: the node itself, or a copy without parentheses."""
    if node.find(exp.Paren) is None:
        return node
    return rewrite(node.copy(), _unwrapped, into_queries=True)


def _unwrapped(node: exp.Expr) -> exp.Expr | None:
    return rewrite(bare(node), _unwrapped, into_queries=True) if isinstance(node, exp.Paren) else None


def conjuncts(condition: exp.Expr | None) -> tuple[exp.Expr, ...]:
    """Split a condition into its top-level AND terms, in order."""
    if condition is None:
        return ()
    condition = bare(condition)
    if isinstance(condition, exp.And):
        return conjuncts(condition.this) + conjuncts(condition.expression)
    return (condition,)


def conjoin(terms: Iterable[exp.Expr]) -> exp.Expr | None:
    """Join terms with AND; None if there are none."""
    whole: exp.Expr | None = None
    for term in terms:
        part = exp.Paren(this=term.copy()) if isinstance(term, exp.Or) else term.copy()
        whole = part if whole is None else exp.And(this=whole, expression=part)
    return whole


def column(name: str, table: str | None = None) -> exp.Column:
    """Return a quoted column."""
    return exp.column(name, table=table, quoted=True)


def over_columns(
    query: exp.Expr, kinds: Sequence[Kind], change: Callable[[exp.Expr, Kind], exp.Expr]
) -> exp.Expr:
    """Return a query over another one, whose columns are what is put for those of the other, by their places.

    Args:
        kinds: what ``change`` is told of each column.
        change: returns what is put for a column.

    >>> from sqlglot import parse_one
    >>> render(over_columns(parse_one("SELECT 1"), ["TEXT"], exp.cast))
    'SELECT CAST("_"."c0" AS TEXT) AS "c0" FROM (SELECT 1) AS "_"("c0")'
    """
    names = [f"c{at}" for at in range(len(kinds))]
    alias = exp.TableAlias(
        this=exp.to_identifier("_", quoted=True),
        columns=[exp.to_identifier(name, quoted=True) for name in names],
    )
    outputs = [
        exp.alias_(change(column(name, "_"), kind), name, quoted=True)
        for name, kind in zip(names, kinds, strict=True)
    ]
    inner = query.copy() if isinstance(query, exp.Subquery) else exp.Subquery(this=query.copy())
    inner.set("alias", alias)
    return exp.select(*outputs).from_(inner)


def expression(node: exp.Expr) -> exp.Expression:
    """Return a node under the type that the report's contract uses."""
    return cast(exp.Expression, node)


def render(node: exp.Expr) -> str:
    """Return the node as DuckDB SQL, written as it stands.

    The parser's library warns of differences between dialects, such as the zone in which EXTRACT reads an
    instant; trees say what they mean in DuckDB before they come here, and no log need hear of that.
    """
    return str(node.sql(dialect="duckdb", unsupported_level=ErrorLevel.IGNORE))
