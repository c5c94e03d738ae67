"""The rows of each kind of lane: which events or touches they are, and what stands beside them.

Kernels say which row a value comes from and how much credit it gets; the values follow by take.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.credit import linear_credit, linear_credit_by_key
from attribution.models import Container, Model
from attribution.touches import touch_rows
from engine.dataview.components import TIMESTAMP, Component, Role, Scope
from engine.dataview.values import coded, codes_of, combined, numbers, taken, validity
from engine.definitions.model import AttributionDefinition
from engine.report.aggregate import used_in
from engine.report.columns import (
    INDEXES,
    ROW_INDEX,
    column_name,
    component_ids,
    is_period,
    period_start,
)
from engine.report.frame import Frame, nonzero
from engine.report.plan import Kind, Lane, microseconds


def lane_rows(frame: Frame, lane: Lane) -> pa.Table:
    """Return the rows that a lane's statement aggregates, columns named by component."""
    if lane.kind is Kind.TOUCHES:
        return _touched(frame, lane)
    if lane.kind is Kind.SHARES:
        return _shared(frame, lane)
    table = frame.table(used_in(frame.plan, lane), lane.array)
    chosen = _selected(frame)
    if lane.kind is Kind.EVENTS and not lane.metrics:
        table, chosen = _occurring(table, chosen)
    if not chosen.all():
        table = _rows_of(table, np.flatnonzero(chosen))
    return _with_firsts(table) if lane.kind is Kind.ROWS else table


