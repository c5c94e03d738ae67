"""docs/graph.md: the worked example runs as the page says, and each visit gets whom its table shows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from stitching.graph import Rules, links_of, resolve
from wayline.cli import app
from wayline.output import console

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "graph.md").read_text(encoding="utf-8")
ASK = "SELECT id, adobe_personid FROM site_view ORDER BY 1"


def run(command: str) -> str:
    done = CliRunner().invoke(app, shlex.split(command, comments=True)[1:])
    assert done.exit_code == 0, (command, done.output)
    return done.stdout


def printed(command: str) -> list[str]:
    """Run a command; return the lines that it prints for people."""
    with console.capture() as output:
        run(command.removeprefix("$ "))
    return plain(output.get())


def plain(output: str) -> list[str]:
    """Return the lines of an output without times of arrival, and without blanks at their ends."""
    return [re.sub(r"20(?!23)\d\d-\S+ [\d:]+", "NOW", line).rstrip() for line in output.strip().splitlines()]


def shown() -> dict[str, list[str]]:
    """Return the persons of each visit as the page's table shows them."""
    rows = re.findall(r"^\| (e\d) \|[^|]*\|[^|]*\|(.*)\|$", PAGE, re.MULTILINE)
    return {visit: [cell.strip() for cell in cells.split("|")] for visit, cells in rows}


def persons() -> list[str]:
    return [row["adobe_personid"] for row in json.loads(run(f"wayline sql --json {shlex.quote(ASK)}"))]


def outputs() -> list[list[str]]:
    """Return the blocks of the page that show a command and what it prints."""
    blocks = re.findall(r"^```\n(\$ .*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [block.splitlines() for block in blocks]


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
    (asked, *expected), *_ = outputs()
    assert printed(asked) == plain("\n".join(expected))
    assert list(zip(*found, strict=True)) == [tuple(cells) for cells in shown().values()]
    assert list(shown()) == [f"e{number}" for number in range(1, 8)]


def test_the_simulation_of_the_page(monkeypatch):
    monkeypatch.chdir(ROOT)
    *_, (asked, *expected) = outputs()
    assert printed(asked) == plain("\n".join(expected))
    file = (ROOT / "docs" / "examples" / "graph" / "family.yaml").read_text()
    assert file.split("\n", 1)[1] in PAGE


def identity(name: str) -> tuple[str, str]:
    """Return what the page calls by a name alone: an address, a browser, a login or a customer."""
    kinds = {r".*@": "Email", r"\d+": "Visitor", r"[A-Z]": "Login"}
    space = next((kind for pattern, kind in kinds.items() if re.fullmatch(pattern, name)), "Customer")
    return space, name


def drawn(text: str) -> list[list[tuple[str, str]]]:
    """Return the records or graphs of a cell: names with dashes in between."""
    chains = re.findall(r"[\w@]+(?:–[\w@]+)+", text)
    return [[identity(name) for name in chain.split("–")] for chain in chains]


@pytest.mark.parametrize("row", re.findall(r"^\| (\S+–.*?) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE))
def test_graphs_that_would_collapse(row):
    told, unique, graphs = row
    rules = Rules(("Customer", "Email", "Login", "Visitor"), frozenset(unique.split(", ")))
    rows = [(place, place, *one) for place, record in enumerate(drawn(told)) for one in record]
    records = pl.DataFrame(rows, schema=["record", "time", "namespace", "value"], orient="row")
    nodes = resolve(links_of(records, rules), rules).nodes.drop_nulls("graph")
    found = nodes.group_by("graph").agg(pl.struct("namespace", "value").alias("members"))
    members = {frozenset(tuple(one.values()) for one in each) for each in found["members"]}
    assert members == {frozenset(graph) for graph in drawn(graphs)}
