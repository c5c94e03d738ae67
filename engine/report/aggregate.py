"""The statements that turn the rows of a lane into partial results, and partial results into the answer.

A partial result has one column per dimension and metric of the request. Chunks share no person, so sums
and distinct counts of persons and sessions add up; minima and maxima merge as such.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from engine.dataview.components import EVENTS, SESSION_STARTS, DataView
from engine.dataview.standard import SESSION_ENDS, TIME_SPENT
from engine.report.columns import INDEXES, ROW_INDEX, component_ids, quoted
from engine.report.elements import ROWS, joined, over_rows
from engine.report.once import counts_once
from engine.report.plan import Kind, Lane, ReportPlan, is_component
from engine.report.request import Aggregate, MetricColumn
from engine.types import sql_type

PARTIALS = "partials"
VALUE = "_value"
_ZERO_WHEN_ABSENT = frozenset({*INDEXES, EVENTS, SESSION_STARTS, SESSION_ENDS, TIME_SPENT})
_MERGE = {Aggregate.MINIMUM: exp.Min, Aggregate.MAXIMUM: exp.Max}


def partial(plan: ReportPlan, lane: Lane) -> exp.Select:
    """Return the statement that aggregates a lane's rows (table ``rows``)."""
    if lane.kind is Kind.DISTINCT:
        return _distinct_values(plan, lane.metrics[0])
    if lane.kind in (Kind.ELEMENT_EVENTS, Kind.ELEMENT_VALUES):
        return _once_per_row(plan, lane)
    metrics = [_measured(plan, lane, metric) for metric in lane.metrics]
    select = _joined(exp.select(*_dimensions(plan), *metrics), plan)
    if lane.kind is Kind.ROWS or not plan.request.dimensions:
        return select if metrics or plan.request.dimensions else select.select(exp.convert(1))
    return select.group_by(*_ordinals(len(plan.request.dimensions)))


def merged(plan: ReportPlan) -> exp.Select:
    """Return the statement that merges partial results (table ``partials``) into the answer."""
    names = [dimension.name for dimension in plan.request.dimensions]
    select = exp.select(*(quoted(name) for name in names))
    select = select.select(*(_merged_metric(metric, plan.view) for metric in plan.request.metrics))
    return select.from_(exp.to_table(PARTIALS)).group_by(*_ordinals(len(names)))


def counted(plan: ReportPlan, metric: MetricColumn) -> exp.Select:
    """Return the statement that counts the distinct values that a DISTINCT lane found."""
    names = [dimension.name for dimension in plan.request.dimensions]
    count = exp.Count(this=exp.Distinct(expressions=[quoted(VALUE)]))
    select = exp.select(*map(quoted, names), exp.alias_(count, metric.name, quoted=True))
    return select.from_(exp.to_table(PARTIALS)).group_by(*_ordinals(len(names)))


def _ordinals(count: int) -> list[exp.Expr]:
    return [exp.convert(position + 1) for position in range(count)]


def _dimensions(plan: ReportPlan) -> list[exp.Expr]:
    return [
        exp.alias_(over_rows(dimension.expression, plan.view), dimension.name, quoted=True)
        for dimension in plan.request.dimensions
    ]


def _joined(select: exp.Select, plan: ReportPlan) -> exp.Select:
    return joined(select, plan.request.lookups, plan.view)


def _condition(plan: ReportPlan, lane: Lane, metric: MetricColumn) -> exp.Expr | None:
    """A column's own condition, unless it already worked as the lane's segment."""
    if metric.condition is None or lane.segment is not None:
        return None
    return over_rows(metric.condition, plan.view)


def _value(plan: ReportPlan, lane: Lane, metric: MetricColumn) -> exp.Expr:
    """What a metric column measures on a row; where it is summed, a duplicate counts as 0."""
    zeros = lane.attribution is None and metric.aggregate is Aggregate.VALUE
    return over_rows(metric.expression, plan.view, zeros=zeros)


def _measured(plan: ReportPlan, lane: Lane, metric: MetricColumn) -> exp.Expr:
    condition, value = _condition(plan, lane, metric), _value(plan, lane, metric)
    if lane.kind is Kind.ROWS:
        result = value if condition is None else exp.case().when(condition, value)
    else:
        result = _aggregate(metric, value, once=counts_once(plan, lane))
        if condition is not None:
            result = exp.Filter(this=result, expression=exp.Where(this=condition))
    return exp.alias_(_typed(result, metric, plan.view), metric.name, quoted=True)


