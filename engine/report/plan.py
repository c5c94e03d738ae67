"""From a request to what must be read and computed: lanes, columns, and how far back to look.

A lane is a set of metrics that see the same rows: those of each attribution (and, where a column has a
condition that works as a segment, of each condition) in one lane, all others on the conversion's event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import pyarrow as pa
from sqlglot import exp

from attribution.models import SINGLES
from engine.dataview.components import (
    Component,
    DataView,
    Role,
    Scope,
    data_view,
)
from engine.dataview.local_time import month_start
from engine.definitions.model import (
    AttributionDefinition,
    Definitions,
    DimensionDefinition,
    PersistenceDefinition,
)
from engine.errors import UnsupportedError
from engine.report.around import earliest, journey_columns, latest, needs_sessions
from engine.report.columns import array_of, component_ids, in_array
from engine.report.request import Aggregate, MetricColumn, ReportRequest


class Kind(StrEnum):
    """What the rows of a lane are."""

    EVENTS = "events"
    """Events with the dimensions' values after persistence."""
    TOUCHES = "touches"
    """Conversions beside the one touch that gets all credit (last, first, same touch)."""
    SHARES = "shares"
    """Touches beside the credit that they get, for models that give credit to several."""
    ELEMENTS = "elements"
    """Elements of an array of objects."""
    ELEMENT_EVENTS = "element events"
    """Events counted once for each distinct element value."""
    DISTINCT = "distinct"
    """Distinct values of one dimension expression."""
    ROWS = "rows"
    """Events as they are, one row each."""


@dataclass(frozen=True)
class Lane:
    """Metrics that are aggregated over the same rows.

    Attributes:
        attribution: set for TOUCHES and SHARES.
        segment: an event segment of this lane alone, besides the request's.
        array: the array of objects that the lane opens into elements, if any.
    """

    kind: Kind
    metrics: tuple[MetricColumn, ...]
    attribution: AttributionDefinition | None = None
    segment: exp.Expr | None = None
    array: str | None = None


@dataclass(frozen=True)
class ReportPlan:
    """A request resolved against its data view.

    Attributes:
        touch_dimensions: grouped event dimensions; a touch is where they are set.
        lanes: what is computed, in order.
        ids: every component that is used.
        columns: journey columns to read.
        scan_start: events before are not needed (µs UTC); None reads from the beginning.
        scan_end: events from here on are not needed (µs UTC); None reads to the end.
        reach: how long before the range an event may matter as a touch, in microseconds.
        touch_start: touches before do not count (µs UTC), the reporting window of docs/semantics.md.
        sessions: whether session starts are needed.
    """

    request: ReportRequest
    view: DataView
    connection: str
    touch_dimensions: tuple[str, ...]
    lanes: tuple[Lane, ...]
    ids: frozenset[str]
    columns: tuple[str, ...]
    scan_start: int | None
    scan_end: int | None
    reach: int
    touch_start: int | None
    sessions: bool


def plan(request: ReportRequest, definitions: Definitions) -> ReportPlan:
    """Resolve a request.

    Raises:
        UnknownNameError, UnknownColumnError: a name that is not there.
        UnsupportedError: a combination that has no meaning yet.
    """
    view = data_view(definitions, request.view)
    ids = _used_ids(request)
    components = [view.component(component_id) for component_id in sorted(ids)]
    touch_dimensions = _touch_dimensions(request, view)
    lanes = _lanes(request, view, touch_dimensions)
    sessions = _needs_sessions(components, lanes)
    reach = _reach(request.range.start, view.definition.time_zone, lanes)
    return ReportPlan(
        request=request,
        view=view,
        connection=view.definition.connection,
        touch_dimensions=touch_dimensions,
        lanes=lanes,
        ids=frozenset(ids),
        columns=_columns([*components, *(_session_metrics(view) if sessions else ())]),
        scan_start=_scan_start(request.range.start, view, components, lanes, sessions, reach),
        scan_end=latest(request.range.end, microseconds(view.definition.sessions.timeout), components),
        reach=reach,
        touch_start=_month_start(request.range.start, view.definition.time_zone),
        sessions=sessions,
    )


