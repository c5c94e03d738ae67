"""The peers' SQL answers the question that we answer: compared with a slow walk over each journey."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.answers import Answer, Row, checksum
from benchmarks.journeys import peer_rows
from benchmarks.peer_tables import duckdb_tables, peer_sql

MINUTE = 60_000_000
DAY = 1440 * MINUTE
CHANNELS = (None, None, "email", "social")

Event = tuple[int, str | None, int | None]
"""Time in microseconds, channel, revenue; an event with revenue is an order."""


@dataclass(frozen=True)
class FakeChunk:
    """The part of a journey chunk that peers read."""

    offsets: np.ndarray[Any, Any]
    times: np.ndarray[Any, Any]
    columns: dict[str, pa.Array]
    kept: np.ndarray[Any, Any] | None = None


gaps = st.sampled_from([1, 29 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1, DAY, 30 * DAY, 30 * DAY + 1])
events = st.tuples(gaps, st.sampled_from(CHANNELS), st.sampled_from([None, None, 7]))
journeys = st.lists(st.lists(events, min_size=1, max_size=12), max_size=5)


def _walk(steps: list[Event]) -> list[Event]:
    """Turn gaps into times."""
    times = np.cumsum([gap for gap, _, _ in steps])
    return [(int(time), channel, revenue) for time, (_, channel, revenue) in zip(times, steps, strict=True)]


def _chunk(persons: list[list[Event]]) -> FakeChunk:
    rows = [event for person in persons for event in person]
    orders = [None if revenue is None else 1 for _, _, revenue in rows]
    return FakeChunk(
        np.append(0, np.cumsum([len(person) for person in persons])).astype(np.int64),
        np.array([time for time, _, _ in rows], np.int64),
        {
            "channel": pa.array([channel for _, channel, _ in rows], pa.string()).dictionary_encode(),
            "revenue": pa.array([revenue for _, _, revenue in rows], pa.float64()),
            "orders": pa.array(orders, pa.int32()),
        },
    )


def _by_hand(persons: list[list[Event]]) -> list[Row]:
    sums: dict[str | None, list[float]] = defaultdict(lambda: [0.0, 0, 0])
    for person in persons:
        before, touch, touched = None, None, 0
        for time, channel, revenue in person:
            if channel is not None:
                touch, touched = channel, time
            item = sums[touch if touch is not None and time - touched <= 30 * DAY else None]
            item[0] += revenue or 0
            item[1] += revenue is not None
            item[2] += before is None or time - before > 30 * MINUTE
            before = time
    return [(channel, *numbers) for channel, numbers in sums.items()]


@given(journeys)
@settings(max_examples=40, deadline=None)
def test_every_formulation_in_duckdb_gives_the_answer(persons: list[list[Event]]) -> None:
    persons = [_walk(person) for person in persons]
    database = duckdb_tables(peer_rows([_chunk(persons)]))
    wanted = Answer(("channel",), _by_hand(persons))
    for name in ("duckdb_asof", "duckdb_filtered", "duckdb_windows"):
        found = Answer(("channel",), database.execute(peer_sql(name)).fetchall())
        assert checksum(found, ("channel",)) == checksum(wanted, ("channel",)), name
    floor = Answer(("channel",), database.execute(peer_sql("floor")).fetchall())
    assert checksum(floor, ()) == checksum(wanted, ())
    database.close()


def test_persons_of_several_chunks_stay_apart() -> None:
    one = [_walk([(1, "email", None)])]
    two = [_walk([(2, None, 7)])]
    database = duckdb_tables(peer_rows([_chunk(one), _chunk(two)]))
    assert database.execute("SELECT count(DISTINCT person) FROM by_person").fetchall() == [(2,)]


def test_rows_that_another_chunk_has_anew_are_left_out() -> None:
    one, two = _walk([(1, "email", 3)]), _walk([(2, None, 7), (DAY, None, 8)])
    stale = replace(_chunk([one, two]), kept=np.array([1, 0, 0], np.uint8))
    database = duckdb_tables(peer_rows([stale, _chunk([_walk([(2, None, 9)])])]))
    assert database.execute("SELECT revenue FROM by_person ORDER BY person").fetchall() == [(3.0,), (9.0,)]


def test_the_floor_of_a_range_counts_only_the_range() -> None:
    person = _walk([(DAY, "email", None), (DAY, None, 7), (DAY, None, 9)])
    database = duckdb_tables(peer_rows([_chunk([person])]))
    rows = database.execute(peer_sql("floor_range", {"start": 2 * DAY, "end": 3 * DAY})).fetchall()
    assert rows == [(None, 7.0, 1, 1)]


def test_journeys_that_the_peers_could_not_order_are_refused() -> None:
    with pytest.raises(ValueError, match="another seed"):
        duckdb_tables(peer_rows([_chunk([[(5, "email", None), (5, "social", None)]])]))
