"""Joins in parentheses, ``FROM (a JOIN b ON …) JOIN c ON …``, written without them where that is the same."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from engine.errors import UnsupportedError
from sqlfront.trees import guarded


def opened_joins(tree: exp.Expr) -> exp.Expr:
    """Lay joins in parentheses open; with an alias of their own they become sub-queries.

    >>> from sqlfront.dialect import parse
    >>> opened_joins(parse("select 1 from (a join b on x = y) c")[0].tree).sql("duckdb")
    'SELECT 1 FROM (SELECT * FROM a JOIN b ON x = y) AS c'
    >>> opened_joins(parse("select 1 from a join (b left join c on x = y) on v = w")[0].tree).sql("duckdb")
    'SELECT 1 FROM a CROSS JOIN b LEFT JOIN c ON x = y WHERE (v = w)'

    Raises:
        UnsupportedError: an outer join may leave out what is in them, or columns are joined by USING.
    """
    for group in [found for found in tree.find_all(exp.Subquery) if _is_group(found) and found.alias]:
        inner = exp.select(exp.Star()).from_(_first(group))
        inner.set("joins", _joins(group))
        group.set("this", inner)
        group.set("joins", None)
    for select in tree.find_all(exp.Select):
        _open(select)
    return tree


def _is_group(node: exp.Expr) -> bool:
    """Tell whether a node is parentheses around items of FROM."""
    inner = node.this if isinstance(node, exp.Subquery) else None
    if isinstance(inner, exp.Subquery):
        return _is_group(inner) or bool(inner.alias)
    return isinstance(inner, exp.Table)


def _first(group: exp.Expr) -> exp.Expr:
    first: exp.Expr = group.this.copy()
    first.set("joins", None)
    return first


def _joins(group: exp.Expr) -> list[exp.Join]:
    """The joins inside of parentheses, and those that the parser hung behind them."""
    inside = group.this.args.get("joins") or []
    behind = group.args.get("joins") or []
    return [join.copy() for join in (*inside, *behind)]


def _open(select: exp.Select) -> None:
    clause = select.args.get("from_")
    while clause is not None and _is_group(clause.this) and not clause.this.alias:
        group = clause.this
        select.set("joins", [*_joins(group), *(select.args.get("joins") or [])])
        clause.set("this", _first(group))
    joins: Sequence[exp.Join] = select.args.get("joins") or []
    while any(_is_group(join.this) and not join.this.alias for join in joins):
        place = next(at for at, join in enumerate(joins) if _is_group(join.this) and not join.this.alias)
        joins = _opened(joins, place, select)
        select.set("joins", joins)


def _opened(joins: Sequence[exp.Join], place: int, select: exp.Select) -> list[exp.Join]:
    """Put the members of parentheses in the place of a join with them; its condition goes to WHERE."""
    join = joins[place]
    members = _joins(join.this)
    alone = exp.Join(this=_first(join.this), kind="CROSS")
    if not members:
        join.set("this", alone.this)
        return list(joins)
    may_lack = [part.side.upper() for part in (*members, *joins[place + 1 :])]
    plain = not any(part.method or part.args.get("using") for part in (join, *members))
    if (
        join.side
        or join.kind.upper() not in ("", "INNER", "CROSS")
        or not plain
        or {"RIGHT", "FULL"} & {*may_lack}
    ):
        raise UnsupportedError(
            "joins in parentheses without a name are not supported in an outer join, nor with USING",
            hint="Make them a sub-query with a name: (SELECT … FROM a JOIN b ON …) AS t.",
        )
    if join.args.get("on") is not None:
        select.where(guarded(join.args["on"].copy()), copy=False)
    return [*joins[:place], alone, *members, *joins[place + 1 :]]