def _used_ids(request: ReportRequest) -> set[str]:
    expressions: list[exp.Expr | None] = [request.segment]
    expressions += [dimension.expression for dimension in request.dimensions]
    expressions += [lookup.on for lookup in request.lookups]
    for metric in request.metrics:
        expressions += [metric.expression, metric.condition]
    return component_ids(expressions)


def _touch_dimensions(request: ReportRequest, view: DataView) -> tuple[str, ...]:
    """Event dimensions that are grouped, by themselves or through a lookup that is."""
    expressions = [dimension.expression for dimension in request.dimensions]
    tables = {column.table for e in expressions for column in e.find_all(exp.Column)}
    joined = [lookup.on for lookup in request.lookups if lookup.alias in tables]
    found = (view.component(name) for name in sorted(component_ids([*expressions, *joined])))
    return tuple(
        component.id
        for component in found
        if component.role is Role.DIMENSION and component.scope is Scope.EVENT
    )


def _lanes(request: ReportRequest, view: DataView, touches: tuple[str, ...]) -> tuple[Lane, ...]:
    distinct = [m for m in request.metrics if m.aggregate is Aggregate.DISTINCT]
    attributed = [m for m in request.metrics if touches and attribution_of(m, view)]
    others = tuple(m for m in request.metrics if m not in distinct and m not in attributed)
    if request.row_level:
        return _row_lanes(request, view)
    array = _array(request, others, view)
    for metric in attributed:
        _refuse(
            array is not None,
            f'metric "{metric.expression.name}" has an attribution, which does not reach into "{array}"',
        )
    return (
        *(_element_lanes(others, view, array) if array else (Lane(Kind.EVENTS, others),)),
        *_attributed_lanes(attributed, view, request),
        *(Lane(Kind.DISTINCT, (m,), array=_array(request, (m,), view)) for m in distinct),
    )


def _row_lanes(request: ReportRequest, view: DataView) -> tuple[Lane, ...]:
    """A row shows the values of all its elements together, which only texts can, and no join."""
    joined = component_ids(lookup.on for lookup in request.lookups)
    for component in map(view.component, sorted(_used_ids(request))):
        if component.role is Role.DIMENSION and component.source is not None and component.source.repeated:
            shown = pa.types.is_string(component.type) and component.id not in joined
            _refuse(not shown, f'single rows cannot show the elements of "{component.id}"')
    return (Lane(Kind.ROWS, request.metrics),)


def _refuse(refused: bool, message: str) -> None:
    if refused:
        raise UnsupportedError(
            message, hint="Group by a dimension of the event, or use SUM of a plain metric."
        )


def _array(request: ReportRequest, metrics: tuple[MetricColumn, ...], view: DataView) -> str | None:
    """The array of objects that the grouped dimensions, or what these metrics read, live in."""
    expressions: list[exp.Expr | None] = [d.expression for d in request.dimensions]
    expressions += [lookup.on for lookup in request.lookups]
    for metric in metrics:
        expressions += [metric.expression, metric.condition]
    return array_of(view.component(name) for name in component_ids(expressions))


def _element_lanes(metrics: tuple[MetricColumn, ...], view: DataView, array: str) -> tuple[Lane, ...]:
    """Metrics of the same array count per element; sums of the event count once per event and item."""
    event_sums = tuple(m for m in metrics if _is_event_sum(m, view, array))
    others = tuple(m for m in metrics if m not in event_sums)
    lanes = (Lane(Kind.ELEMENTS, others, array=array),)
    return (*lanes, Lane(Kind.ELEMENT_EVENTS, event_sums, array=array)) if event_sums else lanes


def _is_event_sum(metric: MetricColumn, view: DataView, array: str) -> bool:
    components = [view.component(name) for name in component_ids([metric.expression])]
    if any(in_array(component, array) for component in components):
        return False
    additive = all(component.additive for component in components)
    return metric.aggregate is Aggregate.COUNT or (metric.aggregate is Aggregate.VALUE and additive)


def is_component(expression: exp.Expr) -> bool:
    """Whether an expression is a component alone; a column with a table is a lookup's."""
    return isinstance(expression, exp.Column) and not expression.table


