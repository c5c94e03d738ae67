"""Sessions: the edges of the timeout, marked starts, and where persons meet."""

from __future__ import annotations

import numpy as np

from engine.journeys.sessions import (
    depths,
    first_time_sessions,
    session_ends,
    session_starts,
    time_spent,
)

MINUTE = 60_000_000


def starts_of(offsets, minutes, timeout, marks=None, ends=None):
    times = np.array(minutes, np.int64) * MINUTE
    marked = (None if m is None else np.array(m, np.uint8) for m in (marks, ends))
    return session_starts(np.array(offsets, np.int64), times, timeout, *marked).tolist()


def test_a_gap_equal_to_the_timeout_does_not_end_a_session():
    assert starts_of([0, 3], [0, 30, 60], 30 * MINUTE) == [1, 0, 0]


def test_a_longer_gap_does():
    assert starts_of([0, 3], [0, 30, 60], 30 * MINUTE - 1) == [1, 1, 1]


def test_a_marked_event_starts_a_session_whatever_the_gap():
    assert starts_of([0, 4], [0, 1, 1, 2], 30 * MINUTE, [0, 0, 1, 0]) == [1, 0, 1, 0]


def test_an_event_marked_as_an_end_is_the_last_of_its_session():
    assert starts_of([0, 4], [0, 1, 2, 3], 30 * MINUTE, ends=[0, 1, 0, 1]) == [1, 0, 1, 0]
    assert starts_of([0, 2, 3], [0, 1, 2], 30 * MINUTE, [0, 1, 0], [0, 1, 1]) == [1, 1, 1]


def test_time_is_spent_until_the_next_event_of_the_session():
    starts = session_starts(*two_people(), 30 * MINUTE)
    assert (time_spent(two_people()[1], starts) // MINUTE).tolist() == [5, 0, 0, 30, 0]
    assert session_ends(starts).tolist() == [0, 1, 1, 0, 1]


def test_depth_counts_from_one_in_each_session():
    starts = session_starts(*two_people(), 30 * MINUTE)
    assert depths(starts, np.ones(5, np.uint8)).tolist() == [1, 2, 1, 1, 2]
    assert depths(starts, np.array([0, 1, 1, 0, 1], np.uint8)).tolist() == [0, 1, 1, 0, 1]


def test_a_first_time_session_has_nothing_before_it_that_counts():
    offsets, times = two_people()
    starts = session_starts(offsets, times, 30 * MINUTE)
    assert first_time_sessions(offsets, times, starts).tolist() == [True, False, True]
    assert first_time_sessions(offsets, times, starts, since=6 * MINUTE).tolist() == [True, True, True]
    assert first_time_sessions(offsets, times, starts, 6 * MINUTE, 7 * MINUTE).tolist() == [False, True, True]


def two_people():
    """Ann at minutes 0, 5 and 60, Bob at 7 and 37."""
    return np.array([0, 3, 5], np.int64), np.array([0, 5, 60, 7, 37], np.int64) * MINUTE


def test_a_person_starts_a_session_even_where_times_go_on():
    assert starts_of([0, 2, 2, 3], [5, 6, 6], 30 * MINUTE) == [1, 0, 1]


def test_no_events_have_no_sessions():
    assert starts_of([0], [], 30 * MINUTE) == []
    assert starts_of([0, 0, 0], [], 30 * MINUTE) == []


def test_read_only_columns_are_taken():
    offsets, times = np.array([0, 1], np.int64), np.array([7], np.int64)
    times.flags.writeable = False
    assert session_starts(offsets, times, MINUTE).tolist() == [1]
