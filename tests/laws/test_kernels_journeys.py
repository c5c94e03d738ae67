"""Sessions, persistence, binding and deduplication against their oracles, on any journeys."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.journeys.binding import bound_rows
from engine.journeys.deduplication import Keep, duplicates
from engine.journeys.groups import numbered_groups, values_so_far
from engine.journeys.persistence import (
    NO_VALUE,
    Allocation,
    Expiration,
    persisted_rows,
    resets,
    stretches,
)
from engine.journeys.sessions import session_starts
from tests.laws.strategies import DURATIONS, codes, journeys, masks
from tests.oracle.persistence import Moment, Rule, bound, persisted
from tests.oracle.persistence import duplicates as oracle_duplicates
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


@st.composite
def persisting(draw, allocations):
    """Draw journeys, where a dimension is set, how it persists, and what resets it."""
    drawn = draw(journeys())
    rows = drawn.times.size
    expiration = draw(st.sampled_from(Expiration))
    ttl = draw(DURATIONS) if expiration is Expiration.CUSTOM else None
    starts = session_starts(drawn.offsets, drawn.times, draw(DURATIONS))
    happened = draw(masks(rows))
    marks = resets(drawn.offsets, starts, expiration, happened)
    rule = Rule(draw(st.sampled_from(allocations)).value, expiration.value, ttl or 0)
    return drawn, np.cumsum(starts), happened, marks, rule, ttl


ONE_VALUE = [allocation for allocation in Allocation if allocation is not Allocation.ALL]


@settings(max_examples=300)
@given(st.data(), persisting(ONE_VALUE))
def test_persistence_agrees_with_the_oracle(data, case):
    drawn, sessions, happened, marks, rule, ttl = case
    present = data.draw(masks(drawn.times.size))
    rows = persisted_rows(drawn.times, present, marks, Allocation(rule.allocation), ttl)
    for person in drawn.persons:
        moments = [
            Moment(
                int(drawn.times[row]), int(sessions[row]), row if present[row] else None, bool(happened[row])
            )
            for row in range(person.start, person.stop)
        ]
        expected = [NO_VALUE if value is None else value for value in persisted(moments, rule)]
        assert rows[person].tolist() == expected


@given(st.data(), persisting([Allocation.ALL]))
def test_all_values_agree_with_the_oracle(data, case):
    drawn, sessions, happened, marks, rule, _ = case
    values = data.draw(codes(drawn.times.size))
    found = values_so_far(stretches(marks), values)
    assert found.rows.size <= drawn.times.size
    for person in drawn.persons:
        moments = [
            Moment(
                int(drawn.times[row]),
                int(sessions[row]),
                None if values[row] < 0 else int(values[row]),
                bool(happened[row]),
            )
            for row in range(person.start, person.stop)
        ]
        lists = [
            values[found.rows[begin : begin + count]].tolist()
            for begin, count in zip(found.begins[person], found.counts[person], strict=True)
        ]
        assert lists == persisted(moments, rule)


@settings(max_examples=300)
@given(st.data(), persisting(ONE_VALUE))
def test_binding_agrees_with_the_oracle(data, case):
    drawn, sessions, happened, marks, rule, ttl = case
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=drawn.times.size, max_size=drawn.times.size))
    events = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    items, own, binds = (data.draw(drawing(events.size)) for drawing in (codes, masks, masks))
    sources = np.where(own & binds[events], np.arange(events.size), -1).astype(np.int32)
    groups = numbered_groups(stretches(marks)[events], items)
    times = drawn.times[events]
    rows = bound_rows(events, times, groups, sources, Allocation(rule.allocation), ttl)
    for person in drawn.persons:
        moments = [
            Moment(
                int(drawn.times[row]),
                int(sessions[row]),
                metric=bool(happened[row]),
                binds=bool(binds[row]),
                elements=tuple(
                    (None if items[place] < 0 else items[place], place if own[place] else None)
                    for place in np.flatnonzero(events == row)
                ),
            )
            for row in range(person.start, person.stop)
        ]
        mine = (events >= person.start) & (events < person.stop)
        expected = [value for event in bound(moments, rule) for value in event]
        got = [None if row < 0 else row for row in rows[mine]]
        # Without an item an element keeps its own value, which is not the kernel's concern.
        wanted = [None if items[place] < 0 else expected[n] for n, place in enumerate(np.flatnonzero(mine))]
        assert got == wanted


@given(st.data(), journeys(), st.sampled_from(Keep))
def test_deduplication_agrees_with_the_oracle(data, drawn, keep):
    scopes = np.repeat(np.arange(len(drawn.persons), dtype=np.int32), np.diff(drawn.offsets))
    ids, counted = data.draw(codes(scopes.size)), data.draw(masks(scopes.size))
    got = duplicates(scopes, np.where(counted, ids, -1).astype(np.int32), keep)
    names = [None if code < 0 else int(code) for code in ids]
    expected = oracle_duplicates(names, counted.astype(bool).tolist(), scopes.tolist(), keep.value)
    assert got.astype(bool).tolist() == expected