def attribution_of(metric: MetricColumn, view: DataView) -> AttributionDefinition | None:
    """Return the attribution with which a metric column is evaluated, if any."""
    if metric.aggregate is not Aggregate.VALUE:
        return None
    if is_component(metric.expression):
        return view.component(metric.expression.name).attribution
    for name in component_ids([metric.expression]):
        if view.component(name).attributed:
            raise UnsupportedError(
                f'metric "{name}" has an attribution and cannot be part of an expression inside SUM',
                hint=f'Compute outside: SUM("{name}") * 2 instead of SUM("{name}" * 2).',
            )
    return None


def is_result_filter(metric: MetricColumn, request: ReportRequest) -> bool:
    """Whether a column's condition names grouped dimensions only, and so filters the answer's rows."""
    grouped = {
        dimension.expression.name for dimension in request.dimensions if is_component(dimension.expression)
    }
    return component_ids([metric.condition]) <= grouped


def _attributed_lanes(metrics: list[MetricColumn], view: DataView, request: ReportRequest) -> list[Lane]:
    groups: dict[tuple[AttributionDefinition, exp.Expr | None], list[MetricColumn]] = {}
    for metric in metrics:
        attribution = attribution_of(metric, view)
        segment = None if is_result_filter(metric, request) else metric.condition
        if attribution is not None:
            groups.setdefault((attribution, segment), []).append(metric)
    return [
        Lane(
            Kind.TOUCHES if attribution.model in SINGLES else Kind.SHARES,
            tuple(members),
            attribution,
            segment,
        )
        for (attribution, segment), members in groups.items()
    ]


def persistence_of(component: Component) -> PersistenceDefinition | None:
    """Return a dimension's persistence, None for everything else."""
    settings = component.definition
    return settings.persistence if isinstance(settings, DimensionDefinition) else None


def _needs_sessions(components: list[Component], lanes: tuple[Lane, ...]) -> bool:
    by_persistence = any(
        (settings := persistence_of(component)) is not None and settings.expiration == "session"
        for component in components
    )
    return by_persistence or any(map(needs_sessions, components)) or _session_container(lanes)


def _session_container(lanes: tuple[Lane, ...]) -> bool:
    return any(lane.attribution and lane.attribution.container == "session" for lane in lanes)


def _session_metrics(view: DataView) -> list[Component]:
    settings = view.definition.sessions
    return [view.component(name) for name in (*settings.start_on, *settings.end_on)]


def _columns(components: list[Component]) -> tuple[str, ...]:
    columns = {component.source.column for component in components if component.source}
    return tuple(sorted(columns | journey_columns(components)))


def microseconds(duration: timedelta) -> int:
    """Return a duration in microseconds."""
    return duration // timedelta(microseconds=1)


def _month_start(start: int | None, time_zone: str) -> int | None:
    """The reporting window begins with the month that the range begins in (``[EX-DV-A0]``)."""
    return None if start is None else month_start(start, time_zone)


def _scan_start(
    start: int | None,
    view: DataView,
    components: list[Component],
    lanes: tuple[Lane, ...],
    sessions: bool,
    reach: int,
) -> int | None:
    """A session may have begun any time before the range, so what depends on its first events reads all."""
    settings = [p for p in map(persistence_of, components) if p is not None]
    endless = any(p.expiration == "session" for p in settings) or _session_container(lanes)
    timeout = microseconds(view.definition.sessions.timeout)
    first = earliest(start, timeout, view.definition.time_zone, components)
    if start is None or first is None or endless:
        return None
    kept = [microseconds(p.expiration) for p in settings if isinstance(p.expiration, timedelta)]
    gap = timeout if sessions else 0
    return min(first, start - max(gap, reach + max(kept, default=0)))


def _reach(start: int | None, time_zone: str, lanes: tuple[Lane, ...]) -> int:
    """How long before the range touches may lie that count in it, in microseconds."""
    month_start = _month_start(start, time_zone)
    window = 0 if start is None or month_start is None else start - month_start
    lookbacks = (lane.attribution.lookback for lane in lanes if lane.attribution is not None)
    return max((window if lookback is None else microseconds(lookback) for lookback in lookbacks), default=0)