def _aggregate(metric: MetricColumn, value: exp.Expr, *, once: bool = False) -> exp.Expr:
    if metric.aggregate is Aggregate.COUNT:
        return exp.Count(this=value)
    if metric.aggregate is Aggregate.MINIMUM:
        return exp.Min(this=value)
    if metric.aggregate is Aggregate.MAXIMUM:
        return exp.Max(this=value)
    if is_component(metric.expression) and metric.expression.name in INDEXES and not once:
        return exp.Count(this=exp.Distinct(expressions=[value]))
    return exp.Sum(this=value)


def metric_type(metric: MetricColumn, view: DataView) -> pa.DataType | None:
    """Return a metric column's type where it is fixed; None leaves it to the expression."""
    if metric.aggregate in (Aggregate.COUNT, Aggregate.DISTINCT):
        return pa.int64()
    if metric.aggregate is Aggregate.VALUE and is_component(metric.expression):
        return view.component(metric.expression.name).type
    if metric.aggregate is Aggregate.VALUE:
        types = {view.component(name).type for name in component_ids([metric.expression])}
        return pa.int64() if types == {pa.int64()} else pa.float64()
    return None


def _typed(value: exp.Expr, metric: MetricColumn, view: DataView) -> exp.Expr:
    arrow_type = metric_type(metric, view)
    return value if arrow_type is None else exp.cast(value, sql_type(arrow_type), dialect="duckdb")


def _distinct_values(plan: ReportPlan, metric: MetricColumn) -> exp.Select:
    value = over_rows(metric.expression, plan.view)
    select = exp.select(*_dimensions(plan), exp.alias_(value, VALUE, quoted=True))
    select = _joined(select.distinct(), plan)
    if metric.condition is not None:
        select = select.where(over_rows(metric.condition, plan.view))
    return select.where(exp.not_(exp.Is(this=value.copy(), expression=exp.null())))


def _once_per_row(plan: ReportPlan, lane: Lane) -> exp.Select:
    """Sum what belongs to an event, or to an element, once for each distinct item that it has."""
    names = [dimension.name for dimension in plan.request.dimensions]
    row = exp.alias_(exp.column(ROW_INDEX, table=ROWS, quoted=True), ROW_INDEX, quoted=True)
    values = {metric.name: _row_value(plan, lane, metric) for metric in lane.metrics}
    apart = len(values) > 1 and any(metric.condition is not None for metric in lane.metrics)
    if apart:
        # Rows of one item may differ in which of the conditions hold, so DISTINCT would keep several.
        values = {name: exp.Sum(this=exp.Distinct(expressions=[value])) for name, value in values.items()}
    inner = exp.select(*_dimensions(plan), row)
    inner = inner.select(*(exp.alias_(value, name, quoted=True) for name, value in values.items()))
    inner = inner.group_by(*_ordinals(len(names) + 1)) if apart else inner.distinct()
    sums = []
    for metric in lane.metrics:
        total = _aggregate(metric, quoted(metric.name))
        sums.append(exp.alias_(_typed(total, metric, plan.view), metric.name, quoted=True))
    select = exp.select(*map(quoted, names), *sums).from_(_joined(inner, plan).subquery("items"))
    return select.group_by(*_ordinals(len(names))) if names else select


def _row_value(plan: ReportPlan, lane: Lane, metric: MetricColumn) -> exp.Expr:
    """What a metric column has on a row; 1 where rows are counted; NULL where its condition does not hold."""
    value, condition = _value(plan, lane, metric), _condition(plan, lane, metric)
    if metric.aggregate is Aggregate.COUNT:
        value = exp.case().when(exp.not_(exp.Is(this=value, expression=exp.null())), exp.convert(1))
    return value if condition is None else exp.case().when(condition, value)


def _merged_metric(metric: MetricColumn, view: DataView) -> exp.Expr:
    merge = _MERGE.get(metric.aggregate, exp.Sum)(this=quoted(metric.name))
    result = _typed(merge, metric, view)
    counts = metric.aggregate in (Aggregate.COUNT, Aggregate.DISTINCT)
    names = component_ids([metric.expression])
    if counts or (names and names <= _ZERO_WHEN_ABSENT and merge.key == "sum"):
        result = exp.func("coalesce", result, exp.convert(0))
    return exp.alias_(result, metric.name, quoted=True)


def used_in(plan: ReportPlan, lane: Lane) -> set[str]:
    """Return the components that a lane's statement names."""
    expressions: list[exp.Expr | None] = [d.expression for d in plan.request.dimensions]
    expressions += [lookup.on for lookup in plan.request.lookups]
    for metric in lane.metrics:
        expressions += [metric.expression, metric.condition]
    return component_ids(expressions)
