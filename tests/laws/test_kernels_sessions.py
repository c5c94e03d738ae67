"""What follows from sessions, and neighbouring values, against their oracles, on any journeys."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from attribution.models import Container
from attribution.windows import container_starts
from engine.journeys.distinct import first_in_group
from engine.journeys.neighbours import neighbour_rows
from engine.journeys.sessions import depths, first_time_sessions, session_ends, session_starts, time_spent
from tests.laws.strategies import DURATIONS, codes, journeys, masks
from tests.oracle import distinct as sets
from tests.oracle import neighbours as walk
from tests.oracle import sessions as oracle


@st.composite
def marked_journeys(draw):
    """Journeys with their sessions: starts, and the session number of each event of each person."""
    drawn, timeout = draw(journeys()), draw(DURATIONS)
    begin = draw(st.none() | masks(drawn.times.size))
    end = draw(st.none() | masks(drawn.times.size))
    starts = session_starts(drawn.offsets, drawn.times, timeout, begin, end)
    numbers = [
        oracle.session_numbers(
            drawn.times[person].tolist(), timeout, *(None if m is None else m[person] for m in (begin, end))
        )
        for person in drawn.persons
    ]
    return drawn, starts, numbers


@given(marked_journeys())
def test_marked_starts_and_ends_agree_with_the_oracle(found):
    drawn, starts, numbers = found
    ends, spent = session_ends(starts), time_spent(drawn.times, starts)
    for person, sessions in zip(drawn.persons, numbers, strict=True):
        assert (np.cumsum(starts[person], dtype=int) - 1).tolist() == sessions
        assert ends[person].tolist() == oracle.ends(sessions)
        assert spent[person].tolist() == oracle.time_spent(drawn.times[person].tolist(), sessions)


@given(marked_journeys())
def test_a_session_has_one_start_and_one_end_and_its_length_is_the_time_spent(found):
    drawn, starts, _ = found
    ends, spent = session_ends(starts), time_spent(drawn.times, starts)
    assert starts.sum() == ends.sum()
    lengths = drawn.times[ends == 1] - drawn.times[starts == 1]
    assert (lengths >= 0).all()
    assert lengths.sum() == spent.sum()


@given(st.data(), marked_journeys(), st.sampled_from(Container))
def test_depth_agrees_with_the_oracle(data, found, container):
    drawn, starts, numbers = found
    marks = data.draw(masks(drawn.times.size))
    depth = depths(container_starts(container, drawn.offsets, starts), marks)
    for person, sessions in zip(drawn.persons, numbers, strict=True):
        containers = sessions if container is Container.SESSION else [0] * len(sessions)
        assert depth[person].tolist() == oracle.depths(containers, marks[person].tolist())


@given(st.data(), marked_journeys())
def test_first_time_sessions_agree_with_the_oracle(data, found):
    drawn, starts, numbers = found
    bound = st.none() | st.sampled_from([0, *drawn.times.tolist()]) | st.integers(-10, 40)
    since, begin = data.draw(bound), data.draw(bound)
    if since is not None and begin is not None:
        since, begin = min(since, begin), max(since, begin)
    first = first_time_sessions(drawn.offsets, drawn.times, starts, since, begin)
    index = np.cumsum(starts, dtype=int) - 1
    for person, sessions in zip(drawn.persons, numbers, strict=True):
        expected = oracle.first_time(drawn.times[person].tolist(), sessions, since, begin)
        assert first[index[person]].tolist() == expected


@given(
    st.data(),
    marked_journeys(),
    st.sampled_from(Container),
    st.booleans(),
    st.integers(1, 3),
    st.booleans(),
)
def test_neighbours_agree_with_the_oracle(data, found, container, ahead, index, repeats):
    drawn, starts, numbers = found
    values = data.draw(codes(drawn.times.size))
    rows = np.flatnonzero(values >= 0).astype(np.int32)
    resets = container_starts(container, drawn.offsets, starts)
    shown = neighbour_rows(resets, rows, values[rows], ahead=ahead, index=index, repeats=repeats)
    assert (shown[values < 0] == -1).all()
    for person, sessions in zip(drawn.persons, numbers, strict=True):
        containers = sessions if container is Container.SESSION else [0] * len(sessions)
        own = [None if value < 0 else value for value in values[person].tolist()]
        expected = walk.neighbour(own, containers, ahead=ahead, index=index, repeats=repeats)
        sources = shown[person]
        assert [None if row < 0 else values[row] for row in sources.tolist()] == expected
        assert ((sources < 0) | ((sources >= person.start) & (sources < person.stop))).all()


@given(st.data(), marked_journeys(), st.sampled_from(Container), st.booleans())
def test_distinct_persons_and_sessions_agree_with_the_oracle(data, found, container, some):
    drawn, starts, _ = found
    containers = np.cumsum(container_starts(container, drawn.offsets, starts), dtype=np.int32)
    if some:
        containers = np.where(data.draw(masks(containers.size)) != 0, containers, -1).astype(np.int32)
    groups = data.draw(codes(containers.size)) + np.int32(1)
    firsts = first_in_group(containers, groups, 4)
    expected = sets.distinct(containers.tolist(), groups.tolist())
    assert {group: int(firsts[groups == group].sum()) for group in expected} == expected
    assert set(firsts.tolist()) <= {0, 1}
