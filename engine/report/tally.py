"""Adds up without SQL what most dashboards ask: attributed sums by one text, or by a text and a period.

The values of a text and the periods of time are codes, so a sum per code is one pass over what is credited.
Everything else goes the general way, through statements over rows; both ways give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Times
from attribution.rows import marked_rows, mask_at
from engine.dataview.components import Component, Role
from engine.dataview.local_time import local_times
from engine.dataview.values import raw_codes
from engine.definitions.model import MetricDefinition
from engine.journeys.present import Present, present
from engine.report.aggregate import metric_type
from engine.report.columns import is_period, is_session_start
from engine.report.conversions import conversions, encoded
from engine.report.credited import credited, local_times_at
from engine.report.frame import Frame
from engine.report.keeping import persistence_of
from engine.report.periods import period_numbers, period_starts
from engine.report.plan import Kind, Lane, ReportPlan, is_component
from engine.report.request import MetricColumn

_ROOMY: Final = 1 << 20
"""Tables of at most this many cells are made without asking how full they will be."""
_BLOCK: Final = 1 << 16
_DAY: Final = 86_400_000_000


def tallied_dimension(plan: ReportPlan, lane: Lane) -> Component | None:
    """Return the text that a lane can be added up by, None where it has to go the general way."""
    request = plan.request
    others = [d for d in request.dimensions if _period(d.expression, plan) is None]
    if len(others) != 1 or len(request.dimensions) > 2:
        return None
    if request.lookups or request.row_level or lane.array:
        return None
    if lane.kind is Kind.SETS:
        return None
    sums = lane.attribution is not None and all(_is_plain_sum(metric, plan) for metric in lane.metrics)
    groups = lane.kind is Kind.EVENTS and not lane.metrics
    if not (sums or groups):
        return None
    text = _plain_text(others[0].expression, plan)
    return None if text is not None and text.keeps_all and groups else text


def _period(expression: exp.Expr, plan: ReportPlan) -> str | None:
    """The time dimension that an expression is, if it is one."""
    name = plan.view.component(expression.name).id if is_component(expression) else ""
    return name if is_period(name) else None


def _plain_text(expression: exp.Expr, plan: ReportPlan) -> Component | None:
    if not isinstance(expression, exp.Column) or expression.table:
        return None
    component = plan.view.component(expression.name)
    source = component.source
    if component.role is not Role.DIMENSION or source is None or source.repeated:
        return None
    return component if pa.types.is_string(component.type) else None


def _is_plain_sum(metric: MetricColumn, plan: ReportPlan) -> bool:
    """Whether doubles hold the metric's sum as exactly as it is: 64-bit integers and decimals they do not."""
    if not isinstance(metric.expression, exp.Column) or metric.condition is not None:
        return False
    component = plan.view.component(metric.expression.name)
    source, settings = component.source, component.definition
    if is_session_start(component):
        return True
    if source is None or source.repeated:
        return False
    counts = isinstance(settings, MetricDefinition) and settings.count
    small = pa.types.is_integer(source.type) and source.type.bit_width <= 32
    return counts or small or pa.types.is_floating(source.type)


def tally(frame: Frame, lane: Lane, dimension: Component) -> pa.Table:
    """Return a lane's partial result, for a dimension that the lane can be added up by."""
    if lane.metrics:
        return _sums(frame, lane)
    if persistence_of(dimension) is None:
        found = frame.present(dimension)
    else:
        found = present(frame.shown(dimension), frame.chunk.times)
    return _occurring(frame, found)


def total(plan: ReportPlan, partials: list[pa.Table]) -> pa.Table:
    """Return the answer, where all lanes were added up here."""
    request = plan.request
    names = [dimension.name for dimension in request.dimensions]
    every = pa.concat_tables(partials, promote_options="default").group_by(names, use_threads=False)
    sums = every.aggregate([(metric.name, "sum") for metric in request.metrics])
    columns = {name: sums[name] for name in names}
    columns |= {metric.name: sums[f"{metric.name}_sum"] for metric in request.metrics}
    return pa.table(columns)


