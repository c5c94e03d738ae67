"""Rebuild in slices: one that was interrupted goes on, one whose home has changed starts over."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import flow
from engine.definitions.model import Definitions
from engine.journeys import compact, runs, staging, store
from engine.lake import delta
from engine.vacuum import vacuum
from engine.world import Home, Lease
from tests.journeys.support import ingest_rows
from tests.world.homes import START, data_files, make_home, rows, seen, shop

BATCHES = 6
SLICE = 40
"""Rows of a batch, and so one batch is one slice."""
VICTIM = """
import os, signal
from engine import flow
from engine.journeys import runs, staging
from engine.lake import delta
from engine.world import Home, Lease
runs.SLICE_ROWS = {slice_rows}
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
{trap}
flow.rebuild(Home.open({home!r}), "shop")
"""
IN_THE_FOURTH = """
count, write_file = 0, delta.write_file
def trapped(table, path, rows, **options):
    if table.name == "000003" and path.startswith("level0") and any(table.rglob("*.parquet")):
        die()
    return write_file(table, path, rows, **options)
delta.write_file = trapped
"""
AFTER_TWO = """
write = staging.write
def trapped(table, number, writer):
    if number == 2:
        die()
    return write(table, number, writer)
staging.write = trapped
"""
WHILE_NAMING = """
link, left = staging._link, [5]
def trapped(source, target):
    left[0] -= 1
    link(source, target) if left[0] else die()
staging._link = trapped
"""
MOMENTS = {
    "in the fourth slice": (IN_THE_FOURTH, 3),
    "after two slices": (AFTER_TWO, 2),
    "while files get their names": (WHILE_NAMING, BATCHES),
    "before the commit": ("delta.overwrite = die", BATCHES),
    "before the world is published": ("Lease.publish = die", BATCHES),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(runs, "SLICE_ROWS", SLICE)
    return make_home(tmp_path, batches=BATCHES)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lake files that slices are read from, as they are read."""
    found: list[str] = []
    whole = runs.ordered

    def told(pieces: Any, schema: Any) -> Any:
        found.extend(file.path for part in pieces for file in part.files)
        return whole(pieces, schema)

    monkeypatch.setattr(runs, "ordered", told)
    return found


def kill(home: Home, trap: str) -> None:
    code = VICTIM.format(slice_rows=SLICE, trap=trap, home=str(home.root))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    victim = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert victim.returncode == -signal.SIGKILL, victim.stderr.decode()


def pieces(home: Home) -> Path:
    return home.journeys_path("shop") / staging.FOLDER


def is_clean(home: Home) -> bool:
    table = home.journeys_path("shop")
    version = home.current().journeys["shop"]
    return delta.latest_version(table) == version and not delta.sweep(table, version, store.KINDS)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_rebuild_is_gone_on_with(home: Home, read: list[str], moment: str) -> None:
    trap, finished = MOMENTS[moment]
    world, before = home.current().id, seen(home)
    kill(home, trap)
    assert (home.current().id, seen(home)) == (world, before)
    read.clear()
    done = flow.rebuild(home, "shop")
    assert (done.slices, done.resumed) == (BATCHES, finished)
    assert len(read) == BATCHES - finished
    assert seen(home) == before
    assert not pieces(home).exists()
    assert is_clean(home)


