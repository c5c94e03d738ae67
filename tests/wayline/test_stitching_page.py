"""docs/stitching.md: a reader who follows it step by step sees what the page shows."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from engine.definitions.model import ConnectionDatasetDefinition
from tests.wayline.test_worlds import Run, wayline

__all__ = ["wayline"]
TEXT = (Path(__file__).parents[2] / "docs" / "stitching.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """Return the files that the page tells to save: each block follows the line that names it."""
    blocks = re.findall(r"`(\w+\.(?:csv|yaml))`[^`]*?```(?:csv|yaml)\n(.*?)```", TEXT, re.DOTALL)
    return dict(blocks)


def steps() -> Iterator[tuple[list[str], str]]:
    """Yield the page's commands, each with what the page shows of its output."""
    for block in re.findall(r"^```\n(\$ .*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        for step in block.removeprefix("$ ").split("\n$ "):
            command, _, shown = step.rstrip("\n").partition("\n")
            yield shlex.split(command), shown


def test_every_step_shows_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wayline: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    compared = 0
    for (program, *arguments), shown in steps():
        if program == "export":
            name, _, value = arguments[0].partition("=")
            monkeypatch.setenv(name, value)
            continue
        code, out, said = wayline(*arguments)
        assert code == 0, (arguments, said)
        if shown:
            compared += 1
            assert [line.rstrip() for line in out.splitlines()] == shown.splitlines(), arguments
    assert compared > 12


def test_the_schedules_of_the_page_can_be_written() -> None:
    (block,) = (block for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "replay:" in block)
    assert ConnectionDatasetDefinition.model_validate(yaml.safe_load(block)["web"]).replay is not None
    (own,) = re.findall(r"`(replay: \{.*?\})`", TEXT)
    stitched = {"stitching": {"persistent_id": "device", "person_id": "customer"}}
    assert ConnectionDatasetDefinition.model_validate(stitched | yaml.safe_load(own)).replay is not None
