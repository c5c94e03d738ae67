"""kill -9 during rollback, vacuum, backup and restore: afterwards everything is as before or as after.

``WAYLINE_FAULT_SEEDS`` and ``WAYLINE_FAULT_SEED`` say how many instants are tried, and from which.
"""

from __future__ import annotations

import random
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from engine import flow
from engine.backup import backup, restore
from engine.errors import HomeError
from engine.lake import table as lake
from engine.rollback import roll_back
from engine.vacuum import vacuum
from engine.world import Home
from tests.faults.test_kill import FIRST_SEED, SEEDS, copy_of, kill_after, run_to_the_end
from tests.world.homes import data_files, make_home, seen

pytestmark = pytest.mark.faults

IMPORTS = """\
from pathlib import Path
from engine.backup import backup, restore
from engine.rollback import roll_back
from engine.vacuum import vacuum
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with worlds 1 to 9, the last of them a rollback."""
    home = make_home(tmp_path_factory.mktemp("worlds"), batches=6)
    roll_back(home, 5)
    home.close()
    return home.root


def instants(instruction: str, target: Path) -> list[tuple[int, float]]:
    """Return seeds and the seconds after which each kills; the work is done once to know how long it takes."""
    duration = run_to_the_end(instruction)
    seeds = range(FIRST_SEED, FIRST_SEED + SEEDS)
    return [(seed, random.Random(seed).random() * duration) for seed in seeds]


def test_rollback(prepared: Path) -> None:
    def instruction(path: Path) -> str:
        return f"{IMPORTS}roll_back(Home.open({str(path)!r}), 7)"

    finished = copy_of(prepared, "rolled-back")
    before, after = seen(Home.open(finished)), seen(Home.open(finished), Home.open(finished).world(7))
    assert before != after
    for seed, seconds in instants(instruction(finished), finished):
        print(f"WAYLINE_FAULT_SEED={seed} rollback")
        path = copy_of(prepared, f"rollback-{seed}")
        kill_after(instruction(path), seconds)
        home = Home.open(path)
        assert seen(home) in (before, after)
        with home.lease() as lease:
            world = flow.recover(lease)
        assert lake.latest_version(home.dataset_path("web")) == world.datasets["web"]
        assert seen(home) == (after if world.cause == "rollback to world 7" else before)
        if seen(home) != after:
            roll_back(home, 7)
        assert seen(home) == after
        roll_back(home, 9)
        assert seen(home) == before
        shutil.rmtree(path)


def test_vacuum(prepared: Path) -> None:
    def instruction(path: Path) -> str:
        return f"from datetime import timedelta\n{IMPORTS}vacuum(Home.open({str(path)!r}), keep=timedelta())"

    finished = copy_of(prepared, "vacuumed")
    shown = seen(Home.open(finished))
    seeds = instants(instruction(finished), finished)
    left = data_files(Home.open(finished))
    for seed, seconds in seeds:
        print(f"WAYLINE_FAULT_SEED={seed} vacuum")
        path = copy_of(prepared, f"vacuum-{seed}")
        kill_after(instruction(path), seconds)
        home = Home.open(path)
        assert seen(home) == shown
        for world in home.worlds():
            if world.vacuumed_at is None:
                seen(home, world)
        vacuum(home, keep=timedelta())
        assert data_files(home) == left
        assert seen(home) == shown
        shutil.rmtree(path)


@pytest.mark.parametrize("operation", ["backup", "restore"])
def test_copies(prepared: Path, tmp_path: Path, operation: str) -> None:
    home, target = Home.open(prepared), tmp_path / "target"
    shown = seen(home)
    source = backup(home, tmp_path / "source").folder if operation == "restore" else prepared
    opened = f"Home.open({str(source)!r})" if operation == "backup" else f"Path({str(source)!r})"
    instruction = f"{IMPORTS}{operation}({opened}, Path({str(target)!r}))"
    for seed, seconds in instants(instruction, target):
        print(f"WAYLINE_FAULT_SEED={seed} {operation}")
        shutil.rmtree(target, ignore_errors=True)
        kill_after(instruction, seconds)
        whole = target.exists()
        if not whole:
            (backup(home, target) if operation == "backup" else restore(source, target))
        with pytest.raises(HomeError, match="there already"):
            (backup(home, target) if operation == "backup" else restore(source, target))
        made = target if operation == "restore" else restore(target, tmp_path / f"from-{seed}").folder
        assert seen(Home.open(made)) == shown
        assert not list(tmp_path.glob(".*partial"))
