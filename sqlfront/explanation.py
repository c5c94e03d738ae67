"""EXPLAIN: how each term was read, what each report asks and does, and what DuckDB does with the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.dataview.local_time import to_local
from engine.report import explain
from engine.report.request import ReportRequest, TimeRange
from sqlfront.execution import Execution, Planned
from sqlfront.planner.relations import Report
from sqlfront.trees import render

_READINGS: Mapping[str, str] = {
    "range": "the report's range",
    "constants": "a constant",
    "saved": "a saved segment, like a segment of the data view",
    "segment": "an event segment: after persistence, before attribution",
    "filters": "a filter on the result's rows",
}


def explanation(
    planned: Planned, values: Sequence[object], execution: Execution, *, run: bool = False
) -> list[str]:
    """Return the lines of EXPLAIN, or with ``run`` of EXPLAIN ANALYZE: what each step of the reports took.

    Reports that only feed sub-queries of other reports do run, as their values are part of the plan.
    """
    lines: list[str] = []
    given = list(values) or [None] * len(planned.parameters)
    execution.run_calls(planned, given)
    reports = execution.reports(planned, given)
    for table, report in reports.items():
        asked = execution.request_after(table, reports, planned)
        lines += [
            f'{table}: data view "{report.view_name}"',
            *(f"  {line}" for line in _report(report, asked)),
        ]
        if asked is not None:
            trace = execution.traced(asked) if run else None
            lines += [f"  {line}" for line in explain(asked, execution.world, trace)]
    return [*lines, "Rest of the statement:", f"  {render(planned.plan.query)}"]


def _report(report: Report, asked: ReportRequest | None) -> Iterator[str]:
    for reading in report.readings:
        yield f"term {reading.term}: {_READINGS[reading.reading]}"
    if asked is None:
        yield "empty: a constant condition does not hold, or the range is empty; nothing runs"
        return
    if report.row_level:
        yield "single events, one row each"
    for dimension in asked.dimensions:
        yield f"group {dimension.name}: {dimension.expression.sql('postgres')}"
    for metric in asked.metrics:
        where = f" where {metric.condition.sql('postgres')}" if metric.condition is not None else ""
        yield f"metric {metric.name}: {metric.aggregate} of {metric.expression.sql('postgres')}{where}"
    yield f"range: {_range(asked.range, report.view.definition.time_zone)}"
    if asked.segment is not None:
        yield f"segment: {asked.segment.sql('postgres')}"
    for lookup in asked.lookups:
        kind = "events without a match stay" if lookup.outer else "events without a match are left out"
        yield f"lookup {lookup.alias} on {lookup.on.sql('postgres')}: {kind}"


def _range(window: TimeRange, zone: str) -> str:
    if window == TimeRange():
        return "all time"
    start = "the beginning" if window.start is None else str(to_local(window.start, zone))
    end = "the end" if window.end is None else str(to_local(window.end, zone))
    return f"{start} up to {end}, not included ({zone})"
