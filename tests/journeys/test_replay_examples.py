"""The worked examples of field-based stitching, through lake, stitch log and journeys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine import flow
from engine.errors import UnknownNameError, UnsupportedError
from engine.journeys import runs, stitch_log
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, journeys, new_home

NOON = datetime(2023, 5, 12, 12, tzinfo=UTC)
TABLE = [
    (1, "246", None),
    (2, "246", "Bob"),
    (3, "246", "Bob"),
    (4, "246", None),
    (5, "246", "Bob"),
    (6, "246", None),
    (7, "246", "Bob"),
    (3, "3579", None),
    (9, "3579", None),
    (2, "81911", None),
    (5, "81911", "Bob"),
    (12, "81911", None),
]
"""EX-ST-1: minute after noon, device, person."""


def web(minute: float, device: str | None, person: str | None, name: str) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    return {"id": name, "at": at, "device": device, "login": {"customer": person}}


def table_rows(table: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [web(*row, name=f"e{number:02}") for number, row in enumerate(table, start=1)]


def persons(home: Home) -> list[str]:
    """Return each event's person, events in the order of their ids."""
    rows = [row for rows in journeys(home, ["_event_id", "_person"]) for row in rows]
    return [person for _, _, person in sorted(rows, key=lambda row: row[1])]


def replay(home: Home, minute: float, lookback: timedelta) -> Any:
    return flow.replay(home, "shop", at=NOON + timedelta(minutes=minute), lookback=lookback)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path, definitions())


def test_ex_st_1_ex_st_3_worked_table(home: Home) -> None:
    ingest_rows(home, "web", table_rows(TABLE))
    bob = ["Bob"] * 6
    assert persons(home) == ["246", *bob, "3579", "3579", "81911", "Bob", "Bob"]
    status = flow.status(home).connections[0]
    assert (status.persons, status.events) == (4, 12)
    # EX-ST-3 counts 8 of 12, but its own live column has eight rows that are Bob's.
    assert status.stitched_rate == pytest.approx(8 / 12)

    record = replay(home, 30, timedelta(days=1))
    assert persons(home) == ["Bob", *bob, "3579", "3579", "Bob", "Bob", "Bob"]
    assert (record.rows_in_window, record.rows_changed) == (12, 2)
    assert (record.persons_before, record.persons_after) == (4, 2)
    status = flow.status(home).connections[0]
    assert status.stitched_rate == pytest.approx(10 / 12)
    assert status.last_replay == record


def test_ex_st_2_shared_device_is_split(home: Home) -> None:
    day = 23 * 60 + 8
    table = [(1, "x", None), (2, "x", None), (3, "x", "ryan"), (7, "x", None), (8, "x", "cassidy")]
    ingest_rows(home, "web", table_rows([*table, (day, "x", None)]))
    replay(home, day, timedelta(days=2))
    assert persons(home) == ["ryan", "ryan", "ryan", "ryan", "cassidy", "cassidy"]


def test_window_is_open_at_its_start_and_closed_at_its_end(home: Home) -> None:
    table = [(0, "x", None), (1, "x", None), (10, "x", "Ann"), (10.1, "y", "Bob"), (9, "y", None)]
    ingest_rows(home, "web", table_rows(table))
    record = replay(home, 10, timedelta(minutes=10))
    assert persons(home) == ["x", "Ann", "Ann", "Bob", "y"]
    assert record.rows_in_window == 3


def test_replay_keeps_what_live_stitching_knew_from_before_the_window(home: Home) -> None:
    ingest_rows(home, "web", table_rows([(0, "x", "Ann"), (60, "x", None)]))
    assert persons(home) == ["Ann", "Ann"]
    assert replay(home, 61, timedelta(minutes=5)).rows_changed == 0


def test_of_two_last_persons_before_the_window_the_alphabetically_first_counts(home: Home) -> None:
    late = [(0, "x", "Bob"), (0, "x", "Ann"), (-5, "x", "Cleo"), (60, "x", None)]
    ingest_rows(home, "web", [web(60, "x", None, "e04")])
    ingest_rows(home, "web", table_rows(late)[:3])
    replay(home, 61, timedelta(minutes=5))
    assert persons(home) == ["Bob", "Ann", "Cleo", "Ann"]


def test_a_person_named_like_the_device_changes_the_namespace_only(home: Home) -> None:
    more = [(minute, "z", "Zoe") for minute in range(20, 40)]
    ingest_rows(home, "web", table_rows([(0, "x", None), (1, "x", "x"), *more]))
    assert replay(home, 50, timedelta(days=1)).rows_changed == 1
    rows = [row for rows in journeys(home, ["_person", "_namespace"]) for row in rows]
    assert [row[1:] for row in rows if row[1] == "x"] == [("x", "crm"), ("x", "crm")]


@pytest.mark.parametrize("slice_rows", [1, 5, 100])
def test_windows_larger_than_a_slice(home: Home, slice_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What moves is then read slice by slice; twice, so that masks are between the rows."""
    ingest_rows(home, "web", table_rows([*TABLE[:7], (0, "y", None)]))
    monkeypatch.setattr(runs, "SLICE_ROWS", slice_rows)
    assert replay(home, 30, timedelta(days=1)).rows_changed == 1
    ingest_rows(home, "web", [web(8, "y", "Yan", "late")])
    ingest_rows(home, "web", [web(9, "y", None, "later")])
    assert replay(home, 30, timedelta(days=1)).rows_changed == 1
    assert persons(home) == ["Bob"] * 7 + ["Yan"] * 3
    columns = ["_event_id", "device", "_namespace"]
    rows = [row[1:] for rows in journeys(home, columns) for row in rows]
    devices = ["246"] * 7 + ["y"] * 3
    names = [*(f"e{number:02}" for number in range(1, 9)), "late", "later"]
    assert sorted(rows) == [(name, device, "crm") for name, device in zip(names, devices, strict=True)]


def test_log_says_who_when_and_why(home: Home) -> None:
    ingest_rows(home, "web", table_rows([(0, "x", None), (1, "x", "Ann")]))
    replay(home, 2, timedelta(hours=1))
    folder = home.stitch_log_path("shop")
    entries = pl.scan_parquet(folder / "*.parquet").sort("sequence", "row").collect()
    told = entries.select("person", "namespace", "kind").rows()
    assert told == [("x", "ecid", "live"), ("Ann", "crm", "live"), ("Ann", "crm", "replay")]
    latest = stitch_log.latest(folder, home.current().stitch_logs["shop"], 0)
    assert latest["_person"].to_list() == ["Ann", "Ann"]


def test_replay_takes_each_datasets_own_lookback_and_now(home: Home) -> None:
    record = flow.replay(home, "shop")
    assert record.lookback == timedelta(days=7)
    assert record.at == record.started_at
    assert record.rows_in_window == 0


def test_what_cannot_be_replayed(tmp_path: Path) -> None:
    plain = {"plain": {"datasets": {"calls": {"person_id": "customer"}}}}
    home = new_home(tmp_path, definitions(connections=plain))
    with pytest.raises(UnsupportedError, match="stitched"):
        flow.replay(home, "plain")
    with pytest.raises(UnknownNameError, match="plane"):
        flow.replay(home, "plane")
