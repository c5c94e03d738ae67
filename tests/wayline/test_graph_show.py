"""``wayline graph show``: what it draws, what it prints for machines, how it refuses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.wayline.test_cli import wayline

__all__ = ["wayline"]

PROJECT = """\
namespaces: {COOKIE: cookie}
identities: {priority: [CRMID, Email, COOKIE], unique: [CRMID]}
datasets:
  web:
    timestamp: at
    fields:
      at: timestamp
      login: {type: string, identity: CRMID}
      mail: {type: string, identity: Email}
      device: {type: string, identity: COOKIE}
"""
FIRST = "2024-01-05T10:00:00Z,Tom,,d1\n2024-01-05T11:00:00Z,Tom,tom[x],d2\n2024-01-05T12:00:00Z,,tom[x],d2\n"
SECOND = "2024-01-06T10:00:00Z,Summer,,d1\n2024-01-06T11:00:00Z,Tom,,d2\n"


@pytest.fixture
def home(tmp_path, wayline):
    (tmp_path / "project.yaml").write_text(PROJECT)
    home = tmp_path / "home"
    assert wayline("init", home).code == 0
    assert wayline("apply", tmp_path / "project.yaml", "--home", home).code == 0
    for name, lines in (("first.csv", FIRST), ("second.csv", SECOND)):
        (tmp_path / name).write_text(f"at,login,mail,device\n{lines}")
        assert wayline("ingest", "web", tmp_path / name, "--home", home).code == 0
    return home


def test_a_graph_is_drawn(home, wayline):
    drawn = wayline("graph", "show", "CRMID:Tom", "--home", home).out
    assert drawn.splitlines()[:4] == [
        "CRMID:Tom  cross_device",
        "├── COOKIE:d2  cookie  2024-01-05 11:00:00 to 2024-01-06 11:00:00, web batches 1, 2",
        "│   └── ↑ Email:tom[x]  2024-01-05 12:00:00, web batch 1",
        "└── Email:tom[x]  email  2024-01-05 11:00:00, web batch 1",
    ]
    assert "CRMID:Tom – COOKIE:d1" in drawn
    assert "would put CRMID:Tom and CRMID:Summer together" in drawn


def test_history_says_what_each_batch_made_of_it(home, wayline):
    told = wayline("graph", "show", "COOKIE:d1", "--history", "--home", home).out
    lines = told.splitlines()
    first, second = (place for place, line in enumerate(lines) if line.startswith(f"{datetime.now(UTC):%Y}"))
    assert lines[first].endswith("  web batch 1") and lines[second].endswith("  web batch 2")
    assert lines[first + 1] == "CRMID:Tom  cross_device"
    assert lines[second + 1] == "CRMID:Summer  cross_device"


def test_json(home, wayline):
    told = wayline("graph", "show", "COOKIE:d1", "--history", "--json", "--home", home).json()
    assert told["identity"] == "COOKIE:d1"
    assert [node["value"] for node in told["nodes"]] == ["Summer", "d1"]
    (link,) = told["links"]
    assert (link["a"], link["b"], link["state"]) == ("CRMID:Summer", "COOKIE:d1", "kept")
    assert [(sight["dataset"], sight["batch"]) for sight in link["seen_in"]] == [("web", 2)]
    (cut,) = told["cut"]
    assert cut["reason"] == "would put CRMID:Tom and CRMID:Summer together"
    assert [moment["batch"] for moment in told["history"]] == [1, 2]


def test_a_revert_takes_back_what_its_batch_cut(home, wayline):
    wayline("batch", "revert", "web", "2", "--home", home)
    drawn = wayline("graph", "show", "COOKIE:d1", "--home", home).out
    assert drawn.startswith("CRMID:Tom") and "does not count" not in drawn


def test_an_identity_that_nobody_knows(home, wayline):
    told = wayline("graph", "show", "COOKIE:d7", "--home", home)
    assert (told.code, told.err.count("\n")) == (1, 1)
    assert "no record links COOKIE:d7" in told.err and 'Known: "d1", "d2".' in told.err
