"""docs/start.md: its commands and its YAML work as written, on a file that fits them."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from wayline.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "start.md").read_text(encoding="utf-8")
NAMES = ("event_id", "ts", "device_id", "customer_id", "channel", "revenue")
KEEPS_ON = ("wayline serve",)


def test_the_page_leads_from_a_file_to_an_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYLINE_HOME", "my-home")
    with Path("events.csv").open("w", newline="") as file:
        days = [
            (n, f"2026-11-{n:02d}T10:00:00Z", "d1", "ann" if n == 5 else "", "email", n) for n in range(1, 10)
        ]
        csv.writer(file).writerows([NAMES, *days])
    blocks = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
    done = []
    for kind, text in blocks:
        if kind == "yaml":
            with Path("project.yaml").open("a") as project:
                project.write(text)
            continue
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["wayline"] or line.startswith(KEEPS_ON):
                continue
            command, _, target = (" ".join(map(shlex.quote, words[1:]))).partition(" '>' ")
            ended = CliRunner().invoke(app, shlex.split(command))
            assert ended.exit_code == 0, (line, ended.output, ended.exception)
            if target:
                Path(target).write_text(ended.stdout)
            done.append(words[1])
    assert done == ["init", "schema", "apply", "ingest", "status", "replay", "sql"]
