"""One chunk of journeys as a question sees it: raw values, sessions, persisted values, metric values.

Everything is computed when first asked for and kept for the chunk's life, so a question pays only for
what it names. Masks are bytes, one per event, and None where they would hold on every event.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property, reduce

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask
from engine.dataview.components import LOCAL_TIME, Component, Scope
from engine.dataview.local_time import local_times
from engine.dataview.values import combined, event_values, is_plain, numbers, taken
from engine.journeys.persistence import Allocation, Expiration, persisted_rows
from engine.journeys.present import Present, present, validity
from engine.journeys.scan import Chunk
from engine.journeys.sessions import session_starts
from engine.report.columns import (
    ELEMENTS,
    ROW_INDEX,
    array_of,
    column_name,
    component_ids,
    in_array,
    is_session_start,
)
from engine.report.elements import matching
from engine.report.plan import ReportPlan, microseconds, persistence_of
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
        self._shown: dict[str, pa.Array] = {}

    @cached_property
    def in_range(self) -> Mask | None:
        """uint8[N]: the event lies in the report's range, and its person counts in this chunk."""
        window = self.plan.request.range
        return both(self.chunk.kept, both(self.since(window.start), self._before(window.end)))

    @cached_property
    def chosen(self) -> Mask | None:
        """uint8[N]: the event lies in the report's range and in its segment."""
        return both(self.in_range, self.segment)

    def since(self, start: int | None) -> Mask | None:
        """uint8[N]: the event is not earlier than this time in µs."""
        return None if start is None else np.greater_equal(self.chunk.times, start).view(np.uint8)

    def _before(self, end: int | None) -> Mask | None:
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
            self._happened(settings.start_on),
            self._happened(settings.end_on),
        )

    def _happened(self, metrics: Iterable[str]) -> Mask | None:
        """uint8[N]: one of these metrics happened on the event; None where there are none."""
        marks = [nonzero(self.raw(self.plan.view.component(name))) for name in metrics]
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
    def segment(self) -> Mask | None:
        """uint8[N]: the event is in the request's segment."""
        return self.matches(self.plan.request.segment)

    def matches(self, condition: exp.Expr | None) -> Mask | None:
        """uint8[N]: the condition holds on the event, or on one of its elements, after persistence."""
        if condition is None:
            return None
        ids = component_ids([condition])
        array = array_of(self.plan.view.component(name) for name in ids)
        select = matching(condition, self.plan.view, array)
        rows = self.statements.run(self.numbered(ids, array), select).column(ROW_INDEX)
        matches = np.zeros(self.chunk.times.size, np.uint8)
        matches[combined(rows).to_numpy()] = 1
        return matches

    def table(self, ids: Iterable[str], array: str | None = None) -> pa.Table:
        """Return columns named by component id, N rows; periods all read ``timestamp``.

        Args:
            ids: components.
            array: components in this array of objects are left to its elements, one list per event.
        """
        columns: dict[str, pa.Array] = {}
        for component in map(self.plan.view.component, sorted(ids)):
            if in_array(component, array):
                columns[ELEMENTS] = self.chunk.columns[_source_column(component)]
            else:
                columns[column_name(component)] = self.shown(component)
        return pa.table(columns)

    def numbered(self, ids: Iterable[str], array: str | None = None) -> pa.Table:
        """Return columns named by component id, with the number of each row beside them."""
        numbers = pa.array(np.arange(self.chunk.times.size, dtype=np.int32))
        table = self.table(ids, array)
        return pa.table([*table.columns, numbers], names=[*table.column_names, ROW_INDEX])

    def at(self, component: Component, rows: np.ndarray) -> pa.Array:
        """Return a component's value before persistence on some rows only."""
        if component.scope is Scope.TIME:
            return self._local(self.chunk.times[rows])
        if is_session_start(component):
            return ones(self.starts[rows])
        return taken(self.raw(component), rows)

    def present(self, component: Component) -> Present:
        """Return the events on which a component has a value, before persistence."""
        source = component.source
        if source is None or source.repeated or pa.types.is_timestamp(source.type) or not is_plain(component):
            return present(self.raw(component), self.chunk.times)
        return self.chunk.present(source.column)

    def raw(self, component: Component) -> pa.Array:
        """Return a component's value on each event, before persistence."""
        if component.id not in self._raw:
            self._raw[component.id] = self._raw_values(component)
        return self._raw[component.id]

    def shown(self, component: Component) -> pa.Array:
        """Return a component's value on each event, after persistence."""
        settings = persistence_of(component)
        if settings is None:
            return self.raw(component)
        if component.id not in self._shown:
            self._shown[component.id] = taken(self.raw(component), self._kept_rows(component))
        return self._shown[component.id]

    def _raw_values(self, component: Component) -> pa.Array:
        standard = standard_values(self, component)
        if standard is not None:
            return standard
        zone = self.plan.view.definition.time_zone
        column = self.chunk.columns[_source_column(component)]
        return event_values(component, column, zone, self.statements.run)

    def _kept_rows(self, component: Component) -> np.ndarray:
        """int32[N]: the row whose value applies, −1 where none does."""
        settings = persistence_of(component)
        raw = self.raw(component)
        present = validity(raw).view(np.uint8)
        ttl, expiration = 0, Expiration.CUSTOM
        if settings is None:
            raise AssertionError(f"{component.id} has no persistence")
        if isinstance(settings.expiration, str):
            expiration = Expiration(settings.expiration)
        elif isinstance(settings.expiration, timedelta):
            ttl = microseconds(settings.expiration)
        within = self.since(self._first_set(expiration, ttl))
        return persisted_rows(
            self.chunk.offsets,
            self.chunk.times,
            present if within is None else present & within,
            self.starts,
            Allocation(settings.allocation),
            expiration,
            ttl,
        )

    def _first_set(self, expiration: Expiration, ttl: int) -> int | None:
        """Values that were set before do not count, however much of the past happens to be read."""
        start = self.plan.request.range.start
        if start is None or expiration is Expiration.SESSION:
            return None
        return start if expiration is Expiration.PERSON else start - self.plan.reach - ttl


def _source_column(component: Component) -> str:
    if component.source is None:
        raise AssertionError(f"{component.id} is not backed by a field")
    return component.source.column


def nonzero(values: pa.Array) -> Mask:
    """uint8[N]: the metric happened: it has a value, and that is not zero."""
    happened: np.ndarray = np.not_equal(numbers(values), 0.0)
    return happened.view(np.uint8)


def both(one: Mask | None, other: Mask | None) -> Mask | None:
    """Return where both masks hold; None holds everywhere."""
    if one is None or other is None:
        return other if one is None else one
    return one & other
