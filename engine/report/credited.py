"""The rows of attributed lanes: each conversion beside the touch that gets its credit, or shares of it.

Kernels say which row a value comes from and how much credit it gets; the values follow by take.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.credit import linear_credit, linear_credit_by_key
from attribution.models import Container, Rows, Values
from engine.dataview.components import TIMESTAMP, Component, Role, Scope
from engine.dataview.values import codes_at, combined, taken
from engine.report.columns import column_name, component_ids, is_period, is_session_start, period_start
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
    places = found.places
    rows = found.journey.rows[places]
    sources = found.whole_rows(found.credited(attribution_of_lane(lane))[places])

    def values(component: Component) -> pa.Array:
        if _is_touched(frame, component):
            return taken(touch_values(frame, component), sources)
        if component.role is Role.METRIC:
            return _measured(frame, component, found.amounts[component.id], found.journey.rows, rows)
        return frame.at(component, rows)

    return pa.table({column_name(component): values(component) for component in components_of(frame, lane)})


def _measured(frame: Frame, metric: Component, amounts: Amounts, whole: Rows, rows: Rows) -> pa.Array:
    """The metric's values on some rows, with their own type; NULL where it has no conversion."""
    if is_session_start(metric):
        return frame.at(metric, rows)
    converts = np.isin(rows, whole[amounts.places], assume_unique=True)
    return taken(frame.raw(metric), np.where(converts, rows, np.int32(-1)))


def shared_rows(frame: Frame, lane: Lane) -> pa.Table:
    """Return touches with the credit that each gets; without a touch, the conversion's own row."""
    found = conversions(frame, lane)
    components = components_of(frame, lane)
    metrics = [component for component in components if component.role is Role.METRIC]
    touched = [c for c in components if _is_touched(frame, c)]
    others = [c for c in components if c.role is not Role.METRIC and not _is_touched(frame, c)]
    values = np.zeros((len(metrics), found.touches.size))
    for number, metric in enumerate(metrics):
        values[number, found.amounts[metric.id].places] = found.amounts[metric.id].values
    credited = _credit_by_key if others else _credit
    touches, converting, credit = credited(frame, lane, found, values)
    touches, converting = found.whole_rows(touches), found.whole_rows(converting)
    columns = {column_name(c): taken(touch_values(frame, c), touches) for c in touched}
    columns |= {column_name(c): frame.at(c, converting) for c in others}
    columns |= {c.id: pa.array(credit[number]) for number, c in enumerate(metrics)}
    return pa.table(columns)


def _is_touched(frame: Frame, component: Component) -> bool:
    return component.id in frame.plan.touch_dimensions


Credited = tuple[Rows, Rows, Values]
"""int32[E] places of touches (−1: none), int32[E] places of conversions, float64[M, E] credit."""


def _credit(frame: Frame, lane: Lane, found: Conversions, values: Values) -> Credited:
    """Credit of float64[M, R] values where nothing is taken from the conversion."""
    attribution, journey = attribution_of_lane(lane), found.journey
    credit, unattributed = linear_credit(
        Container(attribution.container),
        journey.offsets,
        journey.times,
        found.touches,
        values,
        journey.starts,
        lookback_of(attribution),
    )
    places = np.flatnonzero((credit != 0.0).any(axis=0)).astype(np.int32)
    credit = credit[:, places]
    if unattributed.any():
        places, credit = np.append(places, np.int32(-1)), np.column_stack([credit, unattributed])
    return places, places, credit


def _credit_by_key(frame: Frame, lane: Lane, found: Conversions, values: Values) -> Credited:
    """Credit of float64[M, R] values where times or the person are taken from the conversion."""
    attribution, journey = attribution_of_lane(lane), found.journey
    return linear_credit_by_key(
        Container(attribution.container),
        journey.offsets,
        journey.times,
        found.touches,
        values,
        _keys(frame, found),
        journey.starts,
        lookback_of(attribution),
        _items(frame, found),
    )


def _items(frame: Frame, found: Conversions) -> Rows | None:
    """int32[R]: a code for each touch's value, where one text alone makes the touches."""
    dimensions = frame.plan.touch_dimensions
    values = touch_values(frame, frame.plan.view.component(dimensions[0]))
    single_text = len(dimensions) == 1 and pa.types.is_dictionary(values.type)
    return codes_at(values, found.journey.rows) if single_text else None


def _keys(frame: Frame, found: Conversions) -> Rows:
    """int32[R]: equal where all that the question takes from the conversion is equal.

    A person is constant within its own rows, so only times make a key.
    """
    keys, places = np.zeros(found.touches.size, np.int32), found.places
    times = _conversion_times(frame, found.journey.rows[places])
    if times:
        keys[places] = reduce(_tuple_codes, map(_codes, times))
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
