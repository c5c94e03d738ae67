"""Standard components while a report runs: their values on each event.

Everything is taken from the frame's sessions, times and persons, so it costs a few passes over arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from attribution.models import Mask
from engine.dataview.components import Component, Scope
from engine.dataview.standard import (
    DATASET_ID,
    EVENT_DEPTH,
    EVENTS,
    FIRST_TIME_SESSIONS,
    PEOPLE,
    PERSON_ID,
    PERSON_NAMESPACE,
    REPEAT_SESSIONS,
    RETURN_SESSIONS,
    SESSION_ENDS,
    SESSION_STARTS,
    SESSION_TYPE,
    SESSIONS,
    TIME_PER_EVENT,
    TIME_PER_PERSON,
    TIME_PER_SESSION,
    TIME_SPENT,
)
from engine.dataview.values import coded, event_values
from engine.journeys.sessions import depths, first_time_sessions, session_ends, time_spent
from engine.report.around import first_time_since

if TYPE_CHECKING:
    from engine.report.frame import Frame

_MINUTE: Final = 60_000_000
_HOUR: Final = 60 * _MINUTE
_BUCKETS: Final[Mapping[int, str]] = {
    0: "less than 1 minute",
    _MINUTE: "1 to 5 minutes",
    5 * _MINUTE: "5 to 10 minutes",
    10 * _MINUTE: "10 to 30 minutes",
    30 * _MINUTE: "30 to 60 minutes",
    _HOUR: "1 to 2 hours",
    2 * _HOUR: "2 to 5 hours",
    5 * _HOUR: "5 to 10 hours",
    10 * _HOUR: "10 hours or more",
}
"""Lower bound in µs → the label of times from there up to the next bound."""
_SESSION_TYPES: Final = ("Returning", "First-time")


def standard_values(frame: Frame, component: Component) -> pa.Array | None:
    """Return N values of a standard component, or of a metric that counts one; None for fields."""
    if component.source is not None:
        return None
    if component.scope is Scope.TIME:
        return frame.timestamps
    values = _VALUES[component.standard or component.id](frame)
    return event_values(component, values, frame.plan.view.definition.time_zone, frame.statements.run)


def ones(marks: Mask) -> pa.Array:
    """Return 1 where a mask is 1, and NULL elsewhere."""
    return pa.array(marks.astype(np.int64), mask=marks == 0)


def _spent(frame: Frame) -> np.ndarray:
    """int64[N]: µs until the next event of the session."""
    return time_spent(frame.chunk.times, frame.starts)


def _first_time(frame: Frame) -> np.ndarray:
    """bool[N]: the event's session is a first-time one."""
    start = frame.plan.request.range.start
    since = None if start is None else first_time_since(start, frame.plan.view.definition.time_zone)
    chunk = frame.chunk
    first = first_time_sessions(chunk.offsets, chunk.times, frame.starts, since, start)
    return np.asarray(first[frame.session_index - 1])


def _first_ever(frame: Frame) -> np.ndarray:
    """bool[N]: the event's session is the first that its person ever had."""
    first = first_time_sessions(frame.chunk.offsets, frame.chunk.times, frame.starts)
    return np.asarray(first[frame.session_index - 1])


def _sessions_where(frame: Frame, chosen: np.ndarray) -> pa.Array:
    """The index of the event's session, NULL where it does not count."""
    return pa.array(frame.session_index, mask=~chosen)


def _session_lengths(frame: Frame) -> np.ndarray:
    """int64[N]: µs from the first to the last event of the event's session."""
    times, starts = frame.chunk.times, frame.starts
    lengths = times[session_ends(starts) != 0] - times[starts != 0]
    return np.asarray(lengths[frame.session_index - 1])


def _person_times(frame: Frame) -> np.ndarray:
    """int64[N]: µs that the event's person spent in the range."""
    spent, within = _spent(frame), frame.in_range
    running = np.concatenate([[0], np.cumsum(spent if within is None else spent * within)])
    totals: np.ndarray = np.diff(running[frame.chunk.offsets])
    return np.asarray(totals[frame.person_index])


def _bucketed(times: np.ndarray) -> pa.Array:
    bounds = np.array(list(_BUCKETS), np.int64)
    return _labelled(np.searchsorted(bounds, times, side="right") - 1, tuple(_BUCKETS.values()))


def _labelled(codes: np.ndarray, labels: tuple[str, ...]) -> pa.Array:
    return coded(codes.astype(np.int32), pa.array(labels, pa.string()))


def _people(frame: Frame) -> pa.Array:
    return pa.array(frame.person_index)


def _sessions(frame: Frame) -> pa.Array:
    return pa.array(frame.session_index)


def _events(frame: Frame) -> pa.Array:
    return pa.array(np.ones(frame.chunk.rows, np.int64))


def _starts(frame: Frame) -> pa.Array:
    return ones(frame.starts)


def _ends(frame: Frame) -> pa.Array:
    return ones(session_ends(frame.starts))


def _seconds(frame: Frame) -> pa.Array:
    return pa.array(_spent(frame) / 1e6)


def _first_time_sessions(frame: Frame) -> pa.Array:
    return _sessions_where(frame, _first_time(frame))


def _return_sessions(frame: Frame) -> pa.Array:
    return _sessions_where(frame, ~_first_time(frame))


def _repeat_sessions(frame: Frame) -> pa.Array:
    return _sessions_where(frame, ~_first_ever(frame))


def _person(frame: Frame) -> pa.Array:
    return frame.chunk.columns["_person"]


def _namespace(frame: Frame) -> pa.Array:
    return frame.chunk.columns["_namespace"]


def _dataset(frame: Frame) -> pa.Array:
    return _labelled(frame.chunk.columns["_dataset"].to_numpy(), frame.plan.view.datasets)


def _depth(frame: Frame) -> pa.Array:
    every = np.ones(frame.chunk.rows, np.uint8)
    return pa.array(depths(frame.starts, every), pa.int64())


def _session_type(frame: Frame) -> pa.Array:
    return _labelled(_first_time(frame), _SESSION_TYPES)


def _time_per_event(frame: Frame) -> pa.Array:
    return _bucketed(_spent(frame))


def _time_per_session(frame: Frame) -> pa.Array:
    return _bucketed(_session_lengths(frame))


def _time_per_person(frame: Frame) -> pa.Array:
    return _bucketed(_person_times(frame))


_VALUES: Final[Mapping[str, Callable[[Frame], pa.Array]]] = {
    PEOPLE: _people,
    SESSIONS: _sessions,
    EVENTS: _events,
    SESSION_STARTS: _starts,
    SESSION_ENDS: _ends,
    TIME_SPENT: _seconds,
    FIRST_TIME_SESSIONS: _first_time_sessions,
    RETURN_SESSIONS: _return_sessions,
    REPEAT_SESSIONS: _repeat_sessions,
    PERSON_ID: _person,
    PERSON_NAMESPACE: _namespace,
    DATASET_ID: _dataset,
    EVENT_DEPTH: _depth,
    SESSION_TYPE: _session_type,
    TIME_PER_EVENT: _time_per_event,
    TIME_PER_SESSION: _time_per_session,
    TIME_PER_PERSON: _time_per_person,
}
"""Component → how its values on the events of a frame are found."""
