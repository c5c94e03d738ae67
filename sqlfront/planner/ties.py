"""FETCH … WITH TIES: the limit's rows, and those that the order does not tell apart from the last of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from engine.errors import SyntaxProblem, UnsupportedError
from sqlfront.problems import GroupingError
from sqlfront.trees import bare, guarded


def has_ties(limit: exp.Expr | None) -> bool:
    """Tell whether a limit is FETCH … WITH TIES."""
    options = limit.args.get("limit_options") if isinstance(limit, exp.Fetch) else None
    return options is not None and bool(options.args.get("with_ties"))


def check_limit(query: exp.Query) -> None:
    """Pass a query whose limit PostgreSQL has as well.

    Raises:
        SyntaxProblem: it is a share of the rows, or keeps ties of an order that is not there.
    """
    limit = query.args.get("limit")
    options = limit.args.get("limit_options") if limit is not None else None
    if options is not None and options.args.get("percent"):
        raise SyntaxProblem('syntax error at or near "PERCENT"', hint="Limit by a number of rows.")
    if has_ties(limit) and query.args.get("order") is None:
        raise SyntaxProblem(
            "WITH TIES cannot be specified without ORDER BY clause", hint="Add ORDER BY, or write ONLY."
        )


def ranked(select: exp.Select, order: Sequence[exp.Expr]) -> exp.Select:
    """Write a SELECT's FETCH … WITH TIES as a condition on ranks, in place; others stay as they are.

    Args:
        order: the SELECT's, over what it reads: neither places nor names of outputs.

    Raises:
        UnsupportedError: it is SELECT DISTINCT, whose rows are ranked before they are told apart.
    """
    limit, offset = select.args.get("limit"), select.args.get("offset")
    if limit is None or not has_ties(limit):
        return select
    if select.args.get("distinct") is not None:
        raise UnsupportedError(
            "FETCH … WITH TIES of SELECT DISTINCT is not supported", hint="Use GROUP BY for DISTINCT."
        )
    wanted: exp.Expr = guarded((limit.args.get("count") or exp.Literal.number(1)).copy())
    last = wanted if offset is None else exp.Add(this=wanted, expression=guarded(offset.expression.copy()))
    some = exp.GT(this=wanted.copy(), expression=exp.Literal.number(0))
    rank = exp.Window(
        this=exp.Anonymous(this="rank"), order=exp.Order(expressions=[part.copy() for part in order])
    )
    kept = exp.And(this=exp.LTE(this=rank, expression=exp.paren(last, copy=False)), expression=some)
    select.set("qualify", exp.Qualify(this=kept))
    select.set("limit", None)
    return select


def by_outputs(order: exp.Expr | None, outputs: Sequence[exp.Expr], names: Sequence[str]) -> list[exp.Expr]:
    """Return an ORDER BY over what a SELECT reads: places and names of outputs stand for these."""
    by_name = {name.lower(): output for name, output in zip(reversed(names), reversed(outputs), strict=True)}
    return [_over_sources(part, outputs, by_name) for part in (order.expressions if order else ())]


def _over_sources(
    ordered: exp.Expr, outputs: Sequence[exp.Expr], by_name: Mapping[str, exp.Expr]
) -> exp.Expr:
    inner, found = bare(ordered.this), None
    if isinstance(inner, exp.Column) and not inner.table:
        found = by_name.get(inner.name.lower())
    elif isinstance(inner, exp.Literal) and not inner.is_string and inner.name.isdigit():
        if not 1 <= int(inner.name) <= len(outputs):
            raise GroupingError(f"ORDER BY position {inner.name} is not in select list")
        found = outputs[int(inner.name) - 1]
    whole = ordered.copy()
    whole.set("this", guarded((inner if found is None else found).copy()))
    return whole
