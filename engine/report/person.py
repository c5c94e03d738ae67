"""Explains a number: one person's events in order, and the credit that each got, as a table.

It rests on the plan, the frame and the lanes of the report itself, so it cannot disagree with one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Rows
from attribution.rows import marked_rows, mask_of
from engine.cancellation import Cancellation
from engine.dataview.components import SESSIONS, TIMESTAMP, Component, Role, Scope, data_view
from engine.dataview.values import combined, decoded, taken
from engine.definitions.model import Definitions
from engine.errors import UnknownColumnError, UnknownNameError, UnsupportedError
from engine.journeys.columns import DATASET, EVENT_ID, SYSTEM, leaf_columns
from engine.journeys.person import chunk_of
from engine.journeys.scan import Chunk, loads
from engine.report.columns import spelled_out
from engine.report.frame import Frame
from engine.report.given import Given, given
from engine.report.plan import Kind, Lane, ReportPlan, plan
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest, TimeRange
from engine.report.sql import Statements
from engine.world import Home, World

METRIC: Final = "metric"
ALL_TIME: Final = TimeRange()
LISTED: Final = 100
"""So many conversions are listed for an event; all are counted."""
COLUMNS: Final = (
    *("event", "timestamp", "dataset", "event_id", "session", "session_start", "value", "persisted"),
    *(METRIC, "is_touch", "is_conversion", "credit", "no_touch", "conversions", "credit_from"),
)
"""The columns of the answer, in their order."""
SOURCE: Final = pa.struct([("event", pa.int64()), ("credit", pa.float64())])


@dataclass(frozen=True)
class CreditRequest:
    """Which number to explain, of whom.

    Attributes:
        person: the person's id, as ``adobe_personid`` shows it.
        dimension: by what the number is grouped; None explains the total.
        range: the report's range.
    """

    view: str
    person: str
    metric: str
    dimension: str | None = None
    range: TimeRange = ALL_TIME


def credit_of_person(asked: CreditRequest, home: Home, world: World, cancellation: Cancellation) -> pa.Table:
    """Return a person's events in journey order, each with the credit that it got.

    Events of the report are listed, and earlier ones that its conversions credit. Columns: ``event``
    (1, 2, …), ``timestamp`` in the view's zone, ``dataset``, ``event_id``, ``session`` (the person's
    first is 1), ``session_start``, ``value`` and ``persisted`` of the dimension, ``metric``, ``is_touch``,
    ``is_conversion``, ``credit``, ``no_touch`` (of a conversion that credits nobody), ``conversions``
    (from how many the credit comes), ``credit_from`` (which: event and credit).

    Raises:
        UnknownNameError: there is no such view, or no such person in it.
        UnknownColumnError: there is no such metric or dimension.
        UnsupportedError: the number is not the sum of what single events have.
    """
    planned = planned_for(asked, world.definitions)
    connection, names = planned.connection, _columns(planned)
    version, check = world.journeys[connection], cancellation.check
    found = loads(home, connection, version, names, world=world, check=check)
    chunk = chunk_of(asked.person, found, check)
    unknown = UnknownNameError(
        f'there is no person "{asked.person}" in data view "{planned.view.name}"',
        hint="Persons are the values of adobe_personid; stitching may have given the events to another one.",
    )
    if chunk is None:
        raise unknown
    table = credit_in(planned, chunk, world.definitions, cancellation)
    if table is None:
        raise unknown
    return table


def credit_schema(asked: CreditRequest, definitions: Definitions) -> pa.Schema:
    """Return the names and types of the answer, without reading any data.

    Raises: as ``credit_of_person``, but for the person.
    """
    planned = planned_for(asked, definitions)
    kinds = SYSTEM | leaf_columns(definitions, planned.connection)
    columns = {name: pa.array([], kinds[name]) for name in _columns(planned)}
    chunk = Chunk(np.zeros(1, np.int64), np.zeros(0, np.int64), columns)
    frame = Frame(planned, chunk, Statements(Cancellation(), {}))
    return _listed(frame, definitions).schema


def credit_in(
    planned: ReportPlan, chunk: Chunk, definitions: Definitions, cancellation: Cancellation
) -> pa.Table | None:
    """Return the answer for a chunk of one person; None if rules on rows hide all of the person.

    Then nothing may tell that there is such a person.
    """
    frame = Frame(planned, chunk, Statements(cancellation, {}))
    hidden = frame.segment is not None and not frame.segment.any()
    return None if hidden else _listed(frame, definitions)


def planned_for(asked: CreditRequest, definitions: Definitions) -> ReportPlan:
    """Plan the report whose number is explained, with sessions, from the beginning of the journey."""
    view = data_view(definitions, asked.view)
    metric = _component(asked.metric, Role.METRIC, view.component(asked.metric))
    if not metric.additive:
        raise UnsupportedError(
            f'"{metric.id}" counts persons or sessions; no event gets credit for it',
            hint="Explain a metric that is summed, such as occurrences.",
        )
    dimensions: tuple[DimensionColumn, ...] = ()
    if asked.dimension is not None:
        dimension = _component(asked.dimension, Role.DIMENSION, view.component(asked.dimension))
        dimensions = (DimensionColumn("value", exp.column(dimension.id, quoted=True)),)
    metrics = [
        MetricColumn(name, Aggregate.VALUE, exp.column(component, quoted=True))
        for name, component in ((METRIC, metric.id), (SESSIONS, SESSIONS))
    ]
    planned = plan(ReportRequest(view.name, dimensions, tuple(metrics), asked.range), definitions)
    _check(planned)
    return replace(planned, scan_start=None)


def _component(name: str, role: Role, component: Component) -> Component:
    if component.role is not role:
        raise UnknownColumnError(
            f'"{name}" is not a {role}', hint="A metric is summed, a dimension is grouped by."
        )
    return component


def _check(planned: ReportPlan) -> None:
    """Refuse numbers that are not made of single events of one person."""
    lane = _lane(planned)
    grouped = [planned.view.component(d.expression.name) for d in planned.request.dimensions]
    in_elements = lane.array is not None
    several = in_elements or (lane.attribution is None and any(each.several for each in grouped))
    if lane.kind in (Kind.EVENTS, Kind.TOUCHES, Kind.SHARES) and not several:
        return
    if lane.attribution is not None and lane.kind is Kind.SETS:
        raise UnsupportedError(
            f"the model {lane.attribution.model} learns from all persons; one journey does not explain it",
            hint="Explain a metric with another model.",
        )
    raise UnsupportedError(
        "an event may have several values of the dimension, so its credit cannot be explained by event",
        hint="Choose a dimension that has one value on an event.",
    )


def _lane(planned: ReportPlan) -> Lane:
    """The lane that the metric is in."""
    return next(lane for lane in planned.lanes if any(metric.name == METRIC for metric in lane.metrics))


def _columns(planned: ReportPlan) -> tuple[str, ...]:
    return tuple(sorted({*planned.columns, DATASET, EVENT_ID}))


def _listed(frame: Frame, definitions: Definitions) -> pa.Table:
    metric = next(m for m in _lane(frame.plan).metrics if m.name == METRIC)
    component = frame.plan.view.component(metric.expression.name)
    found = given(frame, _lane(frame.plan), component)
    rows = _rows(frame, found)
    columns = _of_events(frame, definitions) | _of_dimension(frame)
    columns |= {METRIC: frame.raw(component)} | _of_credit(found)
    table = pa.table({name: decoded(taken(column, rows)) for name, column in columns.items()})
    table = table.add_column(0, "event", pa.array(np.arange(1, rows.size + 1)))
    return _with_sources(table, found, rows)


def _rows(frame: Frame, found: Given) -> Rows:
    """Events of the report, and others that got credit from them."""
    if frame.chosen is None:
        return _every(frame)
    return marked_rows(frame.chosen | mask_of(found.rows, frame.chunk.rows))


def _of_events(frame: Frame, definitions: Definitions) -> dict[str, pa.Array]:
    columns, sessions = frame.chunk.columns, frame.session_index
    datasets = definitions.connections[frame.plan.connection].datasets
    named = [definitions.datasets[name].event_id is not None for name in datasets]
    places = columns[DATASET].to_numpy()
    starts = frame.timestamps.take(pa.array(np.flatnonzero(frame.starts)))
    return {
        "timestamp": frame.timestamps,
        "dataset": pa.array(list(datasets), pa.string()).take(columns[DATASET]),
        # Where there is no event id, the journeys keep a digest in its place.
        "event_id": taken(columns[EVENT_ID], np.where(np.array(named)[places], _every(frame), np.int32(-1))),
        "session": pa.array(sessions.astype(np.int64)),
        "session_start": starts.take(pa.array(sessions - 1)),
    }


def _every(frame: Frame) -> Rows:
    return np.arange(frame.chunk.rows, dtype=np.int32)


def _of_dimension(frame: Frame) -> dict[str, pa.Array]:
    """The dimension's own value, and the one after persistence."""
    dimensions = frame.plan.request.dimensions
    if not dimensions:
        return {name: pa.nulls(frame.chunk.rows, pa.string()) for name in ("value", "persisted")}
    dimension = frame.plan.view.component(dimensions[0].expression.name)
    if dimension.scope is Scope.TIME:
        time = _of_time(frame, dimensions[0].expression)
        return {"value": time, "persisted": time}
    return {"value": frame.raw(dimension), "persisted": frame.shown(dimension)}


