"""One chunk of journeys as a question sees it: raw values, sessions, persisted values, metric values.

Everything is computed when first asked for and kept for the chunk's life, so a question pays only for
what it names. Masks are bytes, one per event, and None where they would hold on every event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, reduce

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask
from engine.dataview.components import LOCAL_TIME, Component, Role, Scope
from engine.dataview.local_time import local_times
from engine.dataview.segments import Container, Segment
from engine.dataview.values import (
    combined,
    element_values,
    event_values,
    is_plain,
    joined_texts,
    nonzero,
    summed,
    taken,
)
from engine.definitions.values import microseconds
from engine.journeys.groups import SoFar
from engine.journeys.present import Present, present, validity
from engine.journeys.scan import Chunk
from engine.journeys.sessions import session_starts
from engine.report.columns import (
    ROW_INDEX,
    array_of,
    ids_behind,
    is_session_start,
    lookups_in,
)
from engine.report.deduplicated import lost, without, zeros
from engine.report.elements import Elements, matching, opened
from engine.report.keeping import deduplication_of, is_deduplicated, persistence_of
from engine.report.persisted import shown_rows, so_far
from engine.report.plan import ReportPlan
from engine.report.rows import Asked, Numbers, listed_texts, opened_rows
from engine.report.segments import belonging
from engine.report.sql import Statements
from engine.report.standard import ones, standard_values


class Frame:
    """The columns of one chunk; N is the number of its events.

    Args:
        plan: what the question needs.
        chunk: whole persons in journey order.
        statements: runs SQL over Arrow tables in this thread.
    """

    def __init__(self, plan: ReportPlan, chunk: Chunk, statements: Statements) -> None:
        self.plan = plan
        self.chunk = chunk
        self.statements = statements
        self._raw: dict[str, pa.Array] = {}
        self._own: dict[str, pa.Array] = {}
        self._shown: dict[tuple[str, exp.Expr | None], pa.Array] = {}
        self._on_elements: dict[tuple[str, exp.Expr | None], pa.Array] = {}
        self._opened: dict[str, Elements] = {}
        self._so_far: dict[str, SoFar] = {}

    @cached_property
    def in_range(self) -> Mask | None:
        """uint8[N]: the event lies in the report's range, and its person counts in this chunk."""
        window = self.plan.request.range
        return both(self.chunk.kept, both(self.since(window.start), self.before(window.end)))

    @cached_property
    def chosen(self) -> Mask | None:
        """uint8[N]: the event lies in the report's range and in its segment."""
        return both(self.in_range, self.segment)

    def since(self, start: int | None) -> Mask | None:
        """uint8[N]: the event is not earlier than this time in µs."""
        return None if start is None else np.greater_equal(self.chunk.times, start).view(np.uint8)

    def before(self, end: int | None) -> Mask | None:
        """uint8[N]: the event is earlier than this time in µs."""
        return None if end is None else np.less(self.chunk.times, end).view(np.uint8)

    @cached_property
    def starts(self) -> np.ndarray:
        """uint8[N]: 1 on the first event of a session; zeros where nothing needs sessions."""
        if not self.plan.sessions:
            return np.zeros(self.chunk.times.size, np.uint8)
        settings = self.plan.view.definition.sessions
        return session_starts(
            self.chunk.offsets,
            self.chunk.times,
            microseconds(settings.timeout),
            self._any_happened(settings.start_on),
            self._any_happened(settings.end_on),
        )

    def _any_happened(self, metrics: Iterable[str]) -> Mask | None:
        """uint8[N]: one of these metrics happened on the event; None where there are none."""
        marks = [self.happened(name) for name in metrics]
        return reduce(np.bitwise_or, marks) if marks else None

    @cached_property
    def person_index(self) -> np.ndarray:
        """int32[N]: the person's position in the chunk."""
        sizes = np.diff(self.chunk.offsets)
        return np.repeat(np.arange(sizes.size, dtype=np.int32), sizes)

    @cached_property
    def session_index(self) -> np.ndarray:
        """int32[N]: the session's position in the chunk."""
        index: np.ndarray = np.cumsum(self.starts, dtype=np.int32)
        return index

    @cached_property
    def timestamps(self) -> pa.Array:
        """N wall-clock times in the view's zone."""
        return self._local(self.chunk.times)

    def _local(self, times: np.ndarray) -> pa.Array:
        return pa.array(local_times(times, self.plan.view.definition.time_zone)).cast(LOCAL_TIME)

    @cached_property
    def ruled(self) -> Mask | None:
        """uint8[N]: the event is in all segments of the view, which hold whoever asks."""
        return self._in_all(self.plan.segments[: len(self.plan.view.definition.segments)])

    @cached_property
    def segment(self) -> Mask | None:
        """uint8[N]: the event is in all segments of the view and the request."""
        asked = self._in_all(self.plan.segments[len(self.plan.view.definition.segments) :])
        return both(both(self.ruled, asked), self.matches(self.plan.request.segment))

    def _in_all(self, segments: Iterable[Segment]) -> Mask | None:
        masks = (belonging(segment, self._found, self._containers) for segment in segments)
        return reduce(both, masks, None)

    def _containers(self, container: Container) -> np.ndarray | None:
        if container is Container.EVENT:
            return None
        return self.session_index if container is Container.SESSION else self.person_index

    def matches(self, condition: exp.Expr | None) -> Mask | None:
        """uint8[N]: the condition holds on the event, or on one of its elements, after persistence.

        It is asked of events that the view's segments leave: an error would tell values of others.
        """
        return None if condition is None else self._found(condition, self.ruled)

    def _found(self, condition: exp.Expr, chosen: Mask | None = None) -> Mask:
        lookups = lookups_in(condition, self.plan.request.lookups)
        ids = ids_behind([condition], lookups)
        array = array_of(self.plan.view.component(name) for name in ids)
        asked = Asked(frozenset(ids), array, chosen, numbers=Numbers.EVENTS, duplicates=True)
        rows = self.statements.run(opened_rows(self, asked), matching(condition, self.plan.view, lookups))
        matches = np.zeros(self.chunk.times.size, np.uint8)
        matches[combined(rows.column(ROW_INDEX)).to_numpy()] = 1
        return matches

    def happened(self, metric: str) -> Mask:
        """uint8[N]: the event has this metric, duplicates included."""
        return nonzero(self.raw(self.plan.view.component(metric)))

    def elements(self, array: str) -> Elements:
        """Return the elements of an array of objects."""
        if array not in self._opened:
            self._opened[array] = opened(self.chunk.columns[array])
        return self._opened[array]

    def at(self, component: Component, rows: np.ndarray) -> pa.Array:
        """Return a component's value before persistence on some rows only."""
        if component.scope is Scope.TIME:
            return self._local(self.chunk.times[rows])
        if is_session_start(component):
            return ones(self.starts[rows])
        return taken(self.raw(component), rows)

    def present(self, component: Component, segment: exp.Expr | None = None) -> Present:
        """Return the events on which a component has a value, before persistence, without duplicates.

        Args:
            component: a dimension or metric.
            segment: the condition of a metric's column, which duplicates depend on.
        """
        if is_deduplicated(component):
            return present(self.shown(component, segment), self.chunk.times)
        source = component.source
        if source is None or source.repeated or pa.types.is_timestamp(source.type) or not is_plain(component):
            return present(self.raw(component), self.chunk.times)
        return self.chunk.present(source.column)

    def raw(self, component: Component) -> pa.Array:
        """Return a component's value on each event, before persistence and with duplicates."""
        if component.id not in self._raw:
            self._raw[component.id] = self._raw_values(component)
        return self._raw[component.id]

    def own_values(self, component: Component) -> pa.Array:
        """Return a component's value where its field is, on each element or event, before persistence."""
        source = component.source
        if source is None or source.element is None:
            return self.raw(component)
        if component.id not in self._own:
            zone, column = self.plan.view.definition.time_zone, self.chunk.columns[source.column]
            values = element_values(component, column, zone, self.statements.run)
            # Texts as codes: a place is then a number to take, and items are told apart without a search.
            values = values.dictionary_encode() if pa.types.is_string(values.type) else values
            self._own[component.id] = taken(values, self.elements(source.column).places)
        return self._own[component.id]

    def shown(self, component: Component, segment: exp.Expr | None = None) -> pa.Array:
        """Return a component's value on each event, after persistence and without duplicates.

        Several values of a dimension stand in one text.

        Args:
            component: a dimension or metric.
            segment: the condition of a metric's column, which duplicates depend on.
        """
        if persistence_of(component) is None and not is_deduplicated(component):
            return self.raw(component)
        return self._kept(self._shown, component, segment, self._shown_values)

    def on_elements(self, component: Component, segment: exp.Expr | None = None) -> pa.Array:
        """Return a component's value on each element of its array, as ``shown`` does on events."""
        if persistence_of(component) is None and not is_deduplicated(component):
            return self.own_values(component)
        return self._kept(self._on_elements, component, segment, self._place_values)

    def zeros(self, metric: Component, segment: exp.Expr | None) -> pa.Array:
        """Return 0 on each event whose instances of a metric are all duplicates, NULL on the others."""
        gone = validity(self.raw(metric)) & ~validity(self.shown(metric, segment))
        return zeros(self.raw(metric), gone.view(np.uint8))

    def element_zeros(self, metric: Component, segment: exp.Expr | None) -> pa.Array:
        """Return 0 on each element whose value of a metric is a duplicate, NULL on the others."""
        gone = validity(self.own_values(metric)) & ~validity(self.on_elements(metric, segment))
        return zeros(self.own_values(metric), gone.view(np.uint8))

    def so_far(self, component: Component) -> SoFar:
        """Return the values that a dimension has had so far, where its field is; see ``own_values``."""
        if component.id not in self._so_far:
            self._so_far[component.id] = so_far(self, component)
        return self._so_far[component.id]

    def _kept(
        self,
        known: dict[tuple[str, exp.Expr | None], pa.Array],
        component: Component,
        segment: exp.Expr | None,
        values: Callable[[Component, exp.Expr | None], pa.Array],
    ) -> pa.Array:
        key = component.id, segment if is_deduplicated(component) else None
        if key not in known:
            known[key] = values(component, segment)
        return known[key]

    def _shown_values(self, component: Component, segment: exp.Expr | None) -> pa.Array:
        if component.keeps_all:
            texts = listed_texts(self.own_values(component), self.so_far(component))
            if component.array is None:
                return texts
            return joined_texts(texts, self.elements(component.array).begins)
        if component.array is None:
            return self._place_values(component, segment)
        if component.role is Role.DIMENSION:
            return joined_texts(self.on_elements(component), self.elements(component.array).begins)
        if not self._has_element_ids(component):
            return without(self.raw(component), lost(self, component, segment))
        events, evaluate = self.elements(component.array).events, self.statements.run
        return summed(self.on_elements(component, segment), events, self.chunk.times.size, evaluate)

    def _place_values(self, component: Component, segment: exp.Expr | None) -> pa.Array:
        if component.role is Role.DIMENSION:
            return taken(self.own_values(component), shown_rows(self, component))
        marks = lost(self, component, segment)
        if component.array is not None and not self._has_element_ids(component):
            marks = marks[self.elements(component.array).events]
        return without(self.own_values(component), marks)

    def _has_element_ids(self, metric: Component) -> bool:
        settings = deduplication_of(metric)
        return settings is not None and self.plan.view.component(settings.by).of_elements

    def _raw_values(self, component: Component) -> pa.Array:
        standard = standard_values(self, component)
        if standard is not None:
            return standard
        zone = self.plan.view.definition.time_zone
        column = self.chunk.columns[_source_column(component)]
        return event_values(component, column, zone, self.statements.run)


def _source_column(component: Component) -> str:
    if component.source is None:
        raise AssertionError(f"{component.id} is not backed by a field")
    return component.source.column


def both(one: Mask | None, other: Mask | None) -> Mask | None:
    """Return where both masks hold; None holds everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return one & other
