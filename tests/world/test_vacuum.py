"""Vacuum: what nobody can want to see any more goes; what somebody reads stays."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from engine import batches, flow
from engine import vacuum as vacuuming
from engine.catalog.records import BatchStatus
from engine.definitions.model import Definitions
from engine.errors import InputError
from engine.rollback import roll_back
from engine.vacuum import vacuum
from engine.world import Home
from tests.journeys.support import ingest_rows
from tests.world.homes import START, data_files, make_home, rows, seen

NOTHING = timedelta()
READER = """
import sys
from pathlib import Path
from engine.world import Home
from tests.world.homes import seen
home = Home.open(sys.argv[1])
with home.pin() as world:
    print(world.id, flush=True)
    sys.stdin.readline()
    first = seen(home, world)
    print(hash(repr(first)), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Worlds: 1 init, 2 apply, 3 to 5 batches."""
    return make_home(tmp_path)


def dead_pin(home: Home, world: int, process: str) -> None:
    with home.catalog.writing() as connection:
        home.catalog.add_pin(connection, process, world)


def test_young_worlds_stay(home: Home) -> None:
    shown = [seen(home, world) for world in home.worlds()]
    done = vacuum(home)
    assert (done.gone, done.kept) == ((), (1, 2, 3, 4, 5))
    assert [seen(home, world) for world in home.worlds()] == shown
    # What went were files that a compaction replaced before any world showed them.
    assert {removed.table for removed in done.removed} <= {"journeys shop"}
    assert vacuum(home).files == 0


def test_without_keeping_only_the_newest_world_stays(home: Home) -> None:
    roll_back(home, 4)
    shown, before = seen(home), data_files(home)
    size = sum((home.root / file).stat().st_size for file in before)
    done = vacuum(home, keep=NOTHING)
    assert (done.gone, done.kept) == ((1, 2, 3, 4, 5), (6,))
    assert done.deleted == (("web", 3),)
    after = data_files(home)
    assert done.files == len(before - after) > 0
    assert done.bytes == size - sum((home.root / file).stat().st_size for file in after)
    assert seen(home) == shown
    assert home.catalog.batches("web")[2].status is BatchStatus.DELETED
    ingest_rows(home, "web", rows(5))
    assert vacuum(home, keep=NOTHING).gone == (6,)


def test_a_dry_run_says_what_would_go_and_changes_nothing(home: Home) -> None:
    roll_back(home, 4)
    files, worlds = data_files(home), home.worlds()
    said = vacuum(home, keep=NOTHING, dry_run=True)
    assert data_files(home) == files
    assert home.worlds() == worlds
    assert home.catalog.batches("web")[2].status is BatchStatus.INACTIVE
    assert vacuum(home, keep=NOTHING) == said


def test_a_world_is_young_from_when_it_was_replaced(home: Home) -> None:
    with home.catalog.writing() as connection:
        connection.exec_driver_sql("UPDATE worlds SET published_at = '2024-01-01 00:00:00' WHERE id <= 4")
    assert vacuum(home).kept == (4, 5)
    with home.pin():
        assert vacuum(home).kept == (4, 5)


def test_pins_keep_worlds(home: Home) -> None:
    with home.pin() as world:
        shown = seen(home, world)
        roll_back(home, 3)
        done = vacuum(home, keep=NOTHING)
        assert (done.kept, list(done.pinned)) == ((5, 6), [5])
        assert seen(home, world) == shown
    home.close()
    assert vacuum(home, keep=NOTHING).kept == (6,)


def test_pins_of_other_machines_count_until_they_are_released(home: Home) -> None:
    dead_pin(home, 3, "elsewhere:1:abc")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead_pin(home, 4, f"{socket.gethostname()}:{ended.pid}:abc")
    done = vacuum(home, keep=NOTHING)
    assert (done.kept, done.pinned) == ((3, 5), {3: ("elsewhere",)})
    assert home.catalog.pins() == [("elsewhere:1:abc", 3)]
    assert vacuum(home, keep=NOTHING, release=["elsewhere"]).kept == (5,)
    assert home.catalog.pins() == []
    with pytest.raises(InputError, match="is this machine"):
        vacuum(home, release=[socket.gethostname()])


def test_a_reader_in_another_process_keeps_its_world(home: Home) -> None:
    """Through a rollback, compaction, and two vacuums."""
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONHASHSEED": "0", "PATH": ""}
    pipe = subprocess.PIPE
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(home.root)], stdin=pipe, stdout=pipe, text=True, env=environment
    )
    try:
        assert reader.stdin and reader.stdout
        assert reader.stdout.readline() == "5\n"
        expected = subprocess.run(
            [sys.executable, "-c", READER, str(home.root)],
            input="\n\n",
            stdout=pipe,
            text=True,
            env=environment,
            check=True,
        ).stdout.splitlines()[1]
        roll_back(home, 4)
        for number in range(20, 40):
            ingest_rows(home, "web", rows(number, 10))
        flow.rebuild(home, "shop")
        for _ in range(2):
            done = vacuum(home, keep=NOTHING)
            assert done.kept == (5, home.current().id)
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline().strip() == expected
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.wait(60) == 0
    finally:
        reader.kill()
        reader.communicate()
    assert vacuum(home, keep=NOTHING).gone == (5,)


def test_files_that_no_log_knows_are_removed(home: Home) -> None:
    vacuum(home)
    known = data_files(home)
    orphans = [
        home.dataset_path("web") / "00000009-abc-00000.parquet",
        home.journeys_path("shop") / "level0" / "000000000001-0123456789ab.parquet",
        home.journeys_path("shop") / "base" / "b0000-of-0004" / "2024-01-000000000001-0123456789ab.parquet",
        home.stitch_log_path("shop") / "000000000001-0123456789ab.parquet",
    ]
    for path in orphans:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half a file")
    done = vacuum(home)
    assert (done.files, done.bytes) == (4, 44)
    assert data_files(home) == known
    assert not orphans[2].parent.exists()


def test_files_derived_from_lake_files_go_with_them(home: Home) -> None:
    table = home.dataset_path("web")
    lake = sorted(path.stem for path in table.glob("*.parquet"))
    derived = [table / "_eventids" / f"{stem}.hashes" for stem in lake]
    derived[0].parent.mkdir(exist_ok=True)
    for path in derived:
        path.touch()
    roll_back(home, 4)
    vacuum(home, keep=NOTHING)
    assert [path.exists() for path in derived] == [True, True, False]


def test_a_removed_connection_goes_with_the_last_world_that_needs_it(home: Home) -> None:
    definitions = home.current().definitions
    flow.apply(home, Definitions(datasets=definitions.datasets))
    vacuum(home)
    assert list(home.journeys_path("shop").rglob("*.parquet"))
    vacuum(home, keep=NOTHING)
    assert not list(home.journeys_path("shop").glob("*/*.parquet"))
    assert not list(home.stitch_log_path("shop").glob("*.parquet"))
    shown_again = flow.apply(home, definitions)
    assert shown_again.rebuilt == ("shop",)
    ingest_rows(home, "web", rows(8))
    before = seen(home)
    flow.rebuild(home, "shop")
    assert seen(home) == before
    assert before[1] == 160


def test_a_batch_deleted_for_good_does_not_wait(home: Home) -> None:
    roll_back(home, 4)
    third = home.catalog.batches("web")[2]
    home.catalog.purge_batch(third.id)
    done = vacuum(home)
    assert (done.gone, done.deleted) == ((5,), (("web", 3),))
    assert not list(home.dataset_path("web").glob(f"*-{third.id}-*"))


def test_a_vacuum_that_dies_before_removing_is_finished_by_the_next(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    roll_back(home, 3)
    shown, files = seen(home), data_files(home)
    expected = vacuum(home, keep=NOTHING, dry_run=True)
    with monkeypatch.context() as patched:
        patched.setattr(vacuuming, "_remove", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            vacuum(home, keep=NOTHING)
    assert data_files(home) == files
    assert seen(home) == shown
    done = vacuum(home)
    assert (done.gone, done.kept) == ((), (6,))
    assert (done.removed, done.deleted) == (expected.removed, expected.deleted)


def test_replays_and_rollbacks_go_on_after_a_vacuum(home: Home) -> None:
    flow.replay(home, "shop", at=START + timedelta(days=60), lookback=timedelta(days=90))
    vacuum(home, keep=NOTHING)
    kept = home.current()
    shown = seen(home)
    ingest_rows(home, "web", rows(6))
    roll_back(home, kept.id)
    vacuum(home, keep=NOTHING)
    assert seen(home) == shown
    flow.rebuild(home, "shop")
    assert seen(home) == shown


def test_a_batch_that_is_deleted_by_its_number_goes_with_the_worlds_that_show_it(home: Home) -> None:
    batches.revert(home, "web", 1)
    batches.delete(home, "web", 2)
    done = vacuum(home)
    assert (done.gone, done.kept, done.deleted) == ((4, 5, 6), (1, 2, 3, 7), (("web", 2),))
    assert [batch.status.value for batch in home.catalog.batches("web")] == ["inactive", "deleted", "success"]
    roll_back(home, 3)
    assert [batch.status.value for batch in home.catalog.batches("web")] == ["success", "deleted", "inactive"]
