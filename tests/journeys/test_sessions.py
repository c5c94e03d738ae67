"""Sessions: the edges of the timeout, marked starts, and where persons meet."""

from __future__ import annotations

import numpy as np

from engine.journeys.sessions import session_starts

MINUTE = 60_000_000


def starts_of(offsets, minutes, timeout, marks=None):
    times = np.array(minutes, np.int64) * MINUTE
    marked = None if marks is None else np.array(marks, np.uint8)
    return session_starts(np.array(offsets, np.int64), times, timeout, marked).tolist()


def test_a_gap_equal_to_the_timeout_does_not_end_a_session():
    assert starts_of([0, 3], [0, 30, 60], 30 * MINUTE) == [1, 0, 0]


def test_a_longer_gap_does():
    assert starts_of([0, 3], [0, 30, 60], 30 * MINUTE - 1) == [1, 1, 1]


def test_a_marked_event_starts_a_session_whatever_the_gap():
    assert starts_of([0, 4], [0, 1, 1, 2], 30 * MINUTE, [0, 0, 1, 0]) == [1, 0, 1, 0]


def test_a_person_starts_a_session_even_where_times_go_on():
    assert starts_of([0, 2, 2, 3], [5, 6, 6], 30 * MINUTE) == [1, 0, 1]


def test_no_events_have_no_sessions():
    assert starts_of([0], [], 30 * MINUTE) == []
    assert starts_of([0, 0, 0], [], 30 * MINUTE) == []


def test_read_only_columns_are_taken():
    offsets, times = np.array([0, 1], np.int64), np.array([7], np.int64)
    times.flags.writeable = False
    assert session_starts(offsets, times, MINUTE).tolist() == [1]
