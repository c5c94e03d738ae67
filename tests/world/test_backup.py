"""Backup and restore: one published world, the same answers, every byte checked, nothing half-made."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from engine import flow
from engine.backup import backup, restore
from engine.catalog.records import BatchStatus
from engine.errors import HomeError
from engine.manifest import NAME
from engine.rollback import roll_back
from engine.vacuum import vacuum
from engine.world import Home
from tests.journeys.support import ingest_rows
from tests.world.homes import make_home, rows, seen

WRITER = """
import sys
from engine.world import Home
from tests.journeys.support import ingest_rows
from tests.world.homes import rows
home = Home.open(sys.argv[1])
for number in range(100, 112):
    ingest_rows(home, "web", rows(number, 200))
    print(number, flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_restored_home_answers_the_same_and_goes_on(home: Home, tmp_path: Path) -> None:
    roll_back(home, 4)
    home.catalog.start_batch("abc", "web", ["never.csv"])
    with home.pin():
        done = backup(home, tmp_path / "backup")
    again = restore(tmp_path / "backup", tmp_path / "restored")
    assert (again.world, again.files, again.bytes) == (6, done.files, done.bytes)
    restored = Home.open(again.folder)
    assert seen(restored) == seen(home)
    assert restored.current() == home.current()
    assert restored.catalog.pins() == []
    assert [world.id for world in restored.worlds() if world.vacuumed_at is None] == [6]
    assert restored.catalog.batches("web")[2].status is BatchStatus.DELETED
    assert restored.catalog.batch("abc").status is BatchStatus.FAILED
    for each in (home, restored):
        ingest_rows(each, "web", rows(9))
        flow.rebuild(each, "shop")
    assert seen(restored) == seen(home)
    roll_back(restored, 6)
    assert vacuum(restored, keep=timedelta()).kept == (restored.current().id,)


def test_files_are_copies_and_not_the_same_files(home: Home, tmp_path: Path) -> None:
    backup(home, tmp_path / "backup")
    inodes = {path.stat().st_ino for path in files(home.root)}
    copies = files(tmp_path / "backup")
    assert inodes.isdisjoint(path.stat().st_ino for path in copies)
    assert all(path.stat().st_nlink == 1 for path in copies)
    assert {path.name for path in (tmp_path / "backup").iterdir()} == {NAME, "home"}


def test_a_backup_taken_while_another_process_ingests_is_one_world(home: Home, tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home.root)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
    )
    taken = []
    try:
        assert writer.stdout
        writer.stdout.readline()
        while writer.poll() is None and len(taken) < 6:
            taken.append(backup(home, tmp_path / f"backup-{len(taken)}"))
        assert writer.wait(300) == 0
    finally:
        writer.kill()
        writer.communicate()
    assert len({done.world for done in taken}) > 1
    for number, done in enumerate(taken):
        restored = Home.open(restore(done.folder, tmp_path / f"restored-{number}").folder)
        assert restored.current().id == done.world
        assert seen(restored) == seen(home, home.world(done.world))
        with restored.lease() as lease:
            assert flow.recover(lease).id == done.world


def test_a_vacuum_during_a_backup_leaves_its_files(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, calls = seen(home), []

    def meanwhile(phase: str, done: int, total: int) -> None:
        if not calls:
            ingest_rows(home, "web", rows(8))
            flow.rebuild(home, "shop")
            vacuum(home, keep=timedelta())
        calls.append((phase, done, total))

    made = backup(home, tmp_path / "backup", progress=meanwhile)
    assert calls[-1][1] == calls[-1][2]
    assert seen(Home.open(restore(made.folder, tmp_path / "restored").folder)) == shown


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "pattern", ["home/catalog.db", "home/datasets/*/*.parquet", "home/*/*/_delta_log/*", NAME]
)
@pytest.mark.parametrize("how", [damage, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_backup_restores_nothing(home: Home, tmp_path: Path, pattern: str, how: object) -> None:
    made = backup(home, tmp_path / "backup")
    victim = sorted(made.folder.glob(pattern))[0]
    how(victim)  # type: ignore[operator]
    with pytest.raises(HomeError, match=r"is damaged|is not a backup") as caught:
        restore(made.folder, tmp_path / "restored")
    assert victim.name in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert {path.name for path in tmp_path.iterdir()} == {"backup", home.root.name}


def test_only_new_folders_are_written(home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    made = backup(home, tmp_path / "empty")
    with pytest.raises(HomeError, match="empty is there already"):
        backup(home, tmp_path / "empty")
    with pytest.raises(HomeError, match="is there already"):
        restore(made.folder, home.root)
    with pytest.raises(HomeError, match="is inside the home"):
        backup(home, home.root / "datasets" / "backup")
    with pytest.raises(HomeError, match="is inside the backup"):
        restore(made.folder, made.folder / "restored")
    with pytest.raises(HomeError, match="is not a backup"):
        restore(home.root, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_a_dead_process_left_of_a_backup_is_cleared(home: Home, tmp_path: Path) -> None:
    left = tmp_path / ".backup.partial"
    (left / "home").mkdir(parents=True)
    (left / "home" / "catalog.db").write_bytes(b"half")
    made = backup(home, tmp_path / "backup")
    assert not left.exists()
    restore(made.folder, tmp_path / "restored")


def test_a_home_that_lost_files_is_not_backed_up(home: Home, tmp_path: Path) -> None:
    next(home.dataset_path("web").glob("*.parquet")).unlink()
    with pytest.raises(HomeError, match="dataset web has lost 1 files"):
        backup(home, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_backup_of_a_newer_home_is_refused(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("engine.backup.FORMAT", 99)
        backup(home, tmp_path / "backup")
    with pytest.raises(HomeError, match="holds a home of format 99"):
        restore(tmp_path / "backup", tmp_path / "restored")
