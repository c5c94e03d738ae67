"""Recovery: what a dead process can leave behind is undone or finished."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from engine import flow
from engine.catalog.records import BatchStatus
from engine.errors import HomeError
from engine.journeys import store
from engine.journeys.append import append
from engine.journeys.columns import leaf_columns
from engine.lake import delta
from engine.lake import table as lake
from engine.world import Home, Lease
from tests.journeys.support import commit_batch, definitions, ingest_rows, journeys, new_home

START = datetime(2024, 1, 1, tzinfo=UTC)


def rows(first: int, count: int = 5) -> list[dict[str, object]]:
    return [
        {"id": f"e{number}", "at": START + timedelta(hours=number), "device": f"d{number % 3}"}
        for number in range(first, first + count)
    ]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 60))
    return home


def events(home: Home) -> int:
    return sum(map(len, journeys(home, [])))


def recover(home: Home) -> None:
    with home.lease() as lease:
        flow.recover(lease)


def test_nothing_to_do_publishes_nothing(home: Home) -> None:
    world = home.current()
    recover(home)
    assert home.current().id == world.id


def test_a_batch_in_the_lake_is_finished(home: Home) -> None:
    batch = commit_batch(home, "web", rows(100))
    assert events(home) == 60
    recover(home)
    assert events(home) == 65
    record = home.catalog.batch(batch)
    assert record.status is BatchStatus.SUCCESS
    assert record.version == home.current().datasets["web"]
    assert home.current().cause == "ingest web batch 2"


def test_batches_are_finished_in_the_order_of_their_commits(home: Home) -> None:
    first = rows(100, 1)[0] | {"login": {"customer": "Ann"}}
    commit_batch(home, "web", [first])
    commit_batch(home, "web", [first | {"id": "later", "login": None}])
    recover(home)
    assert len([row for rows in journeys(home, ["_person"]) for row in rows if row[1] == "Ann"]) == 2


def test_journeys_ahead_of_the_world_go_back(home: Home) -> None:
    commit_batch(home, "web", rows(100))
    world = home.current()
    newest = lake.latest_version(home.dataset_path("web"))
    append(home, "shop", world, {"web": newest})
    append_again = delta.latest_version(home.journeys_path("shop"))
    assert append_again > world.journeys["shop"]
    assert events(home) == 60
    recover(home)
    assert events(home) == 65
    after = home.current()
    assert delta.latest_version(home.journeys_path("shop")) == after.journeys["shop"]
    assert delta.latest_version(home.stitch_log_path("shop")) == after.stitch_logs["shop"]
    log = pl.scan_parquet(home.stitch_log_path("shop") / "*.parquet").collect()
    assert log["row"].n_unique() == log.height == 65


def test_files_that_no_world_knows_are_removed(home: Home) -> None:
    world = home.current()
    table = home.journeys_path("shop")
    known = set(table.rglob("*.parquet"))
    for folder in ("base/b0000-of-0002/2024-01", "level0/", "masks/"):
        name = f"{world.journeys['shop'] + 1:012d}-{'0' * 12}.parquet"
        path = table / (f"{folder}-{name}" if folder.startswith("base") else f"{folder}{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half a file")
    recover(home)
    assert set(table.rglob("*.parquet")) == known


def test_a_batch_that_never_came_is_failed(home: Home) -> None:
    batch = home.catalog.start_batch("abc", "web", ["f.csv"])
    left = home.dataset_path("web") / "00000002-abc-00000.parquet"
    left.write_bytes(b"half a file")
    recover(home)
    assert home.catalog.batch(batch.id).status is BatchStatus.FAILED
    assert not left.exists()
    assert events(home) == 60


def test_a_commit_on_a_stale_state_is_refused(home: Home) -> None:
    table, version = home.journeys_path("shop"), home.current().journeys["shop"]
    gone = store.files(table, version).base[0].path
    frame = pl.read_parquet(table / gone)
    added = delta.write_file(table, store.level0_path(version + 1), frame, group=100)
    with pytest.raises(HomeError, match="changed by another program"):
        delta.commit(table, version - 1, [added])
    with pytest.raises(HomeError, match="changed by another program"):
        delta.commit(table, version, [added], ["base/nowhere.parquet"])
    assert delta.latest_version(table) == version


def test_an_apply_that_dies_before_publishing_is_undone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    world, before = home.current(), events(home)
    changed = definitions(calls=False, window="1d", buckets=8)
    with monkeypatch.context() as patched:
        patched.setattr(Lease, "publish", lambda *_, **__: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            flow.apply(home, changed)
    assert delta.latest_version(home.journeys_path("shop")) > world.journeys["shop"]
    assert events(home) == before
    recover(home)
    assert home.current().definitions == world.definitions
    assert events(home) == before
    assert "topic" in leaf_columns(home.current().definitions, "shop")
    ingest_rows(home, "web", rows(200))
    assert events(home) == before + 5
    assert flow.apply(home, changed).rebuilt == ("shop",)
    assert events(home) == before + 5
