"""Sessions and persistence against their oracles, on any journeys."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.journeys.persistence import NO_VALUE, Allocation, Expiration, persisted_rows
from engine.journeys.sessions import session_starts
from tests.laws.strategies import DURATIONS, journeys, masks
from tests.oracle.persistence import persisted
from tests.oracle.sessions import session_numbers


@given(st.data(), journeys(), DURATIONS, st.booleans())
def test_sessions_agree_with_the_oracle(data, drawn, timeout, marked):
    marks = data.draw(masks(drawn.times.size)) if marked else None
    starts = session_starts(drawn.offsets, drawn.times, timeout, marks)
    for person in drawn.persons:
        expected = session_numbers(
            drawn.times[person].tolist(), timeout, None if marks is None else marks[person].tolist()
        )
        assert (np.cumsum(starts[person], dtype=int) - 1).tolist() == expected


@given(journeys(), DURATIONS)
def test_sessions_partition_events(drawn, timeout):
    starts = session_starts(drawn.offsets, drawn.times, timeout)
    people = sum(person.stop > person.start for person in drawn.persons)
    assert people <= starts.sum() <= starts.size
    assert set(starts.tolist()) <= {0, 1}


@given(
    st.data(),
    journeys(),
    DURATIONS,
    st.sampled_from(Allocation),
    st.sampled_from(Expiration),
    DURATIONS,
)
def test_persistence_agrees_with_the_oracle(data, drawn, timeout, allocation, expiration, ttl):
    present = data.draw(masks(drawn.times.size))
    starts = session_starts(drawn.offsets, drawn.times, timeout)
    rows = persisted_rows(drawn.offsets, drawn.times, present, starts, allocation, expiration, ttl)
    for person in drawn.persons:
        times = drawn.times[person].tolist()
        own_rows = range(person.start, person.stop)
        values = [row if present[row] else None for row in own_rows]
        sessions = session_numbers(times, timeout)
        expected = persisted(times, values, sessions, allocation.value, expiration.value, ttl)
        assert rows[person].tolist() == [NO_VALUE if value is None else value for value in expected]