def _occurring(frame: Frame, found: Present) -> pa.Table:
    """Each text once in each period, NULL included, that is there on an event of the report."""
    values, period = encoded(found.values), _grouped_period(frame.plan)
    if period is None:
        return _grouped(frame.plan, _texts(_texts_found(frame, found, values), values.dictionary), None)
    items = np.full(frame.chunk.rows, len(values.dictionary), np.int32)
    items[found.rows] = raw_codes(values)
    chosen = None if frame.chosen is None else marked_rows(frame.chosen)
    items = items if chosen is None else items[chosen]
    rows = np.arange(items.size, dtype=np.int32) if chosen is None else chosen
    first, last = _periods_within(frame, period)
    span = last - first + 1
    pairs = (
        own * np.int64(span) + (period_numbers(period, local_times_at(frame, some)) - first)
        for own, some in zip(_blocks(items), _blocks(rows), strict=True)
    )
    texts, starts = np.divmod(_distinct(pairs, (len(values.dictionary) + 1) * span), span)
    return _grouped(frame.plan, _texts(texts, values.dictionary), starts + first)


def _texts_found(frame: Frame, found: Present, values: pa.DictionaryArray) -> np.ndarray:
    """The codes that occur, the one after the last for NULL; only events with a text are looked at."""
    codes, chosen = raw_codes(values), frame.chosen
    if chosen is not None:
        codes = codes[mask_at(chosen, found.rows).view(np.bool_)]
    events = frame.chunk.rows if chosen is None else np.count_nonzero(chosen)
    counts = np.bincount(codes, minlength=len(values.dictionary) + 1)
    counts[-1] = events - codes.size
    return np.flatnonzero(counts)


def _periods_within(frame: Frame, period: str) -> tuple[int, int]:
    """The numbers of two periods that no event lies outside of, whatever clocks do."""
    times = frame.chunk.times
    if not times.size:
        return 0, 0
    edges = np.array([times.min() - _DAY, times.max() + _DAY])
    first, last = period_numbers(period, local_times(edges, frame.plan.view.definition.time_zone))
    return int(first), int(last)


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """Parts that stay in the processor's cache."""
    return (values[begin : begin + _BLOCK] for begin in range(0, values.size, _BLOCK))


def _distinct(blocks: Iterable[Times], most: int) -> Times:
    """The codes that occur, of those from 0 up to a number."""
    if most > _ROOMY:
        found = [np.zeros(0, np.int64), *map(np.unique, blocks)]
        return np.unique(np.concatenate(found))
    occurs = np.zeros(most, np.bool_)
    for codes in blocks:
        occurs[codes] = True
    return np.flatnonzero(occurs)


def _grouped_period(plan: ReportPlan) -> str | None:
    periods = (_period(dimension.expression, plan) for dimension in plan.request.dimensions)
    return next((period for period in periods if period is not None), None)


def _grouped(plan: ReportPlan, texts: pa.Array, periods: Times | None) -> pa.Table:
    """The grouped columns, from the texts and the numbers of the periods."""
    columns = {}
    for dimension in plan.request.dimensions:
        period = _period(dimension.expression, plan)
        grouped = texts if period is None or periods is None else period_starts(period, periods)
        columns[dimension.name] = grouped
    return pa.table(columns)


def _sums(frame: Frame, lane: Lane) -> pa.Table:
    """Sum each metric by the value of the touches that get the credit; NULL where it has no conversion."""
    found, period = conversions(frame, lane), _grouped_period(frame.plan)
    credit = credited(frame, lane, found)
    numbers = None if period is None else period_numbers(period, local_times_at(frame, credit.conversions))
    table = _grouped(frame.plan, _texts(credit.items, found.items.dictionary), numbers)
    for metric in lane.metrics:
        sums = credit.sums[frame.plan.view.component(metric.expression.name).id]
        whole = metric_type(metric, frame.plan.view) == pa.int64()
        table = table.append_column(metric.name, sums.cast(pa.int64()) if whole else sums)
    return table


def _texts(items: np.ndarray, dictionary: pa.Array) -> pa.Array:
    """The texts of some codes; NULL for the code after the last."""
    return dictionary.take(pa.array(items, mask=items == len(dictionary))).cast(pa.string())
