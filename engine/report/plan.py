"""From a request to what must be read and computed: lanes, columns, and how far back to look.

A lane is a set of metrics that see the same rows: those of each attribution (and, where a column has a
condition that works as a segment, of each condition) in one lane, all others on the conversion's event.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from engine.dataview.segments import Segment, conditions, segments_of
from engine.definitions.model import AttributionDefinition, Definitions
from engine.errors import UnsupportedError
from engine.report.around import journey_columns, needs_sessions
from engine.report.bounds import scan_end, scan_start, touch_reach, touch_start, within_sessions
from engine.report.columns import array_of, component_ids, ids_behind, in_array
from engine.report.keeping import by_session, deduplication_of, with_references
from engine.report.request import Aggregate, MetricColumn, ReportRequest
from engine.report.segments import looks_around, takes_sessions


class Kind(StrEnum):
    """What the rows of a lane are."""

    EVENTS = "events"
    """Events with the dimensions' values after persistence."""
    TOUCHES = "touches"
    """Conversions beside the one touch that gets all credit (last, first, same touch)."""
    SHARES = "shares"
    """Touches beside the credit that they get, for models that give credit to several."""
    SETS = "sets"
    """Conversions by the set of items that led to them; all paths decide weights (algorithmic, markov)."""
    ELEMENTS = "elements"
    """Elements of an array of objects."""
    ELEMENT_EVENTS = "element events"
    """Events counted once for each distinct value of their elements, or of a dimension that keeps all."""
    ELEMENT_VALUES = "element values"
    """Elements counted once for each distinct value of a dimension that keeps all."""
    DISTINCT = "distinct"
    """Distinct values of one dimension expression."""
    ROWS = "rows"
    """Events as they are, one row each."""


@dataclass(frozen=True)
class Lane:
    """Metrics that are aggregated over the same rows.

    Attributes:
        attribution: set for TOUCHES, SHARES and SETS.
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
        segments: the view's and the request's; what is asked is asked of events that belong to all.
        scan_start: events before are not needed (µs UTC); None reads from the beginning.
        scan_end: events from then on are not needed (µs UTC); None reads to the end.
        reach: how long before the range an event may matter as a touch or to a segment, in microseconds;
            None: however long.
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
    segments: tuple[Segment, ...]
    scan_start: int | None
    scan_end: int | None
    reach: int | None
    touch_start: int | None
    sessions: bool


def plan(request: ReportRequest, definitions: Definitions) -> ReportPlan:
    """Resolve a request.

    Raises:
        UnknownNameError, UnknownColumnError: a name that is not there.
        SegmentError: one of the request's segments cannot be evaluated.
        UnsupportedError: a combination that has no meaning yet.
    """
    view = data_view(definitions, request.view)
    segments = segments_of((*view.definition.segments, *request.segments), view)
    ids = _used_ids(request) | component_ids(conditions(segments))
    components = with_references([view.component(component_id) for component_id in sorted(ids)], view)
    touch_dimensions = _touch_dimensions(request, view)
    lanes = _lanes(request, view, touch_dimensions)
    attributions = [lane.attribution for lane in lanes if lane.attribution is not None]
    sessions = _needs_sessions(components, attributions) or takes_sessions(segments)
    around = looks_around(segments)
    reach = None if around else touch_reach(request.range.start, view.definition.time_zone, attributions)
    return ReportPlan(
        request=request,
        view=view,
        connection=view.definition.connection,
        touch_dimensions=touch_dimensions,
        lanes=lanes,
        ids=frozenset(ids),
        columns=_columns([*components, *(_session_metrics(view) if sessions else ())]),
        segments=segments,
        scan_start=scan_start(request.range, view, components, attributions, sessions, reach),
        scan_end=None if around else scan_end(request.range, view, components),
        reach=reach,
        touch_start=touch_start(request.range.start, view.definition.time_zone),
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
    array, own = _array(request, others, view), [m for m in others if _is_segmented(m, request, view)]
    shared = tuple(m for m in others if m not in own)
    return (
        *_plain_lanes(shared, request, view, array),
        *(lane for m in own for lane in _plain_lanes((m,), request, view, array, m.condition)),
        *_attributed_lanes(attributed, view, request, touches),
        *(Lane(Kind.DISTINCT, (m,), array=_array(request, (m,), view)) for m in distinct),
    )


def _touched_array(touched: list[Component], metric: MetricColumn) -> str | None:
    """The array on whose elements the touches of a metric lie, if it is not the events themselves.

    Raises:
        UnsupportedError: they lie in several arrays, or an event has several values after persistence.
    """
    if len(touched) == 1:
        return touched[0].array if touched[0].of_elements else None
    for component in touched:
        _refuse(
            component.keeps_all,
            f'metric "{metric.expression.name}" has an attribution, and "{component.id}" may have several '
            "values on an event",
        )
    return array_of(touched)


def _is_segmented(metric: MetricColumn, request: ReportRequest, view: DataView) -> bool:
    """Whether a column's condition takes events away before duplicates are looked for."""
    if metric.condition is None or is_result_filter(metric, request):
        return False
    ids = component_ids([metric.expression])
    several = any(view.component(name).several for name in ids_behind([metric.condition], request.lookups))
    return not several and any(deduplication_of(view.component(name)) for name in ids)


