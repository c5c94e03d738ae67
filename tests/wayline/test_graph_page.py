"""docs/graph.md: the worked example runs as the page says, and each visit gets whom its table shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wayline.cli import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "graph.md").read_text(encoding="utf-8")
ASK = "SELECT id, adobe_personid FROM site_view ORDER BY 1"


def run(command: str) -> str:
    done = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
    assert done.exit_code == 0, (command, done.output)
    return done.stdout


def shown() -> dict[str, list[str]]:
    """Return the persons of each visit as the page's table shows them."""
    rows = re.findall(r"^\| (e\d) \|[^|]*\|[^|]*\|(.*)\|$", PAGE, re.MULTILINE)
    return {visit: [cell.strip() for cell in cells.split("|")] for visit, cells in rows}


def persons() -> list[str]:
    return [row["adobe_personid"] for row in json.loads(run(f"wayline sql --json {shlex.quote(ASK)}"))]


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Return the commands of the worked example, to be run where the page's paths are right."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.setenv("WAYLINE_HOME", "home")
    example = PAGE.split("## A worked example")[1].split("\n## ")[0]
    return [line for line in example.splitlines() if line.startswith("wayline ")]


def test_ex_st_4_the_worked_example(commands):
    replays = [place for place, command in enumerate(commands) if command.startswith("wayline replay")]
    stages = zip([0, *replays], [*replays, len(commands)], strict=True)
    found = []
    for start, end in stages:
        for command in commands[start:end]:
            run(command)
        found.append(persons())
    assert list(zip(*found, strict=True)) == [tuple(cells) for cells in shown().values()]
    assert list(shown()) == [f"e{number}" for number in range(1, 8)]
