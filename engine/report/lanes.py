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
from engine.dataview.components import Component, Role, Scope
from engine.dataview.values import combined, taken
from engine.definitions.model import AttributionDefinition
from engine.report.aggregate import used_in
from engine.report.columns import (
    INDEXES,
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
    if not chosen.all():
        table = _rows_of(table, np.flatnonzero(chosen))
    return _with_firsts(table) if lane.kind is Kind.ROWS else table


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
        touches &= values.is_valid().to_numpy(zero_copy_only=False)
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
    attribution = _attribution(lane)
    components = _components(frame, lane)
    metrics = [component for component in components if component.role is Role.METRIC]
    convertible = _convertible(frame, lane)
    values = np.stack([_numbers(frame, metric, convertible) for metric in metrics])
    touches = _touches(frame, lane, attribution)
    container, lookback = Container(attribution.container), _lookback(attribution)
    chunk = frame.chunk
    others = [c for c in components if c.role is not Role.METRIC and not _is_touched(frame, c)]
    if others:
        keys = _keys(frame, lane, np.flatnonzero((values != 0.0).any(axis=0)))
        touched, converted, credit = linear_credit_by_key(
            container, chunk.offsets, chunk.times, touches, values, keys, frame.starts, lookback
        )
    else:
        full, unattributed = linear_credit(
            container, chunk.offsets, chunk.times, touches, values, frame.starts, lookback
        )
        rows = np.flatnonzero((full != 0.0).any(axis=0))
        credit = full[:, rows]
        if unattributed.any():
            rows, credit = np.append(rows, -1), np.column_stack([credit, unattributed])
        touched = converted = rows
    columns = {
        column_name(c): taken(_touch_values(frame, c), touched) for c in components if _is_touched(frame, c)
    }
    columns |= {column_name(c): taken(frame.raw(c), converted) for c in others}
    columns |= {c.id: pa.array(credit[position]) for position, c in enumerate(metrics)}
    return pa.table(columns)


def _numbers(frame: Frame, metric: Component, convertible: np.ndarray) -> np.ndarray:
    values = frame.raw(metric).cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    numbers: np.ndarray = np.where(convertible, values, 0.0)
    return numbers


def _keys(frame: Frame, lane: Lane, conversions: np.ndarray) -> np.ndarray:
    """int32[N]: equal where all that the question takes from the conversion is equal.

    A person is constant within its own rows, so only times make a key.
    """
    keys = np.zeros(frame.chunk.times.size, np.int32)
    names = [d.expression for d in frame.plan.request.dimensions]
    names += [lookup.on for lookup in frame.plan.request.lookups]
    times = [
        name for name in sorted(component_ids(names)) if frame.plan.view.component(name).scope is Scope.TIME
    ]
    if times and conversions.size:
        timestamps = pa.table({"timestamp": frame.timestamps.take(pa.array(conversions))})
        periods = [
            exp.alias_(period_start(name) if is_period(name) else exp.column(name), name, quoted=True)
            for name in times
        ]
        select = exp.select(*periods).from_(exp.to_table("rows"))
        table = frame.statements.run(timestamps, select)
        code = np.zeros(conversions.size, np.int64)
        for name in times:
            values = combined(table.column(name)).dictionary_encode()
            code = code * (len(values.dictionary) + 1) + values.indices.to_numpy()
            code = np.unique(code, return_inverse=True)[1]
        keys[conversions] = code
    return keys
