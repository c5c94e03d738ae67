"""Single events of a view as rows that DuckDB reads: a row-level report of just the columns needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from engine.dataview.components import EVENTS, DataView, Role
from engine.report.request import Aggregate, DimensionColumn, MetricColumn
from sqlfront.planner.context import Planning
from sqlfront.planner.relations import Report
from sqlfront.planner.terms import LISTED
from sqlfront.trees import column, columns, expression, replaced


@dataclass(frozen=True)
class EventRows:
    """A row-level report's table, and how expressions over components read it."""

    table: exp.Expr
    alias: str
    names: Mapping[exp.Expr, str]

    def over(self, node: exp.Expr) -> exp.Expr:
        """Return an expression over components as one over the table."""

        def change(part: exp.Expr) -> exp.Expr | None:
            if not isinstance(part, exp.Column):
                return None
            if part in self.names:
                return column(self.names[part], self.alias)
            return exp.cast(exp.null(), "text")

        return replaced(node, change)


def event_rows(report: Report, needed: Iterable[exp.Expr], planning: Planning) -> EventRows:
    """Ask for the columns that expressions read, one row per event.

    Args:
        report: the view with range, segment and lookups; its dimensions and metrics are replaced.
    """
    leaves = dict.fromkeys(leaf.copy() for node in needed for leaf in columns(node))
    names: dict[exp.Expr, str] = {}
    dimensions: list[DimensionColumn] = []
    metrics: list[MetricColumn] = []
    for leaf in leaves:
        if leaf.table:
            names[leaf] = f"{leaf.table}.{leaf.name}"
            dimensions.append(DimensionColumn(names[leaf], leaf))
        elif leaf.name not in LISTED:
            names[leaf] = leaf.name
            if _is_metric(leaf, report.view):
                metrics.append(MetricColumn(leaf.name, Aggregate.VALUE, leaf))
            else:
                dimensions.append(DimensionColumn(leaf.name, leaf))
    if not names:
        metrics.append(MetricColumn(EVENTS, Aggregate.VALUE, expression(column(EVENTS))))
    whole = replace(report, dimensions=tuple(dimensions), metrics=tuple(metrics), row_level=True)
    table, alias = planning.ask(whole), "event"
    named = exp.Table(
        this=exp.to_identifier(table, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
    )
    return EventRows(named, alias, names)


def _is_metric(leaf: exp.Column, view: DataView) -> bool:
    return view.component(leaf.name).role is Role.METRIC
