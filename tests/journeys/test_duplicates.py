"""Duplicates: the smallest (timestamp, content) wins, whatever arrived first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import flow
from engine.journeys.duplicates import _TOGETHER, _stretches
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, journeys, new_home

START = datetime(2024, 1, 10, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path, definitions(window="30d"))


def event(day: float, name: str | None, channel: str, person: str = "Ann") -> dict[str, Any]:
    at = START + timedelta(days=day)
    return {"id": name, "at": at, "device": None, "login": {"customer": person}, "channel": channel}


def channels(home: Home) -> list[str]:
    rows = [row for rows in journeys(home, ["channel"]) for row in rows]
    return [channel for _, channel in sorted(rows)]


def test_first_wins_and_the_next_beyond_the_window_wins_again(home: Home) -> None:
    days = [
        (0, "first"),
        (20, "repeat"),
        (30, "edge"),
        (31, "again"),
        (60, "repeat"),
        (62, "third"),
    ]
    ingest_rows(home, "web", [event(day, "a", channel) for day, channel in days])
    assert channels(home) == ["first", "again", "third"]


def test_a_late_smaller_one_pushes_the_winner_aside(home: Home) -> None:
    ingest_rows(home, "web", [event(5, "a", "early bird", "Bob"), event(5, "b", "other", "Bob")])
    ingest_rows(home, "web", [event(4, "a", "late but smaller")])
    assert channels(home) == ["late but smaller", "other"]
    assert {rows[0][1] for rows in journeys(home, ["_person"])} == {"Ann", "Bob"}


def test_a_late_one_sets_a_repeat_free(home: Home) -> None:
    ingest_rows(home, "web", [event(0, "a", "zero"), event(20, "a", "twenty")])
    assert channels(home) == ["zero"]
    ingest_rows(home, "web", [event(-15, "a", "before")])
    assert channels(home) == ["before", "twenty"]
    flow.rebuild(home, "shop")
    assert channels(home) == ["before", "twenty"]


def test_a_chain_of_repeats_is_followed_through_files_beyond_the_window(home: Home) -> None:
    for day in (10, 35, 65):
        ingest_rows(home, "web", [event(day, "a", f"day {day}")])
    assert channels(home) == ["day 10", "day 65"]
    ingest_rows(home, "web", [event(-15, "a", "day -15")])
    assert channels(home) == ["day -15", "day 35"]


def test_equal_times_are_settled_by_content_and_not_by_arrival(tmp_path: Path) -> None:
    rows = [event(0, "a", channel) for channel in ("one", "two", "three")]
    answers = []
    for order in (rows, rows[::-1], rows[1:] + rows[:1]):
        home = new_home(tmp_path, definitions())
        for row in order:
            ingest_rows(home, "web", [row])
        answers.append(channels(home))
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0]) == 1


def test_without_an_id_nothing_is_a_duplicate(home: Home) -> None:
    ingest_rows(home, "web", [event(0, None, "same"), event(0, None, "same")])
    call = {"at": START, "customer": "Ann", "channel": "phone", "topic": None}
    ingest_rows(home, "calls", [call, call])
    assert channels(home) == ["phone", "phone", "same", "same"]


def test_ids_of_different_datasets_do_not_meet(tmp_path: Path) -> None:
    given = definitions()
    web = given.datasets["web"].model_dump(exclude_defaults=True)
    parts = {name: {"person_id": "login.customer"} for name in ("web", "app")}
    both = definitions(datasets={"web": web, "app": web}, connections={"shop": {"datasets": parts}})
    home = new_home(tmp_path, both)
    ingest_rows(home, "web", [event(0, "a", "web")])
    ingest_rows(home, "app", [event(0, "a", "app")])
    assert channels(home) == ["app", "web"]


def test_a_row_that_cannot_be_taken_repeats_nothing(home: Home) -> None:
    nobody = event(0, "a", "nobody") | {"login": {"customer": None}}
    ancient = event(-200 * 365, "b", "ancient")
    ingest_rows(home, "web", [nobody, event(1, "a", "somebody"), ancient, event(0, "b", "now")])
    assert channels(home) == ["now", "somebody"]
    skips = flow.status(home).connections[0].skips
    assert skips == {"Empty visitor ID": 1, "No timestamp, or before 1900": 1}


@given(st.sets(st.integers(0, 200), min_size=1))
def test_neighbouring_blocks_are_read_together_but_not_too_many(blocks: set[int]) -> None:
    stretches = [*_stretches(np.array(sorted(blocks)))]
    assert [first + place for first, count in stretches for place in range(count)] == sorted(blocks)
    assert all(count <= _TOGETHER for _, count in stretches)
    apart = [first for first, _ in stretches if first - 1 in blocks]
    assert all(first % _TOGETHER == 0 for first in apart)
