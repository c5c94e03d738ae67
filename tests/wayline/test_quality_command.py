"""``wayline quality``, and the alarms that other commands tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import flow
from engine.definitions.model import Definitions
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, new_home
from tests.journeys.test_replay_examples import NOON, TABLE, table_rows
from tests.wayline.test_explain import cells
from tests.wayline.test_worlds import Run, wayline

__all__ = ["wayline"]


def limited(devices: int) -> Definitions:
    """Return definitions with a limit of devices per person."""
    given = definitions().model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    given["connections"]["shop"]["alarm_devices"] = devices
    return Definitions.model_validate(given)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = new_home(tmp_path_factory.mktemp("homes"), definitions())
    ingest_rows(home, "web", table_rows(TABLE))
    flow.replay(home, "shop", at=NOON.replace(hour=13))
    home.close()
    return home.root


def test_quality_of_the_worked_table(root: Path, wayline: Run) -> None:
    code, out, _ = wayline("quality", "shop", "-H", root)
    shown = cells(out)
    assert code == 0
    assert ["with a person id of their own", "5 (41.7%)"] in shown
    assert ["with a person after stitching", "10 (83.3%)"] in shown
    assert ["increase", "100.0%"] in shown
    assert ["lift", "2.00"] in shown
    assert ["2023-05-12", "web", "12", "41.7%", "83.3%", "4", "2", "0"] in shown
    assert ["Bob", "web", "10", "83.3%", "2", "1"] in shown
    assert "suspect" not in out


def test_days_and_persons_can_be_left_out(root: Path, wayline: Run) -> None:
    out = wayline("quality", "shop", "-H", root, "--days", "0", "--persons", "0")[1]
    assert "lift" in out
    assert "2023" not in out
    assert "Bob" not in out


def test_quality_for_machines(root: Path, wayline: Run) -> None:
    told = json.loads(wayline("quality", "shop", "-H", root, "--json", "--persons", "1")[1])
    (web,) = told["datasets"]
    assert (told["connection"], told["alarms"], web["dataset"]) == ("shop", [], "web")
    assert (web["rows"], web["stitched_rows"], web["lift"]) == (12, 10, 2.0)
    assert [day["day"] for day in web["days"]] == ["2023-05-12"]
    assert [person["person"] for person in web["biggest_persons"]] == ["Bob"]


def test_what_has_nothing_to_show(tmp_path: Path, wayline: Run) -> None:
    home = new_home(tmp_path, definitions())
    assert "No stitched dataset of shop has events." in wayline("quality", "shop", "-H", home.root)[1]
    assert json.loads(wayline("quality", "shop", "-H", home.root, "--json")[1])["datasets"] == [
        {"dataset": "web", "rows": 0, "days": [], "biggest_persons": []}
    ]
    code, _, said = wayline("quality", "shup", "-H", home.root)
    assert (code, 'Did you mean "shop"?' in said) == (1, True)


def suspicious(tmp_path: Path) -> Home:
    """Return a home in which four person ids are on two devices or more, and a file for it."""
    home = new_home(tmp_path, limited(2))
    table = [(n + k, f"d{n}{k}", f"guest{k}") for k in range(4) for n in range(2 + (k == 3))]
    ingest_rows(home, "web", table_rows(table))
    return home


def test_alarms_are_told_by_status_ingest_and_replay(tmp_path: Path, wayline: Run) -> None:
    home = suspicious(tmp_path)
    (tmp_path / "more.jsonl").write_text('{"id": "n1", "at": "2023-05-12T12:30:00Z", "device": "d00"}\n')
    worst = "Alarm in shop: guest3 (crm) is named on 3 devices."
    commands = [
        ("status",),
        ("ingest", "web", tmp_path / "more.jsonl"),
        ("replay", "shop", "--at", "2023-05-13"),
    ]
    for command in commands:
        _, out, said = wayline(*command, "-H", home.root)
        assert worst in out, (command, out, said)
        assert out.count("Alarm in shop:") == 3
        assert "1 more: wayline quality shop" in out
    told = json.loads(wayline("status", "-H", home.root, "--json")[1])["connections"][0]["alarms"]
    assert [(alarm["value"], alarm["counted"]) for alarm in told] == [
        ("guest3", 3),
        ("guest0", 2),
        ("guest1", 2),
        ("guest2", 2),
    ]
    shown = cells(wayline("quality", "shop", "-H", home.root)[1])
    assert ["guest3", "crm", "is named on 3 devices", "2"] in shown


def test_alarms_of_other_connections_are_not_told(tmp_path: Path, wayline: Run) -> None:
    home = suspicious(tmp_path)
    (tmp_path / "calls.jsonl").write_text('{"at": "2023-05-12T12:30:00Z", "customer": "ann"}\n')
    given = home.current().definitions.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    given["connections"]["desk"] = {"datasets": {"calls": {"person_id": "customer"}}}
    del given["connections"]["shop"]["datasets"]["calls"]
    flow.apply(home, Definitions.model_validate(given))
    assert "Alarm" not in wayline("ingest", "calls", tmp_path / "calls.jsonl", "-H", home.root)[1]
