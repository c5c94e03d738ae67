"""Compaction: when runs are merged, split and put into the base, that buckets grow, and by whom it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from engine import flow
from engine.errors import HomeError, UnknownNameError
from engine.journeys import compact, runs, store
from engine.journeys.columns import journey_schema
from engine.lake import commits, delta
from engine.upkeep import Upkeep, keep_up
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


def size(files: Sequence[store.JourneyFile]) -> int:
    return sum(file.rows for file in files)


def fewest(files: store.Files) -> int:
    """Of how many hash ranges the largest bucket is one."""
    return min((of for _, of in files.places), default=1)


def seen(home: Home) -> list[list[Any]]:
    return sorted(journeys(home, ["_person", "_event_id"]))


def count(home: Home) -> int:
    return sum(map(len, seen(home)))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Thresholds for some hundred rows: they are worth a split, and every month a file."""
    monkeypatch.setattr(compact, "SPLIT_ROWS", 10)
    monkeypatch.setattr(runs, "FILE_ROWS", 1)
    return monkeypatch


def test_the_first_rows_are_the_base(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 50))
    files = files_of(home)
    assert (size(files.base), size(files.level0), files.runs, fewest(files)) == (50, 0, 0, 2)


def test_few_rows_stay_in_runs_and_runs_stay_few(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    for number in range(compact.MAX_RUNS):
        ingest_rows(home, "web", rows(300 + number, 1))
    assert keep_up(home) == 0
    assert files_of(home).runs == compact.MAX_RUNS
    ingest_rows(home, "web", rows(400, 1))
    assert keep_up(home) == 1
    files = files_of(home)
    assert (size(files.base), size(files.level0), files.runs) == (200, compact.MAX_RUNS + 1, 1)
    assert count(home) == 200 + compact.MAX_RUNS + 1


def test_a_row_is_rewritten_a_few_times_however_many_runs_come(
    tmp_path: Path, tiny: pytest.MonkeyPatch
) -> None:
    tiny.setattr(compact, "SPLIT_ROWS", 1000)
    tiny.setattr(compact, "MAX_RUNS", 3)
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 50))
    rewritten = 0
    for number in range(40):
        before = {file.path for file in files_of(home).level0}
        ingest_rows(home, "web", rows(100 + number, 1))
        keep_up(home)
        new = [file for file in files_of(home).level0 if file.path not in before]
        rewritten += sum(file.rows for file in new)
        assert files_of(home).runs <= compact.MAX_RUNS
    assert rewritten < 40 * 6
    assert count(home) == 90


def test_many_rows_are_split_and_merged_into_their_months(tmp_path: Path, tiny: pytest.MonkeyPatch) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 2000))
    before = files_of(home)
    ingest_rows(home, "web", [row | {"id": f"{row['id']}b"} for row in rows(800, 200)])
    assert keep_up(home) == 2
    files = files_of(home)
    assert (size(files.base), files.level0, files.masks) == (2200, (), ())
    kept = {file.path for file in files.base}
    outside = [file for file in before.base if not file.overlaps(at(800), at(1000))]
    assert outside and kept.issuperset(file.path for file in outside)
    assert len(kept) == len(before.base)
    causes = [world.cause for world in home.worlds()[-2:]]
    assert causes == ["compact shop", "compact shop"]
    assert count(home) == 2200


def at(hour: int) -> int:
    return int((START + timedelta(hours=hour)).timestamp()) * 1_000_000


def test_new_months_join_a_small_neighbour(tmp_path: Path, tiny: pytest.MonkeyPatch) -> None:
    tiny.setattr(runs, "FILE_ROWS", 1000)
    home = new_home(tmp_path, definitions(buckets=1))
    for month in range(8):
        ingest_rows(home, "web", rows(month * 740, 300))
        keep_up(home)
    sizes = [file.rows for file in files_of(home).base]
    assert sum(sizes) == 2400 and len(sizes) <= 3


def test_a_replay_that_moves_much_is_merged(tmp_path: Path, tiny: pytest.MonkeyPatch) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    flow.replay(home, "shop", at=START + timedelta(days=30), lookback=timedelta(days=60))
    files = files_of(home)
    assert (size(files.base), files.level0, files.masks) == (200, (), ())


def test_masks_know_the_times_of_what_they_hit(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    flow.replay(home, "shop", at=START + timedelta(days=30), lookback=timedelta(days=60))
    (mask,) = files_of(home).masks
    assert mask.min_time is not None and mask.max_time is not None
    assert at(0) <= mask.min_time < mask.max_time <= at(200)


def test_a_mask_of_an_older_home_may_hit_any_month(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    flow.replay(home, "shop", at=START + timedelta(days=30), lookback=timedelta(days=60))
    before, files = seen(home), files_of(home)
    (mask,) = files.masks
    old = pl.read_parquet(files.absolute(mask)).select(store.MASK_COLUMNS)
    written = delta.write_file(files.table, store.mask_path(files.version), old, group=100)
    version = delta.commit(files.table, files.version, [written], [mask.path])
    with home.lease() as lease:
        lease.publish("as it was", journeys={"shop": version})
    assert seen(home) == before
    flow.compact(home)
    files = files_of(home)
    assert (seen(home), size(files.base), files.masks) == (before, 200, ())


def test_small_slices_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = new_home(tmp_path, definitions(buckets=4))
    sliced = new_home(tmp_path, definitions(buckets=4))
    for home, size in ((whole, runs.SLICE_ROWS), (sliced, 40)):
        monkeypatch.setattr(runs, "SLICE_ROWS", size)
        ingest_rows(home, "web", rows(0, 150))
        ingest_rows(home, "web", rows(150, 150))
        flow.rebuild(home, "shop")
    assert seen(sliced) == seen(whole)


def test_a_large_first_load_is_split_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SLICE_ROWS", 40)
    monkeypatch.setattr(compact, "ROWS_PER_BUCKET", 40)
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 150))
    files = files_of(home)
    assert (files.base, files.unsplit, fewest(files), size(files.level0)) == ((), (), 4, 150)
    assert count(home) == 150
    keep_up(home)
    files = files_of(home)
    assert (size(files.base), files.level0) == (150, ())
    assert count(home) == 150


