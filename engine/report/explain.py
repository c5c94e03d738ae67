"""EXPLAIN of a report: the steps, and what each reads, in words."""

from __future__ import annotations

from sqlglot import exp

from engine.dataview.components import Component
from engine.dataview.local_time import to_local
from engine.definitions.settings import MetricExpiration, PersistenceDefinition
from engine.report.plan import Lane, ReportPlan, deduplication_of, persistence_of, plan
from engine.report.request import ReportRequest
from engine.world import World


def explain(request: ReportRequest, world: World) -> list[str]:
    """Return the steps of a report, one line each; nothing is read.

    Raises:
        WaylineError: the request cannot be planned.
    """
    planned = plan(request, world.definitions)
    return [
        f'Report over data view "{planned.view.name}" in world {world.id}',
        f"  scan: connection {planned.connection}, columns {_listed(planned.columns)}, "
        f"{_scan_range(planned)}",
        *_sessions(planned),
        *_persistence(planned),
        *_segment(planned),
        *(line for lane in planned.lanes for line in _lane(lane, planned)),
    ]


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) if names else "none"


def _scan_range(planned: ReportPlan) -> str:
    zone = planned.view.definition.time_zone
    start, end = planned.scan_start, planned.scan_end
    since = "from the beginning" if start is None else f"from {to_local(start, zone)}"
    until = "to the end" if end is None else f"to {to_local(end, zone)}"
    return f"{since} {until} ({zone})"


def _sessions(planned: ReportPlan) -> list[str]:
    if not planned.sessions:
        return []
    settings = planned.view.definition.sessions
    starts = f", or on {_listed(settings.start_on)}" if settings.start_on else ""
    return [f"  sessions: a new one after a gap longer than {settings.timeout}{starts}"]


def _persistence(planned: ReportPlan) -> list[str]:
    components: list[Component] = [planned.view.component(name) for name in sorted(planned.ids)]
    kept = [
        f"  persistence: {component.id} keeps its {settings.allocation.replace('_', ' ')} value"
        f"{_binding(settings)}, expires with {_expiration(settings)}"
        for component in components
        if (settings := persistence_of(component)) is not None
    ]
    once = [
        f"  deduplication: {component.id} counts the {unique.keep} of each {unique.by} in a {unique.scope}"
        for component in components
        if (unique := deduplication_of(component)) is not None
    ]
    return kept + once


def _binding(settings: PersistenceDefinition) -> str:
    if settings.binding is None:
        return ""
    metric = settings.binding.metric
    return f" for each {settings.binding.dimension}{'' if metric is None else f', bound where {metric} is'}"


def _expiration(settings: PersistenceDefinition) -> str:
    expiration = settings.expiration
    return f"metric {expiration.metric}" if isinstance(expiration, MetricExpiration) else str(expiration)


def _segment(planned: ReportPlan) -> list[str]:
    segment = planned.request.segment
    return [] if segment is None else [f"  segment: events where {segment.sql('postgres')}"]


def _lane(lane: Lane, planned: ReportPlan) -> list[str]:
    measured = [f"{metric.name} = {_measure(metric.expression)}" for metric in lane.metrics]
    what = f"  {lane.kind}: {_listed(measured)}"
    if lane.attribution is not None:
        lookback = lane.attribution.lookback or "reporting window"
        what += (
            f"; {lane.attribution.model} touch of {_listed(planned.touch_dimensions)}, "
            f"container {lane.attribution.container}, lookback {lookback}"
        )
    if lane.segment is not None:
        what += f"; where {lane.segment.sql('postgres')}"
    return [f"{what}; elements of {lane.array}" if lane.array else what]


def _measure(expression: exp.Expr) -> str:
    return expression.sql("postgres")
