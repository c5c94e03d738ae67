"""docs/algorithmic-attribution.md: its example runs as it is written, and gives the numbers that it shows."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from wayline import cli, output

PAGE = (Path(__file__).parents[2] / "docs" / "algorithmic-attribution.md").read_text(encoding="utf-8")


def block(kind: str, first: str) -> str:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return next(found for own, found in blocks if own == kind and found.startswith(first))


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if "│" in line]


def wayline(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["wayline", *arguments])
    monkeypatch.setattr(output.console, "file", shown)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    return shown.getvalue()


def test_the_example_of_the_page_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("people.py").write_text(block("python", "# people.py"), encoding="utf-8")
    Path("people.yaml").write_text(block("yaml", "# people.yaml"), encoding="utf-8")
    commands, _, shown = block("", "$ python").partition("┏")
    answer = ""
    for command in (shlex.split(line.removeprefix("$ ")) for line in commands.splitlines()):
        match command:
            case ["python", script, ">", target]:
                made = subprocess.run([sys.executable, script], check=True, capture_output=True)
                Path(target).write_bytes(made.stdout)
            case ["export", setting]:
                monkeypatch.setenv(*setting.split("="))
            case ["wayline", *arguments]:
                answer = wayline(arguments, monkeypatch)
    assert cells(answer) == cells(shown)
    assert len(cells(shown)) == 2
