"""Adds up without SQL what most dashboards ask: attributed sums by one text.

The values of a text are codes, so a sum per code is one pass over the touches. Everything else goes the
general way, through statements over rows; both ways give the same answer.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask, Model, Rows, Times, Values
from attribution.rows import rows_within
from attribution.shares import Credit, even_credit, sums_by_item, whole_credit
from attribution.spans import single_touches
from engine.dataview.components import Component, Role
from engine.dataview.values import coded, raw_codes
from engine.definitions.model import MetricDefinition
from engine.journeys.present import present
from engine.report.aggregate import metric_type
from engine.report.columns import is_session_start
from engine.report.conversions import (
    Amounts,
    Conversions,
    attribution_of_lane,
    conversions,
    spans_of,
    touch_values,
)
from engine.report.frame import Frame
from engine.report.plan import Kind, Lane, ReportPlan, persistence_of
from engine.report.request import Aggregate, MetricColumn


def tallied_dimension(plan: ReportPlan, lane: Lane) -> Component | None:
    """Return the text that a lane can be added up by, None where it has to go the general way."""
    request = plan.request
    if len(request.dimensions) != 1 or request.lookups or request.row_level or lane.array:
        return None
    plain = all(_is_plain_sum(metric, plan) for metric in lane.metrics)
    fits = lane.attribution is not None or (lane.kind is Kind.EVENTS and not lane.metrics)
    return _plain_text(request.dimensions[0].expression, plan) if plain and fits else None


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
    if metric.aggregate is not Aggregate.VALUE or metric.condition is not None:
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
        return _sums(frame, lane, name, _encoded(touch_values(frame, dimension)))
    if persistence_of(dimension) is None:
        rows = frame.present(dimension).rows
    else:
        rows = present(frame.shown(dimension)).rows
    return pa.table({name: _occurring(_encoded(frame.shown(dimension)), rows, frame.chosen)})


def total(plan: ReportPlan, partials: list[pa.Table]) -> pa.Table:
    """Return the answer, where all lanes were added up here."""
    request = plan.request
    name = request.dimensions[0].name
    every = pa.concat_tables(partials, promote_options="default").group_by([name], use_threads=False)
    sums = every.aggregate([(metric.name, "sum") for metric in request.metrics])
    columns = {name: sums[name]}
    columns |= {metric.name: sums[f"{metric.name}_sum"] for metric in request.metrics}
    return pa.table(columns)


def _occurring(values: pa.DictionaryArray, present: Rows, chosen: Mask | None) -> pa.Array:
    """Each value of a text once, NULL included, that is there on a chosen event.

    Args:
        values: N values.
        present: int32[K], where they are not NULL.
        chosen: uint8[N]; None chooses all.
    """
    rows, none = rows_within(present, chosen), len(values.dictionary)
    events = len(values) if chosen is None else np.count_nonzero(chosen)
    seen = np.zeros(none + 1, bool)
    seen[raw_codes(values)[rows]] = True
    seen[none] = events > rows.size
    return _spelled_out(np.flatnonzero(seen), values.dictionary)


def _sums(frame: Frame, lane: Lane, name: str, values: pa.DictionaryArray) -> pa.Table:
    """Sum each metric by the value of the touches that get the credit; NULL where it has no conversion."""
    found, none = conversions(frame, lane), len(values.dictionary)
    items = np.append(raw_codes(values)[found.touches.rows], np.int32(none))
    sums: dict[str, tuple[Values, Times]] = {}
    for metric in lane.metrics:
        amounts = found.amounts[frame.plan.view.component(metric.expression.name).id]
        sums[metric.name] = sums_by_item(_credit(frame, lane, found, amounts), items, none + 1)
    listed = np.flatnonzero(np.any([counts for _, counts in sums.values()], axis=0))
    columns = {name: _spelled_out(listed, values.dictionary)}
    for metric in lane.metrics:
        credit, counts = (numbers[listed] for numbers in sums[metric.name])
        columns[metric.name] = pa.array(credit, mask=counts == 0).cast(metric_type(metric, frame.plan.view))
    return pa.table(columns)


def _credit(frame: Frame, lane: Lane, found: Conversions, amounts: Amounts) -> Credit:
    """The credit that one metric gives to each touch of a lane."""
    spans, count = spans_of(frame, lane, found, amounts.rows), found.touches.rows.size
    model = Model(attribution_of_lane(lane).model)
    if model is Model.LINEAR:
        return even_credit(spans, amounts.values, count)
    touches = single_touches(model, found.touches, amounts.rows, spans)
    return whole_credit(touches, amounts.values, count)


def _encoded(values: pa.Array) -> pa.DictionaryArray:
    return values if pa.types.is_dictionary(values.type) else values.dictionary_encode()


def _spelled_out(items: np.ndarray, dictionary: pa.Array) -> pa.Array:
    """The texts of some codes; NULL for the code after the last."""
    codes = np.where(items == len(dictionary), -1, items).astype(np.int32)
    return coded(codes, dictionary).cast(pa.string())
