"""Adds up without SQL what most dashboards ask: plain sums by one text, each credited to one touch.

The values of a text are codes, so a sum per code is one pass over the conversions. Everything else goes the
general way, through a statement over rows; both ways give the same partial result.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask, Rows
from attribution.reduced import marked_rows
from attribution.sums import credited_items, sums_by_item
from engine.dataview.components import Component, Role
from engine.dataview.values import coded, raw_codes, validity
from engine.definitions.model import MetricDefinition
from engine.report.aggregate import metric_type
from engine.report.columns import is_session_start
from engine.report.conversions import attribution_of_lane, conversions, touch_values
from engine.report.frame import Frame
from engine.report.plan import Kind, Lane, ReportPlan
from engine.report.request import Aggregate, MetricColumn


def tallied_dimension(plan: ReportPlan, lane: Lane) -> Component | None:
    """Return the text that a lane can be added up by, None where it has to go the general way."""
    request = plan.request
    if len(request.dimensions) != 1 or request.lookups or request.row_level or lane.array:
        return None
    plain = all(_is_plain_sum(metric, plan) for metric in lane.metrics)
    fits = lane.kind is Kind.TOUCHES or (lane.kind is Kind.EVENTS and not lane.metrics)
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
    if not isinstance(metric.expression, exp.Column):
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
    if not lane.metrics:
        values = occurring(_encoded(frame.shown(dimension)), frame.chosen)
        return pa.table({frame.plan.request.dimensions[0].name: _spelled_out(values)})
    return _sums(frame, lane, _encoded(touch_values(frame, dimension)))


def occurring(values: pa.DictionaryArray, chosen: Mask | None) -> pa.DictionaryArray:
    """Return each value of a text once, NULL included, that is there on a chosen event.

    Args:
        values: N values.
        chosen: uint8[N]; None chooses all.
    """
    present, none = validity(values).view(np.uint8), len(values.dictionary)
    rows = marked_rows(present if chosen is None else present & chosen)
    events = present.size if chosen is None else np.count_nonzero(chosen)
    seen = np.zeros(none + 1, bool)
    seen[raw_codes(values)[rows]] = True
    seen[none] = events > rows.size
    return coded(_codes(np.flatnonzero(seen), none), values.dictionary)


def _sums(frame: Frame, lane: Lane, values: pa.DictionaryArray) -> pa.Table:
    """Sum each metric by the code of the touch that gets the credit; NULL where it has no conversion."""
    found, none = conversions(frame, lane), len(values.dictionary)
    touches = found.credited(attribution_of_lane(lane))
    items = credited_items(touches, found.journey.rows, raw_codes(values), none)
    sums = {}
    for metric in lane.metrics:
        amounts = found.amounts[frame.plan.view.component(metric.expression.name).id]
        sums[metric.name] = sums_by_item(items, amounts.places, amounts.values, none + 1)
    listed = np.flatnonzero(np.any([counts for _, counts in sums.values()], axis=0))
    columns = {
        frame.plan.request.dimensions[0].name: _spelled_out(coded(_codes(listed, none), values.dictionary))
    }
    for metric in lane.metrics:
        total, counts = sums[metric.name]
        kind = metric_type(metric, frame.plan.view)
        columns[metric.name] = pa.array(total[listed], mask=counts[listed] == 0).cast(kind)
    return pa.table(columns)


def _codes(items: np.ndarray, none: int) -> Rows:
    """int32 codes of items, −1 for none."""
    return np.where(items == none, -1, items).astype(np.int32)


def _encoded(values: pa.Array) -> pa.DictionaryArray:
    return values if pa.types.is_dictionary(values.type) else values.dictionary_encode()


def _spelled_out(values: pa.DictionaryArray) -> pa.Array:
    return values.cast(pa.string())
