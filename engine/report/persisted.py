"""Persisted values of a frame: from a dimension's settings to the row whose value each event shows.

A dimension lives on events, or on the elements of an array: its own, or that of the dimension it is bound
to. Rows are numbered there, and say which of the dimension's own values is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from attribution.models import Mask, Rows
from engine.dataview.components import Component
from engine.dataview.values import dense_codes, taken
from engine.definitions.settings import BindingDefinition, MetricExpiration, PersistenceDefinition
from engine.definitions.values import microseconds
from engine.journeys.binding import bound_rows
from engine.journeys.groups import SoFar, numbered_groups, values_so_far
from engine.journeys.persistence import (
    NO_VALUE,
    Allocation,
    Expiration,
    persisted_rows,
    resets,
    stretches,
)
from engine.journeys.present import validity
from engine.report.keeping import persistence_of

if TYPE_CHECKING:
    from engine.report.frame import Frame


@dataclass(frozen=True)
class _Course:
    """How a dimension persists in a chunk.

    Attributes:
        marks: uint8[N]: events on which nothing is left of what was kept before.
        ttl: µs that a value lasts; None: until the next mark.
    """

    allocation: Allocation
    expiration: Expiration
    marks: Mask
    ttl: int | None


def shown_rows(frame: Frame, component: Component) -> Rows:
    """int32[K]: which of the dimension's own values applies on each of its places, −1 where none does."""
    settings = _settings(component)
    course = _course(frame, settings)
    if settings.binding is not None:
        return _bound_rows(frame, component, settings.binding, course)
    times, marks, present = _timeline(frame, component, course)
    return persisted_rows(times, present, marks, course.allocation, course.ttl)


def so_far(frame: Frame, component: Component) -> SoFar:
    """Return which of the dimension's own values each of its places has had so far."""
    course = _course(frame, _settings(component))
    _, marks, present = _timeline(frame, component, course)
    values = dense_codes(frame.own_values(component))
    return values_so_far(stretches(marks), np.where(present != 0, values, np.int32(-1)))


def _settings(component: Component) -> PersistenceDefinition:
    settings = persistence_of(component)
    if settings is None:
        raise AssertionError(f"{component.id} has no persistence")
    return settings


def _course(frame: Frame, settings: PersistenceDefinition) -> _Course:
    ttl, expiration, happened = None, Expiration.CUSTOM, None
    if isinstance(settings.expiration, str):
        expiration = Expiration(settings.expiration)
    elif isinstance(settings.expiration, timedelta):
        ttl = microseconds(settings.expiration)
    elif isinstance(settings.expiration, MetricExpiration):
        expiration = Expiration.METRIC
        happened = frame.happened(settings.expiration.metric)
    marks = resets(frame.chunk.offsets, frame.starts, expiration, happened)
    return _Course(Allocation(settings.allocation), expiration, marks, ttl)


def _timeline(frame: Frame, component: Component, course: _Course) -> tuple[np.ndarray, Mask, Mask]:
    """Times, marks, and where a value is set that counts, on the dimension's places."""
    times, marks, within = frame.chunk.times, course.marks, _window(frame, course)
    if component.array is not None:
        elements = frame.elements(component.array)
        times, marks = times[elements.events], elements.on_first(marks)
        within = None if within is None else within[elements.events]
    present = validity(frame.own_values(component)).view(np.uint8)
    return times, marks, present if within is None else present & within


def _window(frame: Frame, course: _Course) -> Mask | None:
    """Where values count: those kept for the person or until a metric begin with the question's range."""
    if course.expiration is Expiration.SESSION or course.ttl is not None:
        return None
    return frame.in_range


def _bound_rows(frame: Frame, component: Component, binding: BindingDefinition, course: _Course) -> Rows:
    """Values kept apart for each item; a place without an item keeps its own value."""
    events, items = _items(frame, component, binding)
    groups = numbered_groups(stretches(course.marks)[events], items)
    own = _own(frame, component, events)
    sources = own if binding.metric is None else _at_metric(frame, component, binding.metric, course, own)
    within = _window(frame, course)
    if within is not None:
        sources = np.where(within[events] != 0, sources, np.int32(NO_VALUE))
    times = frame.chunk.times[events]
    rows = bound_rows(events, times, groups, sources, course.allocation, course.ttl)
    return np.where(groups < 0, own, rows)


def _items(frame: Frame, component: Component, binding: BindingDefinition) -> tuple[Rows, Rows]:
    """The event of each of the dimension's places, and a code of its item."""
    bound = frame.plan.view.component(binding.dimension)
    values = frame.own_values(bound)
    if component.array is None:
        return np.arange(frame.chunk.times.size, dtype=np.int32), dense_codes(values)
    events = frame.elements(component.array).events
    return events, dense_codes(values if bound.of_elements else taken(values, events))


def _own(frame: Frame, component: Component, events: Rows) -> Rows:
    """int32[K]: the own value of each place, −1 where it has none."""
    valid = validity(frame.own_values(component))
    places = np.arange(events.size, dtype=np.int32) if component.of_elements else events
    return np.where(valid[places], places, np.int32(NO_VALUE))


def _at_metric(frame: Frame, component: Component, metric: str, course: _Course, own: Rows) -> Rows:
    """What is bound where the binding metric happened.

    An event's value is then the one that plain persistence shows there; an element has its own only.
    """
    events = np.arange(own.size, dtype=np.int32)
    if component.array is not None:
        events = frame.elements(component.array).events
    happened = frame.happened(metric)[events]
    if not component.of_elements:
        present = validity(frame.own_values(component)).view(np.uint8)
        within = _window(frame, course)
        present = present if within is None else present & within
        kept = persisted_rows(frame.chunk.times, present, course.marks, Allocation.MOST_RECENT, course.ttl)
        own = kept[events]
    return np.where(happened != 0, own, np.int32(NO_VALUE))
