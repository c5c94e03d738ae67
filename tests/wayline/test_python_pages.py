"""docs/python.md and docs/segments.md: the examples run, and answer what the pages show."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.definitions import project
from wayline.cli import app

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for named, block in found if named == language]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make the home that the page begins with, by its own commands."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "events.csv").write_text(blocks("python.md", "csv")[0])
    (folder / "project.yaml").write_text(blocks("python.md", "yaml")[0])
    commands = [line for line in blocks("python.md", "")[0].splitlines() if line.startswith("wayline ")]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in commands:
            done = CliRunner().invoke(app, command.split()[1:])
            assert done.exit_code == 0, (command, done.output)
    return folder


@pytest.mark.parametrize("page", ["python.md", "segments.md"])
def test_the_examples_answer_what_the_page_shows(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = doctest.DocTestParser().get_doctest("\n".join(blocks(page, "python")), {}, page, page, 0)
    told: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=told.append)
    assert outcome.attempted > 5
    assert not outcome.failed, "".join(told)


def test_the_segments_of_the_page_can_be_applied(tmp_path):
    base = blocks("python.md", "yaml")[0]
    for number, block in enumerate(blocks("segments.md", "yaml")):
        path = tmp_path / f"{number}.yaml"
        of_view = "\n  - " in block
        path.write_text(base + (textwrap.indent(block, "    ") if of_view else block))
        loaded = project.load(path)
        assert loaded.data_views["shop"].segments if of_view else loaded.segments


def test_importing_wayline_takes_nothing_along():
    heavy = "import sys, wayline; print([m for m in ('numba', 'duckdb', 'polars', 'pyarrow') if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(DOCS.parent)}
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "[]", done.stderr
