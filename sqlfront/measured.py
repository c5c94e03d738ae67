"""Which columns of an answer are measured, and which ones say what a row is about.

Read from the planned statement: what is added up, counted or asked of a sub-query is measured, wherever
in the nesting that happens; what is grouped by is not, nor is what comes from a table as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from sqlfront.functions import AGGREGATES, called
from sqlfront.planner.relations import Plan, Report
from sqlfront.trees import bare, is_query, own, same

Outputs = dict[str, bool]
"""Output column → whether it is measured, in order."""


def measured(plan: Plan) -> tuple[bool, ...] | None:
    """Return for each output column whether it is measured; None if the columns cannot be told from it."""
    found = _of_query(plan.query, plan.reports)
    return None if found is None else tuple(found)


def _of_query(query: exp.Expr, reports: Mapping[str, Report]) -> list[bool] | None:
    query = _unwrapped(query)
    if isinstance(query, exp.SetOperation):
        sides = [_of_query(side, reports) for side in (query.this, query.expression)]
        return _either(*sides)
    if not isinstance(query, exp.Select) or any(output.is_star for output in query.selects):
        return None
    sources = dict(_sources(query, reports))
    groups = _groups(query)
    return [
        not any(same(_value(output), group) for group in groups) and _is_measured(_value(output), sources)
        for output in query.selects
    ]


def _either(left: list[bool] | None, right: list[bool] | None) -> list[bool] | None:
    if left is None or right is None or len(left) != len(right):
        return None
    return [one or other for one, other in zip(left, right, strict=True)]


def _unwrapped(query: exp.Expr) -> exp.Expr:
    query = bare(query)
    return _unwrapped(query.this) if isinstance(query, exp.Subquery) else query


def _value(output: exp.Expr) -> exp.Expr:
    return output.this if isinstance(output, exp.Alias) else output


def _groups(query: exp.Select) -> list[exp.Expr]:
    """The expressions that a query groups by; numbers stand for outputs."""
    group = query.args.get("group")
    items = group.expressions if group is not None else []
    return [
        _value(query.selects[int(item.this) - 1])
        if isinstance(item, exp.Literal) and item.is_int
        else bare(item)
        for item in items
    ]


def _is_measured(value: exp.Expr, sources: Mapping[str, Outputs]) -> bool:
    for node in own(value):
        if is_query(node) or isinstance(node, exp.AggFunc | exp.Window) or called(node) in AGGREGATES:
            return True
        if isinstance(node, exp.Column) and _column_is_measured(node, sources):
            return True
    return False


def _column_is_measured(column: exp.Column, sources: Mapping[str, Outputs]) -> bool:
    if column.table:
        return sources.get(column.table, {}).get(column.name, False)
    return any(outputs.get(column.name, False) for outputs in sources.values())


def _sources(query: exp.Select, reports: Mapping[str, Report]) -> Iterator[tuple[str, Outputs]]:
    """Yield the tables and sub-queries that a query reads, by the names it has for them."""
    start = query.args.get("from_")
    joins = query.args.get("joins") or []
    for source in [*([start.this] if start is not None else []), *(join.this for join in joins)]:
        if isinstance(source, exp.Table) and source.name in reports:
            metrics = reports[source.name].metrics
            yield source.alias_or_name, {metric.name: True for metric in metrics}
        elif isinstance(source, exp.Subquery):
            yield source.alias_or_name, _outputs(source.this, reports)


def _outputs(query: exp.Expr, reports: Mapping[str, Report]) -> Outputs:
    inner, found = _unwrapped(query), _of_query(query, reports)
    if found is None or not isinstance(inner, exp.Query):
        return {}
    return dict(zip(inner.named_selects, found, strict=True))
