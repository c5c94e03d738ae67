"""What the columns of a data view are, a line each: the kind, what it says, how it is set."""

from __future__ import annotations

from datetime import timedelta

from sqlglot import exp

from engine.dataview.components import Component, DataView, Role, Scope, model_name
from engine.definitions.model import (
    AttributionDefinition,
    DimensionDefinition,
    MetricDefinition,
    PersistenceDefinition,
    write_duration,
)


def kind(component: Component) -> str:
    """Return what a component is in one word: ``metric``, ``dimension``, ``time`` or ``filter``."""
    if component.role is Role.METRIC:
        return "metric"
    if component.scope is Scope.TIME:
        return "time"
    return "filter" if component.role is Role.SPECIAL else "dimension"


def comment(component: Component) -> str:
    """Return a component's line: ``metric · Revenue, last touch, person, 30 days``."""
    settings = component.definition
    said = [component.description]
    if isinstance(settings, DimensionDefinition):
        said = [settings.description or f"Field {settings.field}", *_dimension(settings)]
    elif isinstance(settings, MetricDefinition):
        what = f"{'Count' if settings.count else 'Sum'} of {settings.field}"
        said = [settings.description or what, *_metric(settings)]
    return f"{kind(component)} · {', '.join(said)}"


def _dimension(settings: DimensionDefinition) -> list[str]:
    return [] if settings.persistence is None else [_persistence(settings.persistence)]


def _persistence(settings: PersistenceDefinition) -> str:
    until = settings.expiration
    if isinstance(until, timedelta):
        kept = f"for {write_duration(until)}"
    elif isinstance(until, str):
        kept = f"for the {until}"
    else:
        kept = f"until {until.metric}"
    bound = f", bound to {settings.binding.dimension}" if settings.binding is not None else ""
    return f"{settings.allocation.replace('_', ' ')} value kept {kept}{bound}"


def _metric(settings: MetricDefinition) -> list[str]:
    said = []
    if settings.deduplication is not None:
        said.append(f"once per {settings.deduplication.by} and {settings.deduplication.scope}")
    return said if settings.attribution is None else [*said, *_attribution(settings.attribution)]


def _attribution(settings: AttributionDefinition) -> list[str]:
    lookback = [] if settings.lookback is None else [write_duration(settings.lookback)]
    return [model_name(settings), settings.container, *lookback]


def definition(view: DataView) -> str:
    """Return what a view is made of, to be read: a SELECT of its fields from its connection."""
    columns = [
        exp.alias_(_source(component), name, quoted=True) for name, component in view.components.items()
    ]
    select = exp.select(*columns).from_(exp.to_identifier(view.definition.connection, quoted=True))
    return f"{select.sql('postgres', pretty=True)};"


def _source(component: Component) -> exp.Expr:
    settings = component.definition
    if isinstance(settings, MetricDefinition):
        field = exp.column(settings.field, quoted=True)
        return exp.Count(this=field) if settings.count else exp.Sum(this=field)
    return exp.column(settings.field if settings is not None else component.id, quoted=True)
