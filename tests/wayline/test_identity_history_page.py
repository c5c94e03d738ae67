"""docs/identity-history.md: its example runs, and answers what the page shows."""

from __future__ import annotations

import re
import shlex
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.wayline.test_worlds import Run, wayline

__all__ = ["wayline"]
PAGE = (Path(__file__).parents[2] / "docs" / "identity-history.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
FILES = ("march-1.csv", "march-2.csv", "project.yaml")


def cells(table: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if "│" in line]
    # When something was learned is another time on each run.
    return [row[1:] if len(row) == 9 else row for row in rows]


def test_the_page(tmp_path: Path, wayline: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [text for kind, text in BLOCKS if kind in ("csv", "yaml")]
    for name, text in zip(FILES, texts, strict=True):
        Path(name).write_text(text, encoding="utf-8")
    # The page's times, and the real ones: after the first file, and after the second.
    instants = dict.fromkeys(("2026-03-02 09:00", "2026-03-02 23:00"), "")
    waiting, shown = list(instants), 0
    for command, answer in (asked for kind, text in BLOCKS if not kind for asked in _asked(text)):
        code, out, err = wayline(*(instants.get(part, part) for part in command))
        assert (code, err) == (0, "")
        if command[0] == "ingest":
            instants[waiting.pop(0)] = datetime.now(UTC).isoformat()
            time.sleep(0.01)
        if "│" in answer:
            assert cells(out) == cells(answer)
            shown += len(cells(answer))
    assert shown == 2 + 4 + 4 + 1 + 3


def _asked(text: str) -> list[tuple[list[str], str]]:
    """The commands of a block, each with what the page shows as its answer."""
    pieces = re.split(r"^\$ wayline ", text, flags=re.MULTILINE)[1:]
    pairs = (piece.partition("\n") for piece in pieces)
    return [(shlex.split(command), answer) for command, _, answer in pairs]