def _row_lanes(request: ReportRequest, view: DataView) -> tuple[Lane, ...]:
    """A row shows the values of all its elements together, which only texts can, and no join."""
    joined = component_ids(lookup.on for lookup in request.lookups)
    for component in map(view.component, sorted(_used_ids(request))):
        if component.several:
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


def _plain_lanes(
    metrics: tuple[MetricColumn, ...],
    request: ReportRequest,
    view: DataView,
    array: str | None,
    segment: exp.Expr | None = None,
) -> tuple[Lane, ...]:
    """The lanes of metrics without an attribution.

    Where an event has several rows, metrics of the opened array count per element, and sums of the event
    once per event and item.
    """
    expressions = [*(d.expression for d in request.dimensions), *(lookup.on for lookup in request.lookups)]
    used = component_ids([*expressions, *(m.expression for m in metrics), *(m.condition for m in metrics)])
    listed = {name for name in used if view.component(name).keeps_all}
    # Grouped by all of its own values, an event has each only once; a function of them may repeat.
    bare = {d.expression.name for d in request.dimensions if is_component(d.expression)}
    if array is None and listed <= bare:
        return (Lane(Kind.EVENTS, metrics, segment=segment),)
    event_sums = tuple(m for m in metrics if _is_sum(m, view) and not _is_inside(m, view, array))
    sums = tuple(m for m in metrics if listed and _is_sum(m, view) and m not in event_sums)
    others = tuple(m for m in metrics if m not in event_sums and m not in sums)
    lanes = [Lane(Kind.ELEMENTS, others, None, segment, array)]
    for kind, members in ((Kind.ELEMENT_EVENTS, event_sums), (Kind.ELEMENT_VALUES, sums)):
        lanes += [Lane(kind, members, None, segment, array)] if members else []
    return tuple(lanes)


def _is_inside(metric: MetricColumn, view: DataView, array: str | None) -> bool:
    return any(in_array(view.component(name), array) for name in component_ids([metric.expression]))


def _is_sum(metric: MetricColumn, view: DataView) -> bool:
    additive = all(view.component(name).additive for name in component_ids([metric.expression]))
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
    return ids_behind([metric.condition], request.lookups) <= grouped


def _attributed_lanes(
    metrics: list[MetricColumn], view: DataView, request: ReportRequest, touches: tuple[str, ...]
) -> list[Lane]:
    touched = [view.component(name) for name in touches]
    groups: dict[tuple[AttributionDefinition, exp.Expr | None], list[MetricColumn]] = {}
    for metric in metrics:
        attribution = attribution_of(metric, view)
        segment = None if is_result_filter(metric, request) else metric.condition
        if attribution is not None:
            groups.setdefault((attribution, segment), []).append(metric)
    return [
        Lane(
            _attributed_kind(attribution.model),
            tuple(members),
            attribution,
            segment,
            _touched_array(touched, members[0]),
        )
        for (attribution, segment), members in groups.items()
    ]


def _attributed_kind(model: str) -> Kind:
    if model in ("algorithmic", "markov"):
        return Kind.SETS
    return Kind.TOUCHES if model in SINGLES else Kind.SHARES


def _needs_sessions(components: list[Component], attributions: list[AttributionDefinition]) -> bool:
    return by_session(components) or any(map(needs_sessions, components)) or within_sessions(attributions)


def _session_metrics(view: DataView) -> list[Component]:
    settings = view.definition.sessions
    return [view.component(name) for name in (*settings.start_on, *settings.end_on)]


def _columns(components: list[Component]) -> tuple[str, ...]:
    columns = {component.source.column for component in components if component.source}
    return tuple(sorted(columns | journey_columns(components)))
