"""EXPLAIN of a report: the steps, and what each reads, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from engine.dataview.components import model_name
from engine.dataview.local_time import to_local
from engine.dataview.segments import spelled
from engine.dataview.values import is_plain
from engine.definitions.settings import MetricExpiration, PersistenceDefinition
from engine.definitions.values import write_duration
from engine.report.keeping import deduplication_of, persistence_of
from engine.report.local import MERGE, READ
from engine.report.pipeline import STEPS, persisted
from engine.report.plan import Lane, ReportPlan, plan
from engine.report.request import ReportRequest
from engine.report.trace import Taken, Trace
from engine.world import World


def explain(request: ReportRequest, world: World, trace: Trace | None = None) -> list[str]:
    """Return the steps of a report in their order, with what each of them does.

    Args:
        trace: what the steps took, if the report ran; it is said beside each step.

    Raises:
        WaylineError: the request cannot be planned.
    """
    planned = plan(request, world.definitions)
    lines = [f'Report over data view "{planned.view.name}" in world {world.id}{_as_of(world)}']
    for name in (READ, *(step.name for step in STEPS), MERGE):
        described = _DESCRIPTIONS.get(name, _nothing)(planned)
        took = None if trace is None else trace.taken.get(name)
        if described or (took is not None and took.rows):
            lines.append(f"  {name}{'' if trace is None or took is None else _took(took, trace.counting)}")
            lines += [f"    {line}" for line in described]
    if trace is not None:
        lines.insert(1, f"  {_plural(trace.buckets, 'bucket')} of journeys")
    return lines


def _as_of(world: World) -> str:
    instant = world.identity_as_of
    return "" if instant is None else f", identities as of {instant:%Y-%m-%d %H:%M:%S %Z}"


def _took(taken: Taken, counted: bool) -> str:
    chunks, size, time = _plural(taken.chunks, "chunk"), taken.size / 1e6, taken.seconds * 1e3
    made = f", {taken.rows:,} rows, {size:,.1f} MB" if counted else ""
    return f" ({chunks}{made}, {time:,.1f} ms)"


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _nothing(planned: ReportPlan) -> list[str]:
    return []


def _read(planned: ReportPlan) -> list[str]:
    return [f"connection {planned.connection}: columns {_listed(planned.columns)}, {_scan_range(planned)}"]


def _values(planned: ReportPlan) -> list[str]:
    components = (planned.view.component(name) for name in sorted(planned.ids))
    changed = [c.id for c in components if c.source is not None and not is_plain(c)]
    return [f"values of {_listed(changed)} as their settings say"] if changed else []


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
    ends = f", or after {_listed(settings.end_on)}" if settings.end_on else ""
    return [f"a new one after a gap longer than {write_duration(settings.timeout)}{starts}{ends}"]


def _persistence(planned: ReportPlan) -> list[str]:
    components = [planned.view.component(name) for name in sorted(persisted(planned))]
    return [
        f"{component.id} keeps its {settings.allocation.replace('_', ' ')} value"
        f"{_binding(settings)}, expires with {_expiration(settings)}"
        for component in components
        if (settings := persistence_of(component)) is not None
    ]


def _deduplication(planned: ReportPlan) -> list[str]:
    components = [planned.view.component(name) for name in sorted(planned.ids)]
    return [
        f"{component.id} counts the {settings.keep} of each {settings.by} in a {settings.scope}"
        for component in components
        if (settings := deduplication_of(component)) is not None
    ]


def _binding(settings: PersistenceDefinition) -> str:
    if settings.binding is None:
        return ""
    metric = settings.binding.metric
    return f" for each {settings.binding.dimension}{'' if metric is None else f', bound where {metric} is'}"


def _expiration(settings: PersistenceDefinition) -> str:
    expiration = settings.expiration
    if isinstance(expiration, MetricExpiration):
        return f"metric {expiration.metric}"
    return expiration if isinstance(expiration, str) else f"an age of {write_duration(expiration)}"


def _segment(planned: ReportPlan) -> list[str]:
    asked = planned.request.segment
    lines = [spelled(segment) for segment in planned.segments]
    return lines if asked is None else [*lines, f"events where {asked.sql('postgres')}"]


def _lane(lane: Lane, planned: ReportPlan) -> list[str]:
    measured = [f"{metric.name} = {_measure(metric.expression)}" for metric in lane.metrics]
    what = f"{lane.kind}: {_listed(measured)}"
    if lane.attribution is not None:
        lookback = lane.attribution.lookback
        reach = "reporting window" if lookback is None else write_duration(lookback)
        what += (
            f"; {model_name(lane.attribution)} of {_listed(planned.touch_dimensions)}, "
            f"container {lane.attribution.container}, lookback {reach}"
        )
    if lane.segment is not None:
        what += f"; where {lane.segment.sql('postgres')}"
    return [f"{what}; elements of {lane.array}" if lane.array else what]


def _lanes(planned: ReportPlan) -> list[str]:
    return [line for lane in planned.lanes for line in _lane(lane, planned)]


def _measure(expression: exp.Expr) -> str:
    return expression.sql("postgres")


_DESCRIPTIONS: Mapping[str, Callable[[ReportPlan], list[str]]] = {
    READ: _read,
    "values": _values,
    "sessions": _sessions,
    "persistence": _persistence,
    "segments": _segment,
    "deduplication": _deduplication,
    "attribution": _lanes,
}
"""Step → what it does in a plan; a step without anything to say is left out unless it ran."""