def _occurring(table: pa.Table, chosen: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """Where only the groups' existence is asked, one row for each value of a single text is enough."""
    names = [name for name in table.column_names if name != ROW_INDEX]
    column = combined(table.column(names[0])) if len(names) == 1 else None
    if column is None or not pa.types.is_dictionary(column.type):
        return table, chosen
    seen = np.zeros(len(column.dictionary) + 1, bool)
    seen[codes_of(column)[chosen] if not chosen.all() else codes_of(column)] = True
    codes = np.flatnonzero(seen)
    values = coded(codes, column.dictionary, codes == len(column.dictionary))
    return pa.table({names[0]: values}), np.ones(codes.size, bool)


def _selected(frame: Frame) -> np.ndarray:
    """bool[N]: events in the range and in the segment."""
    return frame.in_range if frame.segment is None else frame.in_range & frame.segment


def _rows_of(table: pa.Table, rows: np.ndarray) -> pa.Table:
    return pa.table({name: taken(combined(table.column(name)), rows) for name in table.column_names})


def _with_firsts(table: pa.Table) -> pa.Table:
    """Replace person and session indices by 1 on their first row and 0 on the others (SEMANTICS 9)."""
    for name in INDEXES.values():
        if name in table.column_names:
            index = combined(table.column(name)).to_numpy()
            firsts = np.ones(index.size, np.int64)
            firsts[1:] = index[1:] != index[:-1]
            table = table.set_column(table.column_names.index(name), name, pa.array(firsts))
    return table


def _touch_values(frame: Frame, component: Component) -> pa.Array:
    """One grouped dimension touches with its raw instances, several with their persisted tuple."""
    several = len(frame.plan.touch_dimensions) > 1
    return frame.shown(component) if several else frame.raw(component)


def _touches(frame: Frame, lane: Lane, attribution: AttributionDefinition) -> np.ndarray:
    """uint8[N]: the event is a touch that may get credit."""
    touches = np.ones(frame.chunk.times.size, bool)
    for name in frame.plan.touch_dimensions:
        values = _touch_values(frame, frame.plan.view.component(name))
        touches &= validity(values)
    start = frame.plan.touch_start
    if attribution.lookback is None and attribution.container == "person" and start is not None:
        touches &= frame.chunk.times >= start
    for segment in (frame.segment, frame.matches(lane.segment)):
        if segment is not None:
            touches &= segment
    return touches.astype(np.uint8)


def _convertible(frame: Frame, lane: Lane) -> np.ndarray:
    """bool[N]: an event on which a metric of the lane may count."""
    selected = _selected(frame)
    segment = frame.matches(lane.segment)
    return selected if segment is None else selected & segment


def _lookback(attribution: AttributionDefinition) -> int | None:
    return None if attribution.lookback is None else microseconds(attribution.lookback)


def _components(frame: Frame, lane: Lane) -> list[Component]:
    return [frame.plan.view.component(name) for name in sorted(used_in(frame.plan, lane))]


def _is_touched(frame: Frame, component: Component) -> bool:
    return component.id in frame.plan.touch_dimensions


def _touched(frame: Frame, lane: Lane) -> pa.Table:
    """Conversions, with the touched dimensions' values taken from the one touch that gets the credit."""
    attribution = _attribution(lane)
    components = _components(frame, lane)
    present = np.zeros(frame.chunk.times.size, bool)
    for component in components:
        if component.role is Role.METRIC:
            present |= nonzero(frame.raw(component))
    wanted = present & _convertible(frame, lane)
    sources = touch_rows(
        Model(attribution.model),
        Container(attribution.container),
        frame.chunk.offsets,
        frame.chunk.times,
        _touches(frame, lane, attribution),
        wanted.astype(np.uint8),
        frame.starts,
        _lookback(attribution),
    )
    rows = np.flatnonzero(wanted)
    return pa.table(
        {
            column_name(component): taken(_touch_values(frame, component), sources[rows])
            if _is_touched(frame, component)
            else taken(frame.raw(component), rows)
            for component in components
        }
    )


def _attribution(lane: Lane) -> AttributionDefinition:
    if lane.attribution is None:
        raise AssertionError(f"a lane of {lane.kind} needs an attribution")
    return lane.attribution


def _shared(frame: Frame, lane: Lane) -> pa.Table:
    """Touches with the credit that each gets; without a touch, the conversion's own row."""
    components = _components(frame, lane)
    metrics = [component for component in components if component.role is Role.METRIC]
    touched = [c for c in components if _is_touched(frame, c)]
    others = [c for c in components if c.role is not Role.METRIC and not _is_touched(frame, c)]
    convertible = _convertible(frame, lane)
    values = np.stack([_numbers(frame, metric, convertible) for metric in metrics])
    credited = _credit_by_key if others else _credit
    touches, conversion_rows, credit = credited(frame, lane, values)
    columns = {column_name(c): taken(_touch_values(frame, c), touches) for c in touched}
    columns |= {column_name(c): taken(frame.raw(c), conversion_rows) for c in others}
    columns |= {c.id: pa.array(credit[position]) for position, c in enumerate(metrics)}
    return pa.table(columns)


Credited = tuple[np.ndarray, np.ndarray, np.ndarray]
"""int32[E] touch rows (−1: none), int32[E] conversion rows, float64[M, E] credit."""


def _credit(frame: Frame, lane: Lane, values: np.ndarray) -> Credited:
    """Credit of float64[M, N] values where nothing is taken from the conversion."""
    attribution, chunk = _attribution(lane), frame.chunk
    credit, unattributed = linear_credit(
        Container(attribution.container),
        chunk.offsets,
        chunk.times,
        _touches(frame, lane, attribution),
        values,
        frame.starts,
        _lookback(attribution),
    )
    rows = np.flatnonzero((credit != 0.0).any(axis=0))
    credit = credit[:, rows]
    if unattributed.any():
        rows, credit = np.append(rows, -1), np.column_stack([credit, unattributed])
    return rows, rows, credit


def _credit_by_key(frame: Frame, lane: Lane, values: np.ndarray) -> Credited:
    """Credit of float64[M, N] values where times or the person are taken from the conversion."""
    attribution, chunk = _attribution(lane), frame.chunk
    return linear_credit_by_key(
        Container(attribution.container),
        chunk.offsets,
        chunk.times,
        _touches(frame, lane, attribution),
        values,
        _keys(frame, np.flatnonzero((values != 0.0).any(axis=0))),
        frame.starts,
        _lookback(attribution),
        _items(frame),
    )


def _items(frame: Frame) -> np.ndarray | None:
    """int32[N]: a code for each touch's value, where one text alone makes the touches."""
    dimensions = frame.plan.touch_dimensions
    values = _touch_values(frame, frame.plan.view.component(dimensions[0]))
    single_text = len(dimensions) == 1 and pa.types.is_dictionary(values.type)
    return codes_of(values) if single_text else None


def _numbers(frame: Frame, metric: Component, convertible: np.ndarray) -> np.ndarray:
    values = numbers(frame.raw(metric))
    return values if convertible.all() else np.where(convertible, values, 0.0)


def _keys(frame: Frame, conversions: np.ndarray) -> np.ndarray:
    """int32[N]: equal where all that the question takes from the conversion is equal.

    A person is constant within its own rows, so only times make a key.
    """
    keys = np.zeros(frame.chunk.times.size, np.int32)
    for values in _conversion_times(frame, conversions):
        codes = values.dictionary_encode()
        both = keys[conversions] * (len(codes.dictionary) + 1) + codes.indices.to_numpy()
        keys[conversions] = np.unique(both, return_inverse=True)[1]
    return keys


def _conversion_times(frame: Frame, conversions: np.ndarray) -> list[pa.Array]:
    """The times that the question groups by, each int64[conversions]."""
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
    timestamps = pa.table({TIMESTAMP: frame.timestamps.take(pa.array(conversions))})
    table = frame.statements.run(timestamps, exp.select(*periods).from_(exp.to_table("rows")))
    return [combined(column) for column in table.columns]
