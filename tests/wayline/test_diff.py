"""``wayline diff``: what it prints for people and machines, and one line for what is wrong."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest

from engine import batches, flow
from engine.vacuum import vacuum
from tests.journeys.support import ingest_rows
from tests.wayline.test_worlds import Run, wayline
from tests.world.homes import START, make_home, rows

__all__ = ["wayline"]
QUESTION = (
    "SELECT channel, SUM(occurrences) AS events, SUM(visitors) AS people FROM shop GROUP BY 1 ORDER BY 1"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Worlds: 1 init, 2 apply, 3 and 4 batches, 5 replay, 6 batch, 7 revert."""
    home = make_home(tmp_path_factory.mktemp("homes"), batches=2)
    flow.replay(home, "shop", at=START + timedelta(days=60), lookback=timedelta(days=90))
    ingest_rows(home, "web", rows(7))
    batches.revert(home, "web", 1)
    home.close()
    return home.root


def test_a_change_is_shown_with_its_causes(root: Path, wayline: Run) -> None:
    code, out, _ = wayline("diff", 4, 7, QUESTION, "--home", root)
    assert code == 0
    assert "The answer from world 4 (20" in out
    for heading in ("channel", "column", "before", "after", "late data", "replays", "deletes"):
        assert heading in out
    assert "definitions" not in out
    assert "3 rows changed, 0 rows as before." in out
    assert "web: 40 rows in 1 new batch, 40 of them of a time before world 4 was published." in out
    same = wayline(
        "diff", 4, 5, "SELECT channel, SUM(occurrences) AS events FROM shop GROUP BY 1", "-H", root
    )
    assert "events from world 4" in same[1]
    assert "0 rows changed, 3 rows as before." in same[1]


def test_machines_get_the_same(root: Path, wayline: Run) -> None:
    found = json.loads(wayline("diff", 4, 7, QUESTION, "--home", root, "--json")[1])
    assert (found["from"], found["to"], found["unchanged_rows"]) == (4, 7, 0)
    assert found["causes"] == ["late data", "replays", "deletes"]
    assert found["steps"] == [
        {"world": 5, "causes": "replays"},
        {"world": 6, "causes": "late data"},
        {"world": 7, "causes": "deletes"},
    ]
    assert found["new_data"] == [{"dataset": "web", "batches": 1, "rows": 40, "late": 40}]
    text = wayline("diff", 4, 7, QUESTION, "--home", root, "--csv")[1]
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == len(found["changes"])
    for row, change in zip(table, found["changes"], strict=True):
        assert (row["channel"] or None, row["column"]) == (change["row"]["channel"], change["column"])
        assert sum(change["by"].values()) == change["after"] - change["before"]
        assert int(row["replays"]) == change["by"]["replays"]


def test_what_is_wrong_is_one_line(root: Path, wayline: Run) -> None:
    code, out, err = wayline("diff", 7, 4, QUESTION, "--home", root)
    assert (code, out) == (1, "")
    assert err == "error: world 7 was published after world 4  Ask the other way: 4 7.\n"
    code, _, err = wayline("diff", 1, 4, QUESTION, "--home", root)
    assert code == 1
    assert err.startswith('error: world 1 cannot answer the question: relation "shop" does not exist')


def test_causes_that_cannot_be_told_apart_share_a_column(tmp_path: Path, wayline: Run) -> None:
    home = make_home(tmp_path, batches=1)
    first = home.current().id
    with home.pin():
        ingest_rows(home, "web", rows(2))
        batches.revert(home, "web", 1)
        vacuum(home, keep=timedelta())
        _, out, _ = wayline("diff", first, home.current().id, QUESTION, "--home", home.root)
    assert "late data + deletes" in out
    assert "the worlds between cannot be asked." in out


def test_the_command_has_an_example(wayline: Run) -> None:
    assert "Example: wayline diff 5 9" in wayline("diff", "--help")[1]
