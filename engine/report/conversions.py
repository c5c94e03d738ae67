"""What attribution sees of a chunk: lists of its touches and of its conversions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Codes, Container, Mask, Model, Rows, Rule, Values, Weights
from attribution.rows import marked_rows, mask_at, mask_of, rows_within
from attribution.spans import Spans, Touches, container_starts, single_touches, touch_spans, touches_in
from engine.dataview.components import Component, Role
from engine.dataview.values import coded, numbers, raw_codes, taken
from engine.definitions.model import AttributionDefinition
from engine.definitions.values import microseconds
from engine.journeys.present import validity
from engine.report.aggregate import used_in
from engine.report.columns import in_array, is_session_start
from engine.report.frame import Frame, both
from engine.report.keeping import is_deduplicated
from engine.report.places import Places
from engine.report.plan import Lane


@dataclass(frozen=True)
class Amounts:
    """The conversions of one metric: places at which it has a value that is not zero.

    Attributes:
        rows: int32[K], places, ascending.
        values: float64[K].
    """

    rows: Rows
    values: Values


@dataclass(frozen=True)
class Conversions:
    """The touches of a lane, and its conversions.

    Attributes:
        places: what the rows of touches and conversions number.
        touches: T touches among the places.
        items: T values of the touched dimension; of several, numbers that stand for the tuple of values.
        amounts: metric → its conversions.
    """

    places: Places
    touches: Touches
    items: pa.DictionaryArray
    amounts: Mapping[str, Amounts]

    def rows(self) -> Rows:
        """Return int32[C]: the places at which any metric has a conversion."""
        masks = (mask_of(amounts.rows, self.places.times.size) for amounts in self.amounts.values())
        return marked_rows(reduce(np.bitwise_or, masks))

    def item_codes(self) -> Codes:
        """Return T codes of the items."""
        return Codes(raw_codes(self.items), len(self.items.dictionary))

    def touch_rows(self, numbers: Rows) -> Rows:
        """Return the rows of touches given by their numbers; −1 stays −1."""
        return np.append(self.touches.rows, np.int32(-1))[numbers]

    def values(self, component: Component) -> pa.Array:
        """Return a grouped dimension's value at each place.

        One touches with its raw instances, several with their persisted tuple.
        """
        several = len(self.places.frame.plan.touch_dimensions) > 1
        return self.places.shown(component) if several else self.places.own(component)


def conversions(frame: Frame, lane: Lane) -> Conversions:
    """Find the touches and conversions of a lane that has an attribution."""
    places, segment = Places(frame, lane.array), frame.matches(lane.segment)
    rows, items = _touched(places, _touchable(frame, lane, both(frame.segment, segment)))
    container = Container(attribution_of_lane(lane).container)
    resets = places.on_first(container_starts(container, frame.chunk.offsets, frame.starts))
    touches = touches_in(resets, rows, places.times[rows])
    convertible = both(frame.chosen, segment)
    metrics = [component for component in components_of(frame, lane) if component.role is Role.METRIC]
    amounts = {m.id: _amounts(places, rows, m, convertible, lane.segment) for m in metrics}
    return Conversions(places, touches, items, amounts)


def _touched(places: Places, touchable: Mask | None) -> tuple[Rows, pa.DictionaryArray]:
    """The rows of the touches, and their items."""
    plan, mask = places.frame.plan, places.within(touchable)
    dimensions = [plan.view.component(name) for name in plan.touch_dimensions]
    if len(dimensions) == 1:
        found = places.raw(dimensions[0]).within(mask)
        return found.rows, encoded(found.values)
    values = [places.shown(dimension) for dimension in dimensions]
    masks = (validity(column).view(np.uint8) for column in values)
    rows = rows_within(marked_rows(reduce(np.bitwise_and, masks)), mask)
    items = tuple_codes([codes_of(taken(column, rows)) for column in values])
    return rows, coded(items.codes, pa.array(np.arange(items.distinct)))


def encoded(values: pa.Array) -> pa.DictionaryArray:
    """Return a column with its values in a dictionary."""
    return values if pa.types.is_dictionary(values.type) else values.dictionary_encode()


def codes_of(values: pa.Array) -> Codes:
    """Number the values of a column, NULL last."""
    known = encoded(values)
    codes, distinct = raw_codes(known), len(known.dictionary)
    if known.null_count == 0:
        return Codes(codes, distinct)
    return Codes(np.where(validity(known), codes, np.int32(distinct)), distinct + 1)


def tuple_codes(columns: Sequence[Codes]) -> Codes:
    """Number the tuples that occur of several columns' codes."""
    return reduce(_pair_codes, columns)


def _pair_codes(first: Codes, second: Codes) -> Codes:
    return codes_of(pa.array(first.codes * np.int64(second.distinct) + second.codes))


def attribution_of_lane(lane: Lane) -> AttributionDefinition:
    """Return the attribution of a lane that must have one."""
    if lane.attribution is None:
        raise AssertionError(f"a lane of {lane.kind} needs an attribution")
    return lane.attribution


def rule_of(lane: Lane) -> Rule:
    """Return the model of a lane with its settings."""
    settings = attribution_of_lane(lane)
    weights = settings.weights
    return Rule(
        Model(settings.model),
        microseconds(settings.half_life),
        None if weights is None else Weights(weights.starter, weights.player, weights.closer),
    )


def lookback_of(lane: Lane) -> int | None:
    """Return how far back a lane's touches count, in µs."""
    lookback = attribution_of_lane(lane).lookback
    return None if lookback is None else microseconds(lookback)


def singles_of(lane: Lane, found: Conversions, rows: Rows) -> Rows:
    """Return int32[C]: the number of the one touch that gets the credit of each of some rows, -1 for none."""
    return single_touches(rule_of(lane).model, found.touches, found.places.times, rows, lookback_of(lane))


def spans_of(lane: Lane, found: Conversions, rows: Rows) -> Spans:
    """Return the touches that count for each of some rows."""
    return touch_spans(found.touches, found.places.times, rows, lookback_of(lane))


def components_of(frame: Frame, lane: Lane) -> list[Component]:
    """Return the components that a lane names, in the order of their ids."""
    return [frame.plan.view.component(name) for name in sorted(used_in(frame.plan, lane))]


def _touchable(frame: Frame, lane: Lane, segment: Mask | None) -> Mask | None:
    """uint8[N]: a touch on the event may get credit."""
    attribution = attribution_of_lane(lane)
    endless = attribution.lookback is None and attribution.container == "person"
    return both(segment, frame.since(frame.plan.touch_start)) if endless else segment


def _amounts(
    places: Places, touched: Rows, metric: Component, convertible: Mask | None, segment: exp.Expr | None
) -> Amounts:
    frame = places.frame
    if is_session_start(metric) and not is_deduplicated(metric):
        starts = both(frame.starts, convertible)
        rows = marked_rows(frame.starts if starts is None else starts)
        return Amounts(places.after(rows, touched), np.ones(rows.size))
    found, inside = places.present(metric, segment), in_array(metric, places.array)
    values = numbers(found.values)
    counts = values != 0.0
    mask = places.within(convertible) if inside else convertible
    if mask is not None:
        counts &= mask_at(mask, found.rows).view(np.bool_)
    rows = found.rows[counts]
    return Amounts(rows if inside else places.after(rows, touched), values[counts])
