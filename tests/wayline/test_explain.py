"""``wayline explain``: what it prints for people and machines, and one line for what is wrong."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.journeys.support import definitions, ingest_rows, new_home
from tests.wayline.test_worlds import Run, wayline
from tests.world.homes import START

__all__ = ["wayline"]
VIEWS = {
    "data_views": {
        "shop": {
            "connection": "shop",
            "dimensions": {
                "channel": "channel",
                "kept": {
                    "field": "channel",
                    "persistence": {"allocation": "most_recent", "expiration": "person"},
                },
            },
            "metrics": {
                "revenue": "revenue",
                "linear": {"field": "revenue", "attribution": {"model": "linear", "container": "session"}},
            },
        }
    }
}
ANN = {"login": {"customer": "Ann"}}
EVENTS = [
    {"id": "e1", "at": START, "channel": "mail", **ANN},
    {"id": "e2", "at": START + timedelta(minutes=1), "channel": "paid", **ANN},
    {"id": "e3", "at": START + timedelta(minutes=2), **ANN},
    {"id": "e4", "at": START + timedelta(minutes=3), "revenue": 30.0, **ANN},
    {"id": "e5", "at": START + timedelta(days=2), "revenue": 1250.0, **ANN},
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = new_home(tmp_path_factory.mktemp("homes"), definitions(calls=False, **VIEWS))
    ingest_rows(home, "web", EVENTS)
    home.close()
    return home.root


def cells(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]


def test_a_journey_is_shown_with_its_credit(root: Path, wayline: Run) -> None:
    code, out, _ = wayline(
        "explain", "shop", "--person", "Ann", "--metric", "linear", "--dimension", "channel", "-H", root
    )
    assert code == 0
    assert [row[5:] for row in cells(out)[:5]] == [
        ["mail", "–", "touch", "15.00", "4: 15.00"],
        ["paid", "–", "touch", "15.00", "4: 15.00"],
        ["–", "–", "–", "–", "–"],
        ["–", "30.00", "conversion", "–", "–"],
        ["–", "1,250.00", "conversion", "–", "1,250.00 to no touch"],
    ]
    assert [row[0] for row in cells(out)[:5]] == ["1", "2", "3", "4", "5"]
    assert [row[4] for row in cells(out)[:5]] == ["1", "1", "1", "1", "2"]
    assert sorted(cells(out)[5:]) == [["mail", "15.00"], ["paid", "15.00"], ["–", "1,250.00"]]
    short = wayline(
        "explain",
        "shop",
        "--person",
        "Ann",
        "--metric",
        "linear",
        "--dimension",
        "channel",
        "--brief",
        "-H",
        root,
    )
    assert [row[0] for row in cells(short[1])[:4]] == ["1", "2", "4", "5"]


def test_a_metric_without_attribution_counts_under_the_persisted_value(root: Path, wayline: Run) -> None:
    out = wayline(
        "explain", "shop", "--person", "Ann", "--metric", "revenue", "--dimension", "kept", "-H", root
    )[1]
    assert "persisted" in out
    assert cells(out)[4][5:] == ["–", "paid", "1,250.00", "conversion", "1,250.00", "5: 1,250.00"]
    assert cells(out)[5:] == [["paid", "1,280.00"]]
    total = wayline("explain", "shop", "--person", "Ann", "--metric", "revenue", "-H", root)[1]
    assert "revenue of the person: 1,280.00" in total
    first = wayline(
        "explain", "shop", "--person", "Ann", "--metric", "revenue", "--to", "2024-01-06", "-H", root
    )[1]
    assert "revenue of the person: 30.00" in first


def test_machines_get_every_column(root: Path, wayline: Run) -> None:
    arguments = (
        "explain",
        "shop",
        "--person",
        "Ann",
        "--metric",
        "linear",
        "--dimension",
        "channel",
        "-H",
        root,
    )
    found = json.loads(wayline(*arguments, "--json")[1])
    assert found[0]["credit_from"] == [{"event": 4, "credit": 15.0}]
    assert [row["event_id"] for row in found] == ["e1", "e2", "e3", "e4", "e5"]
    table = list(csv.DictReader(io.StringIO(wayline(*arguments, "--csv")[1])))
    assert [row["credit"] for row in table] == ["15.0", "15.0", "", "", ""]
    nothing = wayline(*arguments, "--from", "2030-01-01", "--csv")
    assert (nothing[0], nothing[1]) == (0, ",".join(table[0]) + "\r\n")


def test_what_is_wrong_is_one_line(root: Path, wayline: Run) -> None:
    code, out, err = wayline("explain", "shop", "--person", "Bob", "--metric", "linear", "-H", root)
    assert (code, out) == (1, "")
    assert err.startswith('error: there is no person "Bob" in data view "shop"  Persons are the values')
    code, _, err = wayline(
        "explain", "shop", "--person", "Ann", "--metric", "linear", "--from", "now", "-H", root
    )
    assert code == 1
    assert err == "error: 'now' is not a time  Write 2026-03-01 or 2026-03-01 12:30.\n"


def test_the_command_has_an_example(wayline: Run) -> None:
    assert "Example: wayline explain shop" in wayline("explain", "--help")[1]
