"""What attribution sees of a chunk: lists of its touches and of its conversions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Container, Mask, Rows, Values
from attribution.rows import marked_rows, mask_at, mask_of, rows_within
from attribution.spans import Touches, touches_in
from attribution.windows import container_starts
from engine.dataview.components import Component, Role
from engine.dataview.values import numbers
from engine.definitions.model import AttributionDefinition
from engine.journeys.present import validity
from engine.report.aggregate import used_in
from engine.report.columns import is_deduplicated, is_session_start
from engine.report.frame import Frame, both
from engine.report.plan import Lane, microseconds


@dataclass(frozen=True)
class Amounts:
    """The conversions of one metric: events on which it has a value that is not zero.

    Attributes:
        rows: int32[K], ascending.
        values: float64[K].
    """

    rows: Rows
    values: Values


@dataclass(frozen=True)
class Conversions:
    """The touches of a lane, and its conversions.

    Attributes:
        touches: T touches among N events.
        items: T values of the touched dimension, where there is only one.
        amounts: metric → its conversions.
    """

    touches: Touches
    items: pa.Array | None
    amounts: Mapping[str, Amounts]

    def rows(self) -> Rows:
        """Return int32[C]: the events on which any metric has a conversion."""
        events = self.touches.latest.size
        masks = (mask_of(amounts.rows, events) for amounts in self.amounts.values())
        return marked_rows(reduce(np.bitwise_or, masks))

    def touch_rows(self, numbers: Rows) -> Rows:
        """Return the rows of touches given by their numbers; −1 stays −1."""
        return np.append(self.touches.rows, np.int32(-1))[numbers]


def conversions(frame: Frame, lane: Lane) -> Conversions:
    """Find the touches and conversions of a lane that has an attribution."""
    segment = frame.matches(lane.segment)
    touchable, convertible = (
        _touchable(frame, lane, both(frame.segment, segment)),
        both(frame.chosen, segment),
    )
    container = Container(attribution_of_lane(lane).container)
    resets = container_starts(container, frame.chunk.offsets, frame.starts)
    metrics = [component for component in components_of(frame, lane) if component.role is Role.METRIC]
    amounts = {metric.id: _amounts(frame, metric, convertible, lane.segment) for metric in metrics}
    dimensions = [frame.plan.view.component(name) for name in frame.plan.touch_dimensions]
    if len(dimensions) == 1:
        found = frame.present(dimensions[0]).within(touchable)
        return Conversions(touches_in(resets, found.rows, found.times), found.values, amounts)
    masks = (validity(touch_values(frame, dimension)).view(np.uint8) for dimension in dimensions)
    rows = rows_within(marked_rows(reduce(np.bitwise_and, masks)), touchable)
    return Conversions(touches_in(resets, rows, frame.chunk.times[rows]), None, amounts)


def attribution_of_lane(lane: Lane) -> AttributionDefinition:
    """Return the attribution of a lane that must have one."""
    if lane.attribution is None:
        raise AssertionError(f"a lane of {lane.kind} needs an attribution")
    return lane.attribution


def lookback_of(lane: Lane) -> int | None:
    """Return how far back a lane's touches count, in µs."""
    lookback = attribution_of_lane(lane).lookback
    return None if lookback is None else microseconds(lookback)


def components_of(frame: Frame, lane: Lane) -> list[Component]:
    """Return the components that a lane names, in the order of their ids."""
    return [frame.plan.view.component(name) for name in sorted(used_in(frame.plan, lane))]


def touch_values(frame: Frame, component: Component) -> pa.Array:
    """One grouped dimension touches with its raw instances, several with their persisted tuple."""
    several = len(frame.plan.touch_dimensions) > 1
    return frame.shown(component) if several else frame.raw(component)


def _touchable(frame: Frame, lane: Lane, segment: Mask | None) -> Mask | None:
    """uint8[N]: a touch on the event may get credit."""
    attribution = attribution_of_lane(lane)
    endless = attribution.lookback is None and attribution.container == "person"
    return both(segment, frame.since(frame.plan.touch_start)) if endless else segment


def _amounts(frame: Frame, metric: Component, convertible: Mask | None, segment: exp.Expr | None) -> Amounts:
    if is_session_start(metric) and not is_deduplicated(metric):
        starts = both(frame.starts, convertible)
        rows = marked_rows(frame.starts if starts is None else starts)
        return Amounts(rows, np.ones(rows.size))
    found = frame.present(metric, segment)
    values = numbers(found.values)
    counts = values != 0.0
    if convertible is not None:
        counts &= mask_at(convertible, found.rows).view(np.bool_)
    return Amounts(found.rows[counts], values[counts])
