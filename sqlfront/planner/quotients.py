"""Quotients of sums have decimals: a sum is ``numeric``, as in PostgreSQL, and no whole number.

DuckDB adds whole numbers up to whole numbers, so that ``SUM(orders) / SUM(visits)`` would leave the rest out.
Sums of what shows that it is a 4-byte number, such as ``SUM(CASE WHEN … THEN 1 ELSE 0 END)``, are ``bigint``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlglot import exp

from sqlfront.functions import is_short
from sqlfront.trees import bare

_AROUND: Final = (exp.Window, exp.Filter, exp.Neg, exp.Coalesce, exp.Nullif, exp.Abs)
_CALCULATED: Final = (exp.Add, exp.Sub, exp.Mul)


def with_decimals(tree: exp.Expr) -> exp.Expr:
    """Divide sums as binary numbers.

    >>> from sqlfront.dialect import parse
    >>> with_decimals(parse("select sum(a) / count(*), sum(1) / 2, a / b from t")[0].tree).sql("duckdb")
    'SELECT CAST(SUM(a) AS DOUBLE) / COUNT(*), SUM(1) / 2, a / b FROM t'
    """
    ctes = {cte.alias: cte.this for cte in tree.find_all(exp.CTE)}
    for quotient in list(tree.find_all(exp.Div)):
        if any(_is_sum(side, ctes) for side in (quotient.this, quotient.expression)):
            quotient.set("this", exp.cast(bare(quotient.this), "double precision"))
    return tree


def _is_sum(node: exp.Expr, ctes: dict[str, exp.Expr]) -> bool:
    node = bare(node)
    if isinstance(node, exp.Sum):
        return not is_short(node.this)
    if isinstance(node, exp.Column):
        return any(_is_sum(output, ctes) for output in _outputs(node, ctes))
    if isinstance(node, _CALCULATED):
        return _is_sum(node.this, ctes) or _is_sum(node.expression, ctes)
    return isinstance(node, _AROUND) and _is_sum(node.this, ctes)


def _outputs(column: exp.Column, ctes: dict[str, exp.Expr]) -> Iterator[exp.Expr]:
    """Yield what a column is in the sub-queries and CTEs that its SELECT reads."""
    select = column.find_ancestor(exp.Select)
    clause = select.args.get("from_") if select is not None else None
    if select is None or clause is None:
        return
    for item in (clause.this, *(join.this for join in select.args.get("joins") or ())):
        query = item.this if isinstance(item, exp.Subquery) else ctes.get(item.name)
        if not isinstance(query, exp.Select) or column.table not in ("", item.alias_or_name):
            continue
        for output in query.selects:
            if isinstance(output, exp.Alias) and output.alias == column.name:
                yield output.this
