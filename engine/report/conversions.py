"""What attribution sees of a chunk: its touches and conversions, as a short journey of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa

from attribution.models import Container, Mask, Model, Rows, Values
from attribution.reduced import Reduced, marked_rows, reduced
from attribution.touches import touch_rows
from engine.dataview.components import Component, Role
from engine.dataview.values import numbers, validity
from engine.definitions.model import AttributionDefinition
from engine.report.aggregate import used_in
from engine.report.columns import is_session_start
from engine.report.frame import Frame, both
from engine.report.plan import Lane, microseconds


@dataclass(frozen=True)
class Amounts:
    """The conversions of one metric: events on which it has a value that is not zero.

    Attributes:
        places: int32[K], where they are in the reduced journey, ascending.
        values: float64[K].
    """

    places: Rows
    values: Values


@dataclass(frozen=True)
class Conversions:
    """The touches and conversions of a lane.

    Attributes:
        journey: R rows of the chunk, each a touch, a conversion, or both.
        touches: uint8[R], 1 on a touch.
        amounts: metric → its conversions.
    """

    journey: Reduced
    touches: Mask
    amounts: Mapping[str, Amounts]

    @property
    def places(self) -> Rows:
        """int32[C]: where any metric has a conversion, ascending."""
        marks = np.zeros(self.journey.rows.size, np.uint8)
        for amounts in self.amounts.values():
            marks[amounts.places] = 1
        return marked_rows(marks)

    def credited(self, attribution: AttributionDefinition) -> Rows:
        """Return int32[R]: the place of the one touch that a conversion there is credited to, −1 for none."""
        return touch_rows(
            Model(attribution.model),
            Container(attribution.container),
            self.journey.offsets,
            self.journey.times,
            self.touches,
            np.ones(self.touches.size, np.uint8),
            self.journey.starts,
            lookback_of(attribution),
        )

    def whole_rows(self, places: Rows) -> Rows:
        """Return the rows of the chunk at some places; −1 stays −1."""
        return np.where(places < 0, np.int32(-1), self.journey.rows[places])


def conversions(frame: Frame, lane: Lane) -> Conversions:
    """Find the touches and conversions of a lane that has an attribution."""
    segment = frame.matches(lane.segment)
    touches = _touches(frame, lane, both(frame.segment, segment))
    convertible = both(frame.chosen, segment)
    metrics = [c for c in components_of(frame, lane) if c.role is Role.METRIC]
    happened = {metric.id: _happened(frame, metric, convertible) for metric in metrics}
    kept: Mask = reduce(np.bitwise_or, happened.values(), touches)
    journey = reduced(frame.chunk.offsets, frame.chunk.times, frame.starts, kept)
    amounts = {metric.id: _amounts(frame, metric, journey, happened[metric.id]) for metric in metrics}
    return Conversions(journey, journey.mask(touches), amounts)


def attribution_of_lane(lane: Lane) -> AttributionDefinition:
    """Return the attribution of a lane that must have one."""
    if lane.attribution is None:
        raise AssertionError(f"a lane of {lane.kind} needs an attribution")
    return lane.attribution


def lookback_of(attribution: AttributionDefinition) -> int | None:
    """Return how far back touches count, in µs."""
    return None if attribution.lookback is None else microseconds(attribution.lookback)


def components_of(frame: Frame, lane: Lane) -> list[Component]:
    """Return the components that a lane names, in the order of their ids."""
    return [frame.plan.view.component(name) for name in sorted(used_in(frame.plan, lane))]


def touch_values(frame: Frame, component: Component) -> pa.Array:
    """One grouped dimension touches with its raw instances, several with their persisted tuple."""
    several = len(frame.plan.touch_dimensions) > 1
    return frame.shown(component) if several else frame.raw(component)


def _touches(frame: Frame, lane: Lane, segment: Mask | None) -> Mask:
    """uint8[N]: the event is a touch that may get credit."""
    attribution, touches = attribution_of_lane(lane), segment
    for name in frame.plan.touch_dimensions:
        values = touch_values(frame, frame.plan.view.component(name))
        touches = both(touches, validity(values).view(np.uint8))
    if attribution.lookback is None and attribution.container == "person":
        touches = both(touches, frame.since(frame.plan.touch_start))
    return np.ones(frame.chunk.rows, np.uint8) if touches is None else touches


def _happened(frame: Frame, metric: Component, convertible: Mask | None) -> Mask:
    """uint8[N]: the metric has a value, zero or not, where it may convert."""
    starts = is_session_start(metric)
    happened: Mask = frame.starts if starts else validity(frame.raw(metric)).view(np.uint8)
    return happened if convertible is None else happened & convertible


def _amounts(frame: Frame, metric: Component, journey: Reduced, happened: Mask) -> Amounts:
    places = marked_rows(journey.mask(happened))
    if is_session_start(metric):
        return Amounts(places, np.ones(places.size))
    values = numbers(frame.at(metric, journey.rows[places]))
    counts = values != 0.0
    return Amounts(places, values) if counts.all() else Amounts(places[counts], values[counts])
