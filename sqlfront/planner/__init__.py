"""SQL over data views to report requests: what each view must report, and the rest of the statement."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from sqlglot import exp

from engine.definitions.model import Definitions
from sqlfront.functions import as_written
from sqlfront.planner.context import Planning
from sqlfront.planner.folding import mapped
from sqlfront.planner.query import Around, resolve, rows_of
from sqlfront.planner.relations import Plan, Report, Rows
from sqlfront.planner.rewrites import prepared
from sqlfront.safety import check

__all__ = ["Plan", "plan"]


def plan(
    tree: exp.Expr,
    definitions: Definitions,
    *,
    names_of: Callable[[exp.Expr, Planning], tuple[str, ...]],
    is_unique: Callable[[Rows, tuple[str, ...]], bool],
) -> Plan:
    """Plan a parsed question.

    Args:
        names_of: returns a query's column names, asking DuckDB.
        is_unique: tells whether a query's rows differ on the given columns, by reading it.

    Raises:
        WaylineError: the question is not allowed, names something unknown, or has no meaning.
    """
    check(tree)
    planning = Planning(definitions, names_of, is_unique)
    rows = rows_of(resolve(prepared(tree), Around(), planning, is_top=True), planning)
    reports = {table: _as_written(report) for table, report in planning.reports.items()}
    return Plan(as_written(rows.query), rows.names, reports, planning.calls)


def _as_written(report: Report) -> Report:
    """Return a report whose texts are PostgreSQL's."""

    def type_of(column: exp.Column) -> pa.DataType | None:
        return None if column.table else report.view.component(column.name).type

    return mapped(report, lambda node: as_written(node, type_of))
