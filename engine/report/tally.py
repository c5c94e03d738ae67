"""Adds up without SQL what most dashboards ask: attributed sums by one text.

The values of a text are codes, so a sum per code is one pass over the touches. Everything else goes the
general way, through statements over rows; both ways give the same answer.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Model, Rows
from attribution.rows import mask_at
from attribution.shares import Credit, by_item, credit_of_shares, credit_of_singles
from attribution.spans import Touches, single_touches, touch_spans
from engine.dataview.components import Component, Role
from engine.dataview.values import raw_codes
from engine.definitions.model import MetricDefinition
from engine.journeys.present import Present, present
from engine.report.aggregate import metric_type
from engine.report.columns import is_session_start
from engine.report.conversions import (
    Amounts,
    attribution_of_lane,
    conversions,
    lookback_of,
)
from engine.report.frame import Frame
from engine.report.plan import Kind, Lane, ReportPlan, persistence_of
from engine.report.request import MetricColumn


def tallied_dimension(plan: ReportPlan, lane: Lane) -> Component | None:
    """Return the text that a lane can be added up by, None where it has to go the general way."""
    request = plan.request
    if len(request.dimensions) != 1 or request.lookups or request.row_level or lane.array:
        return None
    sums = lane.attribution is not None and all(_is_plain_sum(metric, plan) for metric in lane.metrics)
    groups = lane.kind is Kind.EVENTS and not lane.metrics
    if not (sums or groups):
        return None
    text = _plain_text(request.dimensions[0].expression, plan)
    return None if text is not None and text.keeps_all and groups else text


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
    name = frame.plan.request.dimensions[0].name
    if lane.metrics:
        return _sums(frame, lane, name)
    if persistence_of(dimension) is None:
        found = frame.present(dimension)
    else:
        found = present(frame.shown(dimension), frame.chunk.times)
    return pa.table({name: _occurring(frame, found)})


def total(plan: ReportPlan, partials: list[pa.Table]) -> pa.Table:
    """Return the answer, where all lanes were added up here."""
    request = plan.request
    name = request.dimensions[0].name
    every = pa.concat_tables(partials, promote_options="default").group_by([name], use_threads=False)
    sums = every.aggregate([(metric.name, "sum") for metric in request.metrics])
    columns = {name: sums[name]}
    columns |= {metric.name: sums[f"{metric.name}_sum"] for metric in request.metrics}
    return pa.table(columns)


def _occurring(frame: Frame, found: Present) -> pa.Array:
    """Each value of a text once, NULL included, that is there on an event of the report."""
    values, chosen = _encoded(found.values), frame.chosen
    codes = raw_codes(values)
    if chosen is not None:
        codes = codes[mask_at(chosen, found.rows).view(bool)]
    events = frame.chunk.rows if chosen is None else np.count_nonzero(chosen)
    counts = np.bincount(codes, minlength=len(values.dictionary) + 1)
    counts[-1] = events - codes.size
    return _spelled_out(np.flatnonzero(counts), values.dictionary)


def _sums(frame: Frame, lane: Lane, name: str) -> pa.Table:
    """Sum each metric by the value of the touches that get the credit; NULL where it has no conversion."""
    found = conversions(frame, lane)
    values = _encoded(found.items)
    items, distinct = raw_codes(values), len(values.dictionary)
    sums: dict[str, Credit] = {}
    for metric in lane.metrics:
        amounts = found.amounts[frame.plan.view.component(metric.expression.name).id]
        sums[metric.name] = _credit(frame, lane, found.touches, amounts, items, distinct)
    listed = np.flatnonzero(np.any([credit.counts for credit in sums.values()], axis=0))
    columns = {name: _spelled_out(listed, values.dictionary)}
    for metric in lane.metrics:
        credit, counts = (numbers[listed] for numbers in sums[metric.name])
        whole = metric_type(metric, frame.plan.view) == pa.int64()
        columns[metric.name] = pa.array(credit.astype(np.int64) if whole else credit, mask=counts == 0)
    return pa.table(columns)


def _credit(
    frame: Frame, lane: Lane, touches: Touches, amounts: Amounts, items: Rows, distinct: int
) -> Credit:
    """The credit that one metric gives to each item."""
    model, lookback = Model(attribution_of_lane(lane).model), lookback_of(lane)
    if model is Model.LINEAR:
        spans = touch_spans(touches, frame.chunk.times, amounts.rows, lookback)
        return by_item(credit_of_shares(spans, amounts.values, items.size), items, distinct)
    singles = single_touches(model, touches, frame.chunk.times, amounts.rows, lookback)
    return credit_of_singles(singles, items, amounts.values, distinct)


def _encoded(values: pa.Array) -> pa.DictionaryArray:
    return values if pa.types.is_dictionary(values.type) else values.dictionary_encode()


def _spelled_out(items: np.ndarray, dictionary: pa.Array) -> pa.Array:
    """The texts of some codes; NULL for the code after the last."""
    return dictionary.take(pa.array(items, mask=items == len(dictionary))).cast(pa.string())
