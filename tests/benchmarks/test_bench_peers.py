"""The peers' SQL answers the question that we answer: compared with a slow walk over each journey."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.answers import Answer, Row, checksum
from benchmarks.journeys import peer_rows
from benchmarks.models import POSITIONAL, SETTINGS
from benchmarks.peer_tables import duckdb_tables, peer_sql
from benchmarks.questions import DUCKDB, ENGINES, QUESTIONS, Question, asked_of_peers
from wayline.generate import shop

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
    """Turn gaps into times after the beginning of the quarter, which the weights in SQL count from."""
    times = shop.START + np.cumsum([gap for gap, _, _ in steps])
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


def _shares(model: str, touches: list[tuple[int, str]], now: int) -> list[tuple[str | None, float]]:
    """Return (channel, share) of one conversion; touches: time and channel, in order, none too old."""
    channels = [channel for _, channel in touches]
    if model == "same":
        return [(channels[-1] if touches and touches[-1][0] == now else None, 1.0)]
    if not touches:
        return [(None, 1.0)]
    if model in ("last", "first"):
        return [(channels[-1] if model == "last" else channels[0], 1.0)]
    if model == "participation":
        return [(channel, 1.0) for channel in set(channels)]
    weights = _weights(model, [now - time for time, _ in touches])
    return [(channel, weight / sum(weights)) for channel, weight in zip(channels, weights, strict=True)]


def _weights(model: str, ages: list[int]) -> list[float]:
    if model == "linear":
        return [1.0] * len(ages)
    if model == "time_decay":
        return [0.5 ** (age / (7 * DAY)) for age in ages]
    starter, player, closer = POSITIONAL[model]
    if len(ages) < 3:
        return [starter, closer][: len(ages)]
    middle = len(ages) - 2
    return [starter, *[player / middle] * middle, closer]


BEYOND_SQL = {"algorithmic", "markov"}
PERIOD = {"day": DAY, "hour": 60 * MINUTE}


def _by_hand(persons: list[list[Event]], question: Question) -> Answer:
    sums: dict[Row, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for person in persons:
        before = None
        for place, (now, _, revenue) in enumerate(person):
            numbers = (revenue or 0, revenue is not None, before is None or now - before > 30 * MINUTE)
            touches = [
                (time, channel)
                for time, channel, _ in person[: place + 1]
                if channel is not None and now - time <= 30 * DAY
            ]
            for channel, share in _shares(question.model, touches, now):
                item = sums[channel, *_period(now, question.period)]
                for measure, number in enumerate(numbers):
                    item[measure] += number * share
            before = now
    return Answer(question.keys, [(*key, *numbers) for key, numbers in sums.items()])


def _period(time: int, period: str) -> tuple[datetime, ...]:
    return (datetime(1970, 1, 1) + timedelta(microseconds=time - time % PERIOD[period]),) if period else ()


@given(journeys)
@settings(max_examples=15, deadline=None)
def test_every_formulation_in_duckdb_gives_the_answer(persons: list[list[Event]]) -> None:
    persons = [_walk(person) for person in persons]
    with duckdb_tables(peer_rows([_chunk(persons)])) as database:
        for question, formulation in asked_of_peers():
            if formulation.engine == DUCKDB:
                found = Answer(question.keys, database.execute(formulation.sql(question)).fetchall())
                wanted = _by_hand(persons, question)
                assert checksum(found, question.keys) == checksum(wanted, question.keys), formulation.name(
                    question
                )


@given(journeys)
@settings(max_examples=15, deadline=None)
def test_plain_windows_and_the_floor_give_the_answer(persons: list[list[Event]]) -> None:
    persons = [_walk(person) for person in persons]
    wanted = _by_hand(persons, Question("last"))
    with duckdb_tables(peer_rows([_chunk(persons)])) as database:
        for name, keys in (("duckdb_windows", ("channel",)), ("floor", ())):
            found = Answer(("channel",), database.execute(peer_sql(name)).fetchall())
            assert checksum(found, keys) == checksum(wanted, keys)


def test_every_model_is_asked_of_every_engine_by_every_period() -> None:
    asked = {(question.name, formulation.engine) for question, formulation in asked_of_peers()}
    sayable = [question for question in QUESTIONS if question.model not in BEYOND_SQL]
    assert asked == {(question.name, engine) for question in sayable for engine in ENGINES}
    assert {question.model for question in QUESTIONS} == set(SETTINGS)


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
    rows = database.execute(
        peer_sql("floor_range", {"start": shop.START + 2 * DAY, "end": shop.START + 3 * DAY})
    ).fetchall()
    assert rows == [(None, 7.0, 1, 1)]


def test_journeys_that_the_peers_could_not_order_are_refused() -> None:
    with pytest.raises(ValueError, match="another seed"):
        duckdb_tables(peer_rows([_chunk([[(5, "email", None), (5, "social", None)]])]))
