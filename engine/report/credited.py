"""The rows of attributed lanes: each conversion beside the touch that gets its credit, or shares of it.

Kernels say which row a value comes from and how much credit it gets; the values follow by take.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.credit import linear_credit_by_key
from attribution.models import Container, Model, Rows, Values
from attribution.reduced import Reduced, reduced
from attribution.rows import marked_rows, mask_at, mask_of
from attribution.shares import credit_of_shares
from attribution.spans import single_touches, touch_spans
from engine.dataview.components import TIMESTAMP, Component, Role, Scope
from engine.dataview.values import codes_at, combined, taken
from engine.report.columns import (
    column_name,
    component_ids,
    is_deduplicated,
    is_period,
    is_session_start,
    period_start,
)
from engine.report.conversions import (
    Amounts,
    Conversions,
    attribution_of_lane,
    components_of,
    conversions,
    lookback_of,
    touch_values,
)
from engine.report.frame import Frame
from engine.report.plan import Lane


def touched_rows(frame: Frame, lane: Lane) -> pa.Table:
    """Return conversions, with the touched dimensions' values taken from the touch that gets the credit."""
    found = conversions(frame, lane)
    rows = found.rows()
    model = Model(attribution_of_lane(lane).model)
    touches = single_touches(model, found.touches, frame.chunk.times, rows, lookback_of(lane))
    sources = found.touch_rows(touches)

    def values(component: Component) -> pa.Array:
        if _is_touched(frame, component):
            return taken(touch_values(frame, component), sources)
        if component.role is Role.METRIC:
            return _measured(frame, lane, component, found.amounts[component.id], rows)
        return frame.at(component, rows)

    return pa.table({column_name(component): values(component) for component in components_of(frame, lane)})


def _measured(frame: Frame, lane: Lane, metric: Component, amounts: Amounts, rows: Rows) -> pa.Array:
    """The metric's values on some rows, with their own type; NULL where it has no conversion."""
    if is_session_start(metric) and not is_deduplicated(metric):
        return frame.at(metric, rows)
    converts = mask_at(mask_of(amounts.rows, frame.chunk.rows), rows)
    return taken(frame.shown(metric, lane.segment), np.where(converts != 0, rows, np.int32(-1)))


def shared_rows(frame: Frame, lane: Lane) -> pa.Table:
    """Return touches with the credit that each gets; without a touch, the conversion's own row."""
    found = conversions(frame, lane)
    components = components_of(frame, lane)
    metrics = [component for component in components if component.role is Role.METRIC]
    touched = [c for c in components if _is_touched(frame, c)]
    others = [c for c in components if c.role is not Role.METRIC and not _is_touched(frame, c)]
    credited = _credit_by_key if others else _credit
    touches, converting, credit = credited(frame, lane, found)
    columns = {column_name(c): taken(touch_values(frame, c), touches) for c in touched}
    columns |= {column_name(c): frame.at(c, converting) for c in others}
    columns |= {
        metric.id: pa.array(values, mask=values == 0.0)
        for metric, values in zip(metrics, credit, strict=True)
    }
    return pa.table(columns)


def _is_touched(frame: Frame, component: Component) -> bool:
    return component.id in frame.plan.touch_dimensions


Credited = tuple[Rows, Rows, Values]
"""int32[E] rows of touches (−1: none), int32[E] rows of conversions, float64[M, E] credit."""


def _credit(frame: Frame, lane: Lane, found: Conversions) -> Credited:
    """Credit where nothing is taken from the conversion."""
    touches, times = found.touches, frame.chunk.times
    spans = (touch_spans(touches, times, a.rows, lookback_of(lane)) for a in found.amounts.values())
    shares = zip(spans, found.amounts.values(), strict=True)
    credit = np.stack([credit_of_shares(s, a.values, touches.rows.size).values for s, a in shares])
    numbers = np.flatnonzero((credit != 0.0).any(axis=0)).astype(np.int32)
    rows = found.touch_rows(numbers)
    return rows, rows, credit[:, numbers]


def _credit_by_key(frame: Frame, lane: Lane, found: Conversions) -> Credited:
    """Credit where times or the person are taken from the conversion."""
    attribution, chunk = attribution_of_lane(lane), frame.chunk
    touches = mask_of(found.touches.rows, chunk.rows)
    kept = reduce(np.bitwise_or, (mask_of(a.rows, chunk.rows) for a in found.amounts.values()), touches)
    journey = reduced(chunk.offsets, chunk.times, frame.starts, kept)
    credited, converting, credit = linear_credit_by_key(
        Container(attribution.container),
        journey.offsets,
        journey.times,
        mask_at(touches, journey.rows),
        _values(found, journey, chunk.rows),
        _keys(frame, journey, found.rows()),
        journey.starts,
        lookback_of(lane),
        _items(frame, journey),
    )
    return np.append(journey.rows, np.int32(-1))[credited], journey.rows[converting], credit


def _places(journey: Reduced, rows: Rows, events: int) -> Rows:
    """int32[K]: where in a reduced journey some of its rows are."""
    return marked_rows(mask_at(mask_of(rows, events), journey.rows))


def _values(found: Conversions, journey: Reduced, events: int) -> Values:
    """float64[M, R]: each metric on the rows of the reduced journey."""
    values = np.zeros((len(found.amounts), journey.rows.size))
    for metric, amounts in zip(values, found.amounts.values(), strict=True):
        metric[_places(journey, amounts.rows, events)] = amounts.values
    return values


def _items(frame: Frame, journey: Reduced) -> Rows | None:
    """int32[R]: a code for each touch's value, where one text alone makes the touches."""
    dimensions = frame.plan.touch_dimensions
    values = touch_values(frame, frame.plan.view.component(dimensions[0]))
    single_text = len(dimensions) == 1 and pa.types.is_dictionary(values.type)
    return codes_at(values, journey.rows) if single_text else None


def _keys(frame: Frame, journey: Reduced, rows: Rows) -> Rows:
    """int32[R]: equal where all that the question takes from the conversion is equal.

    A person is constant within its own rows, so only times make a key.
    """
    keys = np.zeros(journey.rows.size, np.int32)
    times = _conversion_times(frame, rows)
    if times:
        keys[_places(journey, rows, frame.chunk.rows)] = reduce(_tuple_codes, map(_codes, times))
    return keys


def _codes(values: pa.Array) -> Rows:
    codes: Rows = values.dictionary_encode().indices.to_numpy()
    return codes


def _tuple_codes(first: Rows, second: Rows) -> Rows:
    """Number the pairs of two codes."""
    return _codes(pa.array(first * np.int64(second.max(initial=0) + 1) + second))


def _conversion_times(frame: Frame, rows: Rows) -> list[pa.Array]:
    """The times that the question groups by, on some rows."""
    request = frame.plan.request
    used = component_ids(
        [
            *(dimension.expression for dimension in request.dimensions),
            *(lookup.on for lookup in request.lookups),
        ]
    )
    times = [name for name in sorted(used) if frame.plan.view.component(name).scope is Scope.TIME]
    if not times:
        return []
    periods = [
        exp.alias_(period_start(name) if is_period(name) else exp.column(name), name, quoted=True)
        for name in times
    ]
    moments = pa.table({TIMESTAMP: frame.at(frame.plan.view.component(TIMESTAMP), rows)})
    table = frame.statements.run(moments, exp.select(*periods).from_(exp.to_table("rows")))
    return [combined(column) for column in table.columns]
