"""Commands for worlds: what they print for people and machines, and one line for what is wrong."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from datetime import timedelta
from pathlib import Path

import pytest

from engine.world import Home
from tests.world.homes import make_home
from wayline import cli, output
from wayline.worlds import _keep, size

Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def wayline(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process; returns its exit code, output and errors."""

    def run(*arguments: object) -> tuple[object, str, str]:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr(sys, "argv", ["wayline", *map(str, arguments)])
        monkeypatch.setattr(output.console, "file", out)
        monkeypatch.setattr(output.errors, "file", err)
        with redirect_stdout(out), pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, out.getvalue(), err.getvalue()

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A home with worlds 1 to 4."""
    home = make_home(tmp_path, batches=2)
    home.close()
    return home.root


def test_worlds_are_listed(root: Path, wayline: Run) -> None:
    code, out, _ = wayline("worlds", "--home", root)
    assert code == 0
    assert "ingest web batch 2" in out
    found = json.loads(wayline("worlds", "--home", root, "--json")[1])
    assert [world["id"] for world in found] == [1, 2, 3, 4]
    assert set(found[0]) == {"id", "published_at", "cause", "changed", "restorable", "readers"}
    last = wayline("worlds", "--home", root, "--last", 1)[1]
    assert "batch 1" not in last
    assert "3 older ones: wayline worlds --last 0" in last


def test_a_world_is_returned_to(root: Path, wayline: Run) -> None:
    assert wayline("rollback", 3, "--home", root)[1] == "World 5 shows what world 3 showed.\n"
    done = json.loads(wayline("rollback", 4, "--home", root, "--json")[1])
    assert done == {"world": 6, "shows": 4, "cause": "rollback to world 4"}
    code, out, err = wayline("rollback", 9, "--home", root)
    assert (code, out) == (1, "")
    assert err == "error: there is no world 9  There are worlds 1 to 6.\n"


def test_vacuum_says_what_it_does(root: Path, wayline: Run) -> None:
    wayline("vacuum", "--home", root)
    wayline("rollback", 3, "--home", root)
    said = json.loads(wayline("vacuum", "--home", root, "--keep", "0", "--dry-run", "--json")[1])
    assert said["dry_run"]
    assert said["gone"] == [1, 2, 3, 4]
    assert said["deleted"] == [["web", 2]]
    assert "Worlds that would go: 4;" in wayline("vacuum", "--home", root, "--keep", "0", "--dry-run")[1]
    out = wayline("vacuum", "--home", root, "--keep", "0d")[1]
    assert f"Removed {said['files']} files" in out
    assert "Deleted for good: batches web 2." in out
    assert "dataset web" in out
    code, _, err = wayline("rollback", 3, "--home", root)
    assert code == 1
    assert "its files were vacuumed" in err
    code, _, err = wayline("vacuum", "--home", root, "--keep", "long")
    assert code == 1
    assert "--keep 7d" in err


def test_a_home_is_backed_up_and_restored(root: Path, tmp_path: Path, wayline: Run) -> None:
    code, out, _ = wayline("backup", tmp_path / "backup", "--home", root)
    assert code == 0
    assert "Backed up world 4" in out
    done = json.loads(wayline("restore", tmp_path / "backup", tmp_path / "again", "--json")[1])
    assert (done["world"], done["folder"]) == (4, str(tmp_path / "again"))
    again = wayline("status", "--home", tmp_path / "again", "--json")[1]
    first = wayline("status", "--home", root, "--json")[1]
    assert {**json.loads(again), "home": ""} == {**json.loads(first), "home": ""}
    (tmp_path / "backup" / "home" / "catalog.db").write_bytes(b"")
    code, _, err = wayline("restore", tmp_path / "backup", tmp_path / "third")
    assert code == 1
    assert err.count("\n") == 1
    assert "is damaged: catalog.db does not have the content that was backed up" in err
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize("command", ["worlds", "rollback", "vacuum", "backup", "restore"])
def test_every_command_has_an_example(command: str, wayline: Run) -> None:
    code, out, _ = wayline(command, "--help")
    assert code == 0
    assert f"Example: wayline {command}" in out


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (99_960, "100 kB"), (2e12, "2.0 TB")]
)
def test_sizes_are_short(count: int, text: str) -> None:
    assert size(count) == text


def test_nothing_may_be_kept() -> None:
    assert _keep("0") == _keep("0d") == timedelta()
    assert _keep("2w") == timedelta(days=14)


def test_a_command_that_has_ended_pins_no_world(root: Path, wayline: Run) -> None:
    assert wayline("status", "--home", root)[0] == 0
    with closing(Home.open(root)) as home:
        assert home.catalog.pins() == []
