"""Compaction: when runs are merged, into what, and that buckets grow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import flow
from engine.journeys import compact, runs, store
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, journeys, new_home

START = datetime(2024, 1, 1, tzinfo=UTC)


def rows(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"e{number}",
            "at": START + timedelta(hours=number),
            "device": f"d{number % 7}",
            "login": {"customer": f"c{number % 7}" if number % 11 == 0 else None},
        }
        for number in range(first, first + count)
    ]


def files_of(home: Home) -> store.Files:
    return store.files(home.journeys_path("shop"), home.current().journeys["shop"])


def seen(home: Home) -> list[list[Any]]:
    return sorted(journeys(home, ["_person", "_event_id"]))


def test_the_first_rows_are_the_base(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 50))
    files = files_of(home)
    assert (files.base_rows, files.level0_rows, files.runs, files.buckets) == (50, 0, 0, 2)


def test_few_rows_stay_in_runs_until_there_are_many(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    for number in range(compact.MAX_RUNS):
        ingest_rows(home, "web", rows(300 + number, 1))
    files = files_of(home)
    assert (files.base_rows, files.runs) == (200, compact.MAX_RUNS)
    ingest_rows(home, "web", rows(400, 1))
    files = files_of(home)
    assert (files.base_rows, files.level0_rows, files.runs) == (200, compact.MAX_RUNS + 1, 1)
    assert sum(map(len, seen(home))) == 200 + compact.MAX_RUNS + 1
    ingest_rows(home, "web", rows(500, 50))
    files = files_of(home)
    assert (files.base_rows, files.level0_rows) == (200 + compact.MAX_RUNS + 51, 0)


def test_a_replay_that_moves_much_is_merged(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    flow.replay(home, "shop", at=START + timedelta(days=30), lookback=timedelta(days=60))
    files = files_of(home)
    assert files.base_rows + files.level0_rows - sum(file.rows for file in files.masks) == 200


def test_small_slices_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = new_home(tmp_path, definitions(buckets=4))
    sliced = new_home(tmp_path, definitions(buckets=4))
    for home, size in ((whole, runs.SLICE_ROWS), (sliced, 40)):
        monkeypatch.setattr(runs, "SLICE_ROWS", size)
        ingest_rows(home, "web", rows(0, 150))
        ingest_rows(home, "web", rows(150, 150))
        flow.rebuild(home, "shop")
    assert seen(sliced) == seen(whole)


def test_buckets_grow_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "ROWS_PER_BUCKET", 40)
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 70))
    before = files_of(home).buckets
    ingest_rows(home, "web", rows(70, 200))
    assert before == 2 and files_of(home).buckets == 8
    assert sum(map(len, seen(home))) == 270
