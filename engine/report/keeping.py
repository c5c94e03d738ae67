"""What persistence and deduplication of a question's components need: other components, and events around."""

from __future__ import annotations

from datetime import timedelta

from engine.dataview.components import Component, DataView
from engine.dataview.local_time import month_start, to_local, to_utc
from engine.definitions.settings import (
    BindingDefinition,
    DeduplicationDefinition,
    DimensionDefinition,
    MetricDefinition,
    MetricExpiration,
    PersistenceDefinition,
)
from engine.definitions.values import microseconds
from engine.report.request import TimeRange


def with_references(components: list[Component], view: DataView) -> list[Component]:
    """Return components with those that their persistence and deduplication refer to."""
    found: dict[str, Component] = {}
    waiting = list(components)
    while waiting:
        component = waiting.pop()
        if component.id not in found:
            found[component.id] = component
            waiting += map(view.component, _references(component))
    return list(found.values())


def _references(component: Component) -> list[str]:
    """The ids of the components that a component's settings name."""
    kept, once = persistence_of(component), deduplication_of(component)
    names = [] if once is None else [once.by]
    if kept is not None and isinstance(kept.expiration, MetricExpiration):
        names.append(kept.expiration.metric)
    if kept is not None and kept.binding is not None:
        names += [name for name in (kept.binding.dimension, kept.binding.metric) if name is not None]
    return names


def persistence_of(component: Component) -> PersistenceDefinition | None:
    """Return a dimension's persistence, None for everything else."""
    settings = component.definition
    return settings.persistence if isinstance(settings, DimensionDefinition) else None


def deduplication_of(component: Component) -> DeduplicationDefinition | None:
    """Return a metric's deduplication, None for everything else."""
    settings = component.definition
    return settings.deduplication if isinstance(settings, MetricDefinition) else None


def is_deduplicated(component: Component) -> bool:
    """Whether several instances of a metric count once."""
    return deduplication_of(component) is not None


def by_session(components: list[Component]) -> bool:
    """Whether what a component shows depends on all of a session."""
    kept = [p for p in map(persistence_of, components) if p is not None]
    once = [d for d in map(deduplication_of, components) if d is not None]
    return any(p.expiration == "session" for p in kept) or any(d.scope == "session" for d in once)


def by_person(components: list[Component]) -> bool:
    """Whether duplicates are looked for in whole months."""
    return any((d := deduplication_of(c)) is not None and d.scope == "person" for c in components)


def by_first_value(components: list[Component]) -> bool:
    """Whether a value may keep its place from one that expired, and that one from another: without end."""
    kept = [p for p in map(persistence_of, components) if p is not None]
    return any(p.allocation == "original" and isinstance(p.expiration, timedelta) for p in kept)


def reading(ttl: timedelta, binding: BindingDefinition | None) -> int:
    """How long before an event values may have been set; what a metric binds may be as old once more."""
    return microseconds(ttl) * (2 if binding is not None and binding.metric is not None else 1)


def months_around(window: TimeRange) -> tuple[int | None, int | None]:
    """Return the range of the whole UTC months that a range touches."""
    start = None if window.start is None else month_start(window.start, "UTC")
    if window.end is None:
        return start, None
    last = to_local(window.end - 1, "UTC").replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, to_utc((last + timedelta(days=32)).replace(day=1), "UTC")
