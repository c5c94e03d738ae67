"""SQL over data views to report requests: what each view must report, and the rest of the statement."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from sqlfront.planner.compat import with_defaults
from sqlfront.planner.context import Planning
from sqlfront.planner.query import Around, resolve, rows_of
from sqlfront.planner.relations import Plan, Rows
from sqlfront.planner.rewrites import prepared
from sqlfront.safety import check
from sqlfront.sight import Sight

__all__ = ["Plan", "plan"]


def plan(
    tree: exp.Expr,
    sight: Sight,
    *,
    names_of: Callable[[exp.Expr, Planning], tuple[str, ...]],
    is_unique: Callable[[Rows, tuple[str, ...]], bool],
    compat: bool = False,
) -> Plan:
    """Plan a parsed question.

    Args:
        sight: the world as whoever asks may see it.
        names_of: returns a query's column names, asking DuckDB.
        is_unique: tells whether a query's rows differ on the given columns, by reading it.
        compat: ranges, orders and limits that the statement leaves open are those of the reference service.

    Raises:
        WaylineError: the question is not allowed, reads what was not granted, names something unknown, or
            has no meaning.
    """
    check(tree)
    planning = Planning(sight, names_of, is_unique, compat)
    whole = prepared(tree)
    if compat:
        whole = with_defaults(whole, lambda name: planning.view(name) is not None)
    rows = rows_of(resolve(whole, Around(), planning, is_top=True), planning)
    return Plan(rows.query, rows.names, planning.reports, planning.calls)