def test_rows_of_slices_are_as_without_an_interruption(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(home, AFTER_TWO)
    assert flow.rebuild(home, "shop").resumed == 2
    resumed = seen(home)
    monkeypatch.setattr(runs, "SLICE_ROWS", 1 << 20)
    assert (flow.rebuild(home, "shop").slices, seen(home)) == (1, resumed)
    files = store.files(home.journeys_path("shop"), home.current().journeys["shop"])
    assert files.base and not files.level0


def test_slices_are_split_by_bucket_and_compaction_follows(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "keep_up", lambda *_, **__: 0)
    before = seen(home)
    flow.rebuild(home, "shop")
    table = home.journeys_path("shop")
    files = store.files(table, home.current().journeys["shop"])
    assert files.level0 and not files.base and not files.unsplit and not files.masks
    assert seen(home) == before
    assert compact.due(files) is compact.Work.MERGE
    flow.compact(home)
    files = store.files(table, home.current().journeys["shop"])
    assert files.base and not files.level0
    assert seen(home) == before


def test_a_compaction_in_between_does_not_start_it_over(home: Home) -> None:
    kill(home, AFTER_TWO)
    assert flow.compact(home, "shop")["shop"]
    assert flow.rebuild(home, "shop").resumed == 2


def ingested(home: Home) -> None:
    ingest_rows(home, "web", rows(20))


def replayed(home: Home) -> None:
    done = flow.replay(home, "shop", at=START + timedelta(days=60), lookback=timedelta(days=90))
    assert done.rows_changed


def applied(home: Home) -> None:
    flow.apply(home, Definitions.model_validate(shop(buckets=8)))


@pytest.mark.parametrize("change", [ingested, replayed])
def test_a_changed_home_starts_over(home: Home, read: list[str], change: Callable[[Home], None]) -> None:
    kill(home, AFTER_TWO)
    change(home)
    before = seen(home)
    read.clear()
    done = flow.rebuild(home, "shop")
    assert done.resumed == 0
    assert len(read) == done.slices
    assert seen(home) == before
    assert not pieces(home).exists()


def test_other_definitions_start_over(home: Home) -> None:
    before = seen(home)
    kill(home, AFTER_TWO)
    applied(home)
    assert seen(home) == before
    assert not pieces(home).exists()
    assert flow.rebuild(home, "shop").resumed == 0


def test_pieces_stay_for_as_long_as_they_are_of_use(home: Home) -> None:
    kill(home, AFTER_TWO)
    vacuum(home, keep=timedelta())
    assert pieces(home).exists()
    ingested(home)
    assert not pieces(home).exists()


def test_a_full_disk_leaves_what_is_finished(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before, files = seen(home), data_files(home)
    write_file, left = delta.write_file, [9]

    def full(*arguments: Any, **options: Any) -> delta.NewFile:
        left[0] -= 1
        if not left[0]:
            (arguments[0] / "half.parquet").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_file(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(delta, "write_file", full)
        with pytest.raises(OSError, match="No space"):
            flow.rebuild(home, "shop")
        left[0] = 1
        table = home.journeys_path("shop")
        finished = [folder.name for folder in pieces(home).glob("*/")]
        with pytest.raises(OSError, match="No space"):
            flow.rebuild(home, "shop")
    assert finished and [folder.name for folder in pieces(home).glob("*/")] == finished
    assert not list(pieces(home).rglob("half.parquet"))
    debris = data_files(home) - files
    assert all((home.root / path).is_relative_to(table / staging.FOLDER) for path in debris)
    assert seen(home) == before
    assert flow.rebuild(home, "shop").resumed == len(finished)
    assert seen(home) == before


def test_a_disk_that_is_full_from_the_start_leaves_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = data_files(home)

    def full(*_: Any, **__: Any) -> delta.NewFile:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(delta, "write_file", full)
        with pytest.raises(OSError, match="No space"):
            flow.rebuild(home, "shop")
    assert data_files(home) == files


def test_a_piece_that_was_damaged_is_written_again(home: Home) -> None:
    before = seen(home)
    kill(home, AFTER_TWO)
    next((pieces(home) / "000001").rglob("*.parquet")).write_bytes(b"")
    done = flow.rebuild(home, "shop")
    assert done.resumed == 1
    assert seen(home) == before


def test_a_file_system_without_links_will_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    before = seen(home)
    monkeypatch.setattr(os, "link", refuse)
    assert flow.rebuild(home, "shop").slices == BATCHES
    assert seen(home) == before
    assert not pieces(home).exists()


@pytest.fixture
def unborn(home: Home, monkeypatch: pytest.MonkeyPatch) -> Definitions:
    """Definitions with a connection that was written but not published."""
    definitions = home.current().definitions
    flow.apply(home, Definitions(datasets=definitions.datasets))
    vacuum(home, keep=timedelta())
    with monkeypatch.context() as patched:
        patched.setattr(Lease, "publish", lambda *_, **__: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            flow.apply(home, definitions)
    return definitions


def test_a_first_build_is_gone_on_with(home: Home, unborn: Definitions, read: list[str]) -> None:
    vacuum(home, keep=timedelta())
    flow.apply(home, unborn)
    assert not read
    assert not pieces(home).exists()
    shown = seen(home)
    flow.rebuild(home, "shop")
    assert len(read) == BATCHES
    assert seen(home) == shown


def test_a_vacuum_removes_what_is_left_of_a_first_build(home: Home, unborn: Definitions) -> None:
    ingested(home)
    assert pieces(home).exists()
    found = vacuum(home, keep=timedelta(), dry_run=True)
    assert vacuum(home, keep=timedelta()).removed == found.removed
    assert not pieces(home).exists()
    assert not list(home.journeys_path("shop").rglob("*.parquet"))
