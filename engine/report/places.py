"""The places at which touches and conversions stand: events, or the elements of an array in their order.

An element is a place of its own, with its event's time and person. What belongs to the whole event happens
once, after all of its elements that were touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask, Rows, Times
from attribution.rows import mask_at
from engine.dataview.components import Component
from engine.dataview.values import taken
from engine.journeys.present import Present, present
from engine.report.columns import in_array
from engine.report.elements import Elements
from engine.report.frame import Frame


@dataclass(frozen=True)
class Places:
    """R places among N events, in journey order.

    Attributes:
        array: the array whose elements they are; None: they are the events.
    """

    frame: Frame
    array: str | None = None

    @cached_property
    def _elements(self) -> Elements | None:
        return None if self.array is None else self.frame.elements(self.array)

    @cached_property
    def times(self) -> Times:
        """int64[R], µs."""
        times = self.frame.chunk.times
        return times if self._elements is None else times[self._elements.events]

    def events(self, places: Rows) -> Rows:
        """Return the event of each of some places."""
        return places if self._elements is None else self._elements.events[places]

    def on_first(self, marks: Mask) -> Mask:
        """Return uint8[R]: a mask of events, on the first place of each only."""
        return marks if self._elements is None else self._elements.on_first(marks)

    def within(self, marks: Mask | None) -> Mask | None:
        """Return uint8[R]: a mask of events, on all places of each."""
        if marks is None or self._elements is None:
            return marks
        return mask_at(marks, self._elements.events)

    def at(self, component: Component, places: Rows) -> pa.Array:
        """Return what is read on the event of some places, before persistence."""
        return self.frame.at(component, self.events(places))

    def own(self, component: Component) -> pa.Array:
        """Return R raw values of a component: those of the elements, or of each one's event."""
        if in_array(component, self.array):
            return self.frame.own_values(component)
        return self._beside(self.frame.raw(component))

    def shown(self, component: Component, segment: exp.Expr | None = None) -> pa.Array:
        """Return R values of a component after persistence and without duplicates; see ``Frame.shown``."""
        if in_array(component, self.array):
            return self.frame.on_elements(component, segment)
        return self._beside(self.frame.shown(component, segment))

    def raw(self, component: Component) -> Present:
        """Return the places at which a component has a raw value."""
        return (
            self.frame.present(component) if self.array is None else present(self.own(component), self.times)
        )

    def present(self, component: Component, segment: exp.Expr | None = None) -> Present:
        """Return where a component has a value of its own; see ``Frame.present``.

        What belongs to events is listed by event, what belongs to elements by place.
        """
        if not in_array(component, self.array):
            return self.frame.present(component, segment)
        return present(self.frame.on_elements(component, segment), self.times)

    def after(self, events: Rows, touched: Rows) -> Rows:
        """Return the place of what happens on whole events: their last touched one, else their last.

        Args:
            events: int32[K].
            touched: places, ascending.
        """
        if self._elements is None:
            return events
        lasts = (self._elements.begins[1:] - 1).astype(np.int32)
        lasts[self._elements.events[touched]] = touched
        return lasts[events]

    def _beside(self, values: pa.Array) -> pa.Array:
        return values if self._elements is None else taken(values, self._elements.events)