def test_a_bucket_grows_by_itself(tmp_path: Path, tiny: pytest.MonkeyPatch) -> None:
    home = new_home(tmp_path, definitions(buckets=4))
    ingest_rows(home, "web", rows(0, 1000))
    before = files_of(home)
    tiny.setattr(compact, "ROWS_PER_BUCKET", 100)
    one = [row | {"device": "alone", "login": None} for row in rows(2000, 300)]
    ingest_rows(home, "web", one)
    keep_up(home)
    files = files_of(home)
    grown = {bucket // (of // 4) for bucket, of in files.places if of > 4}
    assert len(grown) == 1 and fewest(files) == 4
    others = {file.path for file in before.base if file.bucket not in grown}
    assert others <= {file.path for file in files.base}
    assert count(home) == 1300


@pytest.mark.parametrize("known", [(), ((0, 1),), ((3, 8),), ((0, 2), (5, 8)), ((7, 16), (2, 4))])
@pytest.mark.parametrize("buckets", [1, 2, 8])
def test_buckets_cover_the_hash_space(known: tuple[compact.Place, ...], buckets: int) -> None:
    found = compact.covering(known, buckets)
    assert sum(1 / of for _, of in found) == 1
    assert [bucket / of for bucket, of in found] == sorted(bucket / of for bucket, of in found)
    assert set(known) <= set(found)
    assert all(of >= buckets for bucket, of in found if (bucket, of) not in known)


def test_compact_merges_everything_on_demand(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    ingest_rows(home, "web", rows(200, 3))
    before = seen(home)
    assert flow.compact(home, "shop") == {"shop": 2}
    files = files_of(home)
    assert (size(files.base), files.level0, files.masks, seen(home)) == (203, (), (), before)
    assert flow.compact(home) == {"shop": 0}
    with pytest.raises(UnknownNameError, match="no connection"):
        flow.compact(home, "shup")


def test_upkeep_gives_way_to_who_writes(tmp_path: Path, tiny: pytest.MonkeyPatch) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    ingest_rows(home, "web", rows(200, 100))
    thread = Upkeep(home, pause=0.01)
    with home.lease():
        assert in_another_thread(lambda: keep_up(home)) == 0
        thread.start()
        time.sleep(0.2)
        assert files_of(home).runs == 1
    wait_until(lambda: not files_of(home).runs)
    ingest_rows(home, "web", rows(300, 100))
    wait_until(lambda: not files_of(home).runs)
    thread.stop()
    assert count(home) == 400


def in_another_thread(work: Any) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def wait_until(holds: Any) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_step_that_fails_is_put_off(
    tmp_path: Path, tiny: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 200))
    ingest_rows(home, "web", rows(200, 100))

    def full(*_: Any) -> int:
        raise OSError("No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "split", full)
        assert keep_up(home) == 0
    assert "No space left" in caplog.text
    assert keep_up(home) == 2
    assert count(home) == 300


def test_old_versions_stay_readable_behind_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "CHECKPOINT_EVERY", 4)
    home = new_home(tmp_path, definitions(calls=False))
    answers = {}
    for number in range(14):
        ingest_rows(home, "web", rows(number * 10, 10))
        if number == 8:
            flow.compact(home)
        answers[home.current().journeys["shop"]] = seen(home)
    table = home.journeys_path("shop")
    assert len(list((table / "_delta_log").glob("*.checkpoint.parquet"))) >= 3
    assert len(list((table / "_delta_log").glob("*.json"))) == delta.latest_version(table) + 1
    store.files.cache_clear()
    for world in home.worlds():
        if world.journeys.get("shop") in answers:
            assert sorted(journeys(home, ["_person", "_event_id"], world)) == answers[world.journeys["shop"]]
    for version in range(delta.latest_version(table) + 1):
        assert DeltaTable(table, version=version).version() == version
        assert all(file.min_time is not None for file in store.files(table, version).level0)


def test_a_commit_is_made_once(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", rows(0, 50))
    ingest_rows(home, "web", rows(50, 5))
    table, version = home.journeys_path("shop"), home.current().journeys["shop"]
    assert DeltaTable(table).transaction_version("wayline") == version
    schema = journey_schema(home.current().definitions, "shop")
    following = compact.step(table, version, schema, 2, due=compact.anything)
    assert following == version + 1
    with pytest.raises(HomeError, match="changed by another program"):
        compact.step(table, version, schema, 2, due=compact.anything)