def _of_time(frame: Frame, dimension: exp.Expr) -> pa.Array:
    """The event's period, as the report's own statements see it."""
    period = exp.alias_(spelled_out(dimension), "value", quoted=True)
    times = pa.table({TIMESTAMP: frame.timestamps})
    return combined(frame.statements.run(times, exp.select(period).from_(exp.to_table("rows")))["value"])


def _of_credit(found: Given) -> dict[str, pa.Array]:
    got = np.bincount(found.rows, minlength=found.touches.size)
    return {
        "is_touch": pa.array(found.touches.view(np.bool_)),
        "is_conversion": pa.array(found.conversions.view(np.bool_)),
        "credit": pa.array(found.by_event(), mask=got == 0),
        "no_touch": pa.array(found.lost, mask=found.lost == 0.0),
        "conversions": pa.array(got.astype(np.int64)),
    }


def _with_sources(table: pa.Table, found: Given, rows: Rows) -> pa.Table:
    """Say for each event which conversions credit it: the first of them, by the number of the event."""
    numbers = np.zeros(found.touches.size, np.int64)
    numbers[rows] = np.arange(1, rows.size + 1)
    begins, ends = np.searchsorted(found.rows, rows, "left"), np.searchsorted(found.rows, rows, "right")
    sizes = np.minimum(ends - begins, LISTED)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    places = np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], sizes)
    sources = [pa.array(numbers[found.sources[places]]), pa.array(found.credit[places])]
    entries = pa.StructArray.from_arrays(sources, fields=list(SOURCE))
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), entries)
    return table.append_column("credit_from", lists)
