"""Batches taken back or replaced: what readers see before and after, in every connection and world."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine import batches, flow
from engine.catalog.records import BatchStatus
from engine.definitions.model import Definitions
from engine.errors import DefinitionError, InputError, UnknownNameError
from engine.ingest.report import BatchFailedError
from engine.lake import delta
from engine.lake import table as lake
from engine.world import Home, Lease, World
from tests.journeys.support import STITCHED, WEB, definitions, ingest_rows, journeys, new_home

START = datetime(2024, 1, 10, tzinfo=UTC)
TEN_YEARS = 3653


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path, definitions(window="30d"))


def event(
    day: float,
    name: str | None,
    channel: str = "mail",
    *,
    device: str | None = None,
    person: str | None = None,
) -> dict[str, Any]:
    at = START + timedelta(days=day)
    return {"id": name, "at": at, "device": device, "login": {"customer": person}, "channel": channel}


def seen(home: Home, column: str = "channel", world: World | None = None) -> list[Any]:
    """Return a column of all events in order of time."""
    rows = [row for rows in journeys(home, [column], world) for row in rows]
    return [value for _, value in sorted(rows)]


def lake_rows(home: Home, dataset: str = "web", world: World | None = None) -> int:
    world = world or home.current()
    return sum(file.rows for file in lake.files(home.dataset_path(dataset), world.datasets[dataset]))


def statuses(home: Home, dataset: str = "web") -> list[str]:
    return [record.status.value for record in batches.batches(home, dataset)]


def test_a_reverted_batch_leaves_lake_journeys_and_the_count_of_batches(home: Home) -> None:
    ingest_rows(home, "web", [event(0, "a", "kept", person="Ann")])
    ingest_rows(home, "web", [event(1, "b", "wrong", person="Ann"), event(2, "c", "wrong", person="Bob")])
    worlds = home.current().id
    gone = batches.revert(home, "web", 2)
    assert seen(home) == ["kept"]
    assert lake_rows(home) == 1
    assert statuses(home) == ["success", "inactive"]
    assert (gone.status, gone.purge, gone.replaced_by) == (BatchStatus.INACTIVE, False, None)
    assert home.catalog.batch(gone.id) == gone
    assert (home.current().id, home.current().cause) == (worlds + 1, "revert web batch 2")
    found = flow.status(home)
    assert (found.datasets[0].batches, found.datasets[0].rows) == (1, 1)
    assert (found.connections[0].events, found.connections[0].persons) == (1, 1)


def test_its_files_stay_for_older_worlds(home: Home) -> None:
    ingest_rows(home, "web", [event(0, "a", "kept", person="Ann"), event(1, "b", "kept", person="Ann")])
    ingest_rows(home, "web", [event(0.5, "c", "wrong", person="Ann")])
    with home.pin() as before:
        batches.revert(home, "web", 2)
        assert seen(home, world=before) == ["kept", "wrong", "kept"]
        assert lake_rows(home, world=before) == 3
    assert seen(home) == ["kept", "kept"]
    assert len(list(home.dataset_path("web").glob("*.parquet"))) == 2


def test_a_repeat_comes_back_when_the_batch_of_the_winner_goes(home: Home) -> None:
    ingest_rows(home, "web", [event(0, "a", "winner", device="d1", person="Ann")])
    ingest_rows(home, "web", [event(1, "a", "repeat", device="d1"), event(2, "b", "other", device="d2")])
    assert seen(home) == ["winner", "other"]
    batches.revert(home, "web", 1)
    assert seen(home) == ["repeat", "other"]
    # Nobody ever said that Ann uses d1, now that the row which said so is gone.
    assert seen(home, "_person") == ["d1", "d2"]
    logged = pl.scan_parquet(home.stitch_log_path("shop") / "*.parquet").collect()
    assert sorted(logged["row"].to_list()) == [1 << 32, 2 << 32, (2 << 32) + 1]
    flow.rebuild(home, "shop")
    assert seen(home, "_person") == ["d1", "d2"]


def test_a_repeat_that_comes_back_gets_the_person_of_its_device(home: Home) -> None:
    ingest_rows(home, "web", [event(0, "a", "winner", device="d1")])
    ingest_rows(home, "web", [event(1, "a", "repeat", device="d1")])
    ingest_rows(home, "web", [event(2, "b", "login", device="d1", person="Ann")])
    batches.revert(home, "web", 1)
    assert seen(home, "_person") == ["Ann", "Ann"]


def test_a_winner_that_goes_can_make_another_event_a_repeat(home: Home) -> None:
    ingest_rows(home, "web", [event(0, "a", "zero", person="Ann")])
    ingest_rows(
        home, "web", [event(20, "a", "twenty", person="Ann"), event(31, "a", "thirty-one", person="Ann")]
    )
    assert seen(home) == ["zero", "thirty-one"]
    batches.revert(home, "web", 1)
    assert seen(home) == ["twenty"]
    flow.rebuild(home, "shop")
    assert seen(home) == ["twenty"]


def test_what_a_device_learned_from_a_reverted_batch_is_forgotten(home: Home) -> None:
    ingest_rows(
        home, "web", [event(0, "a", device="d1", person="Ann"), event(0, "b", device="d2", person="Eve")]
    )
    ingest_rows(
        home, "web", [event(1, "c", device="d1", person="Bob"), event(1, "d", device="d3", person="Bob")]
    )
    batches.revert(home, "web", 2)
    ingest_rows(home, "web", [event(2, f"e{n}", device=f"d{n}") for n in (1, 2, 3)])
    assert seen(home, "_person") == ["Ann", "Eve", "Ann", "Eve", "d3"]


def test_a_batch_without_rows_can_be_reverted(home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("id,at,device,channel,revenue\n")
    flow.ingest(home, "web", [tmp_path / "empty.csv"])
    batches.revert(home, "web", 1)
    assert statuses(home) == ["inactive"]
    ingest_rows(home, "web", [event(0, "a", person="Ann")])
    assert seen(home) == ["mail"]


def test_the_last_batch_of_a_home_can_be_reverted_and_taken_again(home: Home) -> None:
    rows = [event(0, "a", "mail", device="d1", person="Ann"), event(1, None, "paid", device="d1")]
    ingest_rows(home, "web", rows)
    first = journeys(home, ["_person", "channel"])
    batches.revert(home, "web", 1)
    assert journeys(home, ["channel"]) == []
    ingest_rows(home, "web", rows)
    assert journeys(home, ["_person", "channel"]) == first
    assert statuses(home) == ["inactive", "success"]


def test_skipped_rows_of_a_reverted_batch_no_longer_count(home: Home) -> None:
    nobody, never = event(0, "a"), event(0, "b", person="Ann") | {"at": None}
    ingest_rows(home, "web", [nobody, event(0, "c", person="Ann")])
    ingest_rows(home, "web", [nobody, never])
    assert sum(skip.rows for skip in home.catalog.skips("shop")) == 3
    batches.revert(home, "web", 2)
    assert [(skip.reason, skip.rows) for skip in home.catalog.skips("shop")] == [("Empty visitor ID", 1)]
    flow.rebuild(home, "shop")
    assert [(skip.reason, skip.rows) for skip in home.catalog.skips("shop")] == [("Empty visitor ID", 1)]


def test_every_connection_follows_and_datasets_of_none_are_fine(tmp_path: Path) -> None:
    two = {name: {"datasets": {"web": STITCHED}, "buckets": 2} for name in ("shop", "other")}
    profiles = {"kind": "profile", "key": "id", "fields": {"id": "string", "name": "string"}}
    given = {"datasets": {"web": WEB, "crm": profiles}, "connections": two}
    home = new_home(tmp_path, Definitions.model_validate(given))
    ingest_rows(home, "web", [event(0, "a", device="d1", person="Ann")])
    ingest_rows(home, "web", [event(1, "b", device="d1")])
    (tmp_path / "crm.csv").write_text("id,name\nAnn,Anna\n")
    flow.ingest(home, "crm", [tmp_path / "crm.csv"])
    assert lake_rows(home, "crm") == 1
    before = dict(home.current().journeys)
    batches.revert(home, "web", 2)
    assert all(version > before[name] for name, version in home.current().journeys.items())
    assert {found.name: found.events for found in flow.status(home).connections} == {"shop": 1, "other": 1}
    journeys_of = home.current().journeys
    batches.revert(home, "crm", 1)
    assert lake_rows(home, "crm") == 0
    assert home.current().journeys == journeys_of


@pytest.mark.parametrize("days", [-TEN_YEARS, TEN_YEARS])
def test_late_events_of_any_age_come_and_go(home: Home, days: int) -> None:
    ingest_rows(
        home, "web", [event(0, "a", "now", device="d1", person="Ann"), event(1, "b", "now", device="d1")]
    )
    ingest_rows(home, "web", [event(days, "c", "far", device="d1"), event(days, "a", "far", device="d1")])
    far = ["far", "far"]
    assert seen(home) == ([*far, "now", "now"] if days < 0 else ["now", "now", *far])
    assert set(seen(home, "_person")) == {"Ann"}
    flow.replay(home, "shop", at=START + timedelta(days=days + 1), lookback=timedelta(days=2))
    if days < 0:
        assert seen(home, "_person") == ["d1", "d1", "Ann", "Ann"]
    batches.revert(home, "web", 2)
    assert seen(home) == ["now", "now"]
    ingest_rows(home, "web", [event(days, "c", "far", device="d1")], replaces=[1])
    assert seen(home) == ["far"]
    assert seen(home, "_person") == ["d1"]


def test_what_cannot_be_reverted_is_said_in_one_line(home: Home, tmp_path: Path) -> None:
    ingest_rows(home, "web", [event(0, "a", person="Ann")])
    ingest_rows(home, "web", [event(0, "b", person="Ann")])
    ingest_rows(home, "calls", [{"at": START, "customer": "Ann"}])
    (tmp_path / "bad.csv").write_text("id,at\na,never\n")
    with pytest.raises(BatchFailedError):
        flow.ingest(home, "web", [tmp_path / "bad.csv"])
    batches.revert(home, "web", 1)
    world = home.current().id
    for number, kind, text, hint in [
        (1, InputError, 'batch 1 of dataset "web" is inactive already (taken back', "wayline batch list web"),
        (3, InputError, "failed, so nothing of it was written", "wayline batch list web"),
        (4, UnknownNameError, 'dataset "web" has no batch 4', "batches 1 to 3"),
    ]:
        with pytest.raises(kind) as caught:
            batches.revert(home, "web", number)
        assert text in caught.value.message
        assert hint in (caught.value.hint or "")
    with pytest.raises(UnknownNameError) as caught:
        batches.revert(home, "calls", 2)
    assert 'Batch 2 exists in "web"' in (caught.value.hint or "")
    with pytest.raises(UnknownNameError, match='there is no dataset "wab"'):
        batches.revert(home, "wab", 1)
    assert home.current().id == world


def test_delete_also_marks_the_batch_for_the_next_vacuum(home: Home) -> None:
    for name in ("a", "b"):
        ingest_rows(home, "web", [event(0, name, person="Ann")])
    assert batches.delete(home, "web", 1).purge
    batches.revert(home, "web", 2)
    worlds = home.current().id
    assert batches.delete(home, "web", 2).purge
    assert home.current().id == worlds
    assert [record.purge for record in batches.batches(home, "web")] == [True, True]
    with pytest.raises(InputError, match="is inactive already"):
        batches.delete(home, "web", 2)


def test_a_dataset_whose_batches_are_inactive_keeps_its_table(home: Home) -> None:
    ingest_rows(home, "calls", [{"at": START, "customer": "Ann"}])
    before = home.current()
    batches.revert(home, "calls", 1)
    left = definitions(calls=False).model_copy(
        update={"datasets": {"web": before.definitions.datasets["web"]}}
    )
    with pytest.raises(DefinitionError, match='"calls" has data'):
        flow.apply(home, left)
    assert lake_rows(home, "calls", before) == 1


# Replacing


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = [row | {"at": None if row["at"] is None else row["at"].isoformat()} for row in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_replacement_is_one_commit_and_one_world(home: Home, tmp_path: Path) -> None:
    for number in range(3):
        ingest_rows(home, "web", [event(number, f"e{number}", f"old {number}", person="Ann")])
    worlds, version = home.current().id, home.current().datasets["web"]
    file = write(
        tmp_path / "new.jsonl", [event(0, "e0", "new", person="Ann"), event(9, "e9", "new", person="Bob")]
    )
    done = flow.ingest(home, "web", [file], replaces=[2, 1])
    assert [record.number for record in done.replaced] == [1, 2]
    assert seen(home) == ["new", "old 2", "new"]
    assert statuses(home) == ["inactive", "inactive", "success", "success"]
    assert [record.replaced_by for record in batches.batches(home, "web")] == [4, 4, None, None]
    world = home.current()
    assert (world.id, world.datasets["web"]) == (worlds + 1, version + 1)
    assert world.cause == "ingest web batch 4 in place of 1, 2"
    with pytest.raises(InputError, match=r"is inactive already \(replaced by batch 4"):
        batches.revert(home, "web", 1)


def test_ex_ing_2_a_failed_replacement_leaves_its_predecessor_active(home: Home, tmp_path: Path) -> None:
    ingest_rows(home, "web", [event(0, "a", "old", person="Ann")])
    before = home.current()
    good, bad = event(0, "a", "new", person="Ann"), event(0, "b", "bad") | {"at": None}
    file = write(tmp_path / "new.jsonl", [good, bad])
    file.write_text(file.read_text().replace('"at": null', '"at": "never"'))
    with pytest.raises(BatchFailedError):
        flow.ingest(home, "web", [file], replaces=[1])
    assert statuses(home) == ["success", "failed"]
    assert seen(home) == ["old"]
    assert home.current() == before
    flow.ingest(home, "web", [file], replaces=[1], reject_limit_percent=50)
    assert statuses(home) == ["inactive", "failed", "success"]
    assert seen(home) == ["new"]


def test_a_predecessor_that_is_not_active_fails_before_a_file_is_read(home: Home, tmp_path: Path) -> None:
    ingest_rows(home, "web", [event(0, "a", person="Ann")])
    ingest_rows(home, "calls", [{"at": START, "customer": "Ann"}])
    ingest_rows(home, "calls", [{"at": START, "customer": "Bob"}])
    file = write(tmp_path / "new.jsonl", [event(0, "a", person="Ann")])
    with pytest.raises(UnknownNameError, match='"web" has no batch 2'):
        flow.ingest(home, "web", [file], replaces=[1, 2])
    batches.revert(home, "web", 1)
    with pytest.raises(InputError, match="inactive already"):
        flow.ingest(home, "web", [file], replaces=[1])
    assert statuses(home) == ["inactive"]


# Dying on the way


def dies_before_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "publish", lambda *_, **__: 1 // 0)


def check_recovered(home: Home, before: World) -> None:
    with home.lease() as lease:
        world = flow.recover(lease)
    assert world.id > before.id
    assert delta.latest_version(home.journeys_path("shop")) == world.journeys["shop"]
    assert delta.latest_version(home.stitch_log_path("shop")) == world.stitch_logs["shop"]
    assert lake.latest_version(home.dataset_path("web")) == world.datasets["web"]


@pytest.mark.parametrize("purge", [False, True])
def test_a_revert_that_died_after_its_lake_commit_is_finished(
    home: Home, monkeypatch: pytest.MonkeyPatch, purge: bool
) -> None:
    ingest_rows(home, "web", [event(0, "a", "winner", device="d1", person="Ann")])
    ingest_rows(home, "web", [event(1, "a", "repeat", device="d1")])
    before = home.current()
    with monkeypatch.context() as patched:
        dies_before_publishing(patched)
        with pytest.raises(ZeroDivisionError):
            (batches.delete if purge else batches.revert)(home, "web", 1)
    assert (seen(home), statuses(home)) == (["winner"], ["success", "success"])
    check_recovered(home, before)
    assert (seen(home), statuses(home)) == (["repeat"], ["inactive", "success"])
    assert seen(home, "_person") == ["d1"]
    assert batches.batches(home, "web")[0].purge == purge
    assert home.current().cause == "revert web batch 1"


def test_a_replacement_that_died_after_its_lake_commit_is_finished(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ingest_rows(home, "web", [event(0, "a", "old", person="Ann")])
    before = home.current()
    file = write(tmp_path / "new.jsonl", [event(0, "a", "new", person="Ann")])
    with monkeypatch.context() as patched:
        dies_before_publishing(patched)
        with pytest.raises(ZeroDivisionError):
            flow.ingest(home, "web", [file], replaces=[1])
    assert (seen(home), statuses(home)) == (["old"], ["success", "loading"])
    check_recovered(home, before)
    assert (seen(home), statuses(home)) == (["new"], ["inactive", "success"])
    assert batches.batches(home, "web")[0].replaced_by == 2


# A reader in another process

READER = """
import json, sys
from engine.journeys.scan import scan
from engine.lake import table as lake
from engine.world import Home
home = Home.open(sys.argv[1])
print("ready", flush=True)
last = 0
while last < int(sys.argv[2]):
    with home.pin() as world:
        last = world.id
        in_journeys = [
            channel
            for chunk in scan(home, "shop", world.journeys["shop"], ["channel"])
            for channel in chunk.columns["channel"].to_pylist()
        ]
        files = lake.files(home.dataset_path("web"), world.datasets["web"])
    print(json.dumps([world.id, in_journeys, [file.rows for file in files]]), flush=True)
"""


def test_acceptance_2_a_reader_in_another_process_sees_the_old_batch_or_the_new_one(
    home: Home, tmp_path: Path
) -> None:
    rounds = 5

    def rows(number: int) -> list[dict[str, Any]]:
        return [event(n, f"e{n}", f"batch {number}", device=f"d{n % 3}") for n in range(20 + number)]

    ingest_rows(home, "web", rows(1))
    last = home.current().id + rounds
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(home.root), str(last)], stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
    for number in range(2, rounds + 2):
        file = write(tmp_path / f"{number}.jsonl", rows(number))
        flow.ingest(home, "web", [file], replaces=[number - 1])
    out, _ = reader.communicate(timeout=60)
    answers = [json.loads(line) for line in out.splitlines()]
    assert answers[-1][0] == last
    for world, channels, files in answers:
        number = world - last + rounds + 1
        assert Counter(channels) == {f"batch {number}": 20 + number}
        assert files == [20 + number]
