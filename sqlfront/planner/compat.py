"""What ``wayline.compat`` gives a statement that does not say it itself: a range, an order, a limit.

Tools made for the reference service rely on these; everybody else gets what they ask for and no less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sqlglot import exp

from engine.dataview.components import DataView
from sqlfront.functions import now
from sqlfront.planner.block import aggregates
from sqlfront.planner.choices import RANGE_NAME
from sqlfront.planner.conditions import Conditions
from sqlfront.planner.relations import RangeTerm
from sqlfront.planner.timerange import CEILING, INSTANT, NEXT, periods_of
from sqlfront.planner.zones import local
from sqlfront.trees import columns

DAYS: Final = 30
"""Length of a range of which a question names the end, or nothing."""
ROWS: Final = 50
"""Rows of an answer without LIMIT."""


def whole_range(found: Conditions, view: DataView) -> tuple[RangeTerm, ...]:
    """Return the range of a question, with the ends that it leaves open.

    Only a start X: X to now; only an end X: the 30 days before X; neither: the last 30 days.
    """
    if any(choice.column == RANGE_NAME for choice in found.chosen):
        return found.range
    present = local(now(), view.definition.time_zone)
    ends = [term for term in found.range if not term.is_start]
    added = [] if ends else [RangeTerm(False, present, ((INSTANT, NEXT),))]
    if not any(term.is_start for term in found.range):
        steps = ends[0].steps if ends else ((INSTANT, CEILING),)
        times = [exp.cast(term.bound.copy(), "timestamp") for term in ends or added]
        last = exp.Least(this=times[0], expressions=times[1:]) if len(times) > 1 else times[0]
        ceilings = tuple((period, CEILING) for period, _ in steps)
        added.append(RangeTerm(True, _before(last, DAYS, "DAY"), ceilings))
    return (*found.range, *added)


def _before(moment: exp.Expr, number: int, unit: str) -> exp.Expr:
    step = exp.Interval(this=exp.Literal.string(str(number)), unit=exp.Var(this=unit))
    return exp.Sub(this=moment, expression=step)


def extreme(aggregate: exp.Expr, measured: exp.Expr, view: DataView) -> exp.Expr | None:
    """Return what MIN and MAX of time are: two years ago, and now; None for MIN and MAX of all else."""
    if periods_of(measured, view) is None:
        return None
    present = exp.cast(local(now(), view.definition.time_zone), "timestamp")
    return _before(present, 2, "YEAR") if isinstance(aggregate, exp.Min) else present


def with_defaults(tree: exp.Expr, is_view: Callable[[str], bool]) -> exp.Expr:
    """Return a statement over views with the order and the limit that it does not say itself.

    Args:
        tree: the statement, after the rewrites.
        is_view: tells whether a data view has a name.
    """
    query = tree
    while isinstance(query, exp.Subquery) and not any(
        query.args.get(n) for n in ("order", "limit", "offset")
    ):
        query = query.this
    if not any(is_view(table.name) for table in tree.find_all(exp.Table)) or not isinstance(query, exp.Query):
        return tree
    ctes = {cte.alias.lower(): cte.this for cte in tree.find_all(exp.CTE)}
    first = next((name for name, measured in _outputs(query, ctes) if measured), None)
    if first is not None and not query.args.get("order"):
        by = exp.Ordered(this=exp.column(first, quoted=True), desc=True, nulls_first=False)
        query.set("order", exp.Order(expressions=[by]))
    if not query.args.get("limit"):
        query.set("limit", exp.Limit(expression=exp.Literal.number(ROWS)))
    return tree


def _outputs(query: exp.Expr | None, ctes: Mapping[str, exp.Expr]) -> Iterator[tuple[str, bool]]:
    """Yield the outputs of a query, and whether each is measured: an aggregate, or made of one inside."""
    while isinstance(query, exp.Subquery):
        query = query.this
    if isinstance(query, exp.SetOperation):
        yield from _outputs(query.left, ctes)
    if not isinstance(query, exp.Select):
        return
    source = query.args.get("from_")
    items = [] if source is None else [source.this, *(join.this for join in query.args.get("joins") or ())]
    inside = {item.alias_or_name.lower(): dict(_outputs(_read(item, ctes), ctes)) for item in items}
    for output in query.expressions:
        if output.is_star:
            wanted = output.table.lower() if isinstance(output, exp.Column) else None
            yield from (
                pair for name, each in inside.items() if wanted in (None, name) for pair in each.items()
            )
        else:
            yield output.alias_or_name, aggregates(output.unalias()) or _is_measured(output, inside)


def _is_measured(output: exp.Expr, inside: Mapping[str, Mapping[str, bool]]) -> bool:
    return any(
        each.get(c.name, False)
        for c in columns(output.unalias())
        for name, each in inside.items()
        if c.table.lower() in ("", name)
    )


def _read(item: exp.Expr, ctes: Mapping[str, exp.Expr]) -> exp.Expr | None:
    return ctes.get(item.name.lower()) if isinstance(item, exp.Table) else item
