"""``wayline compact`` and ``wayline rebuild``: what they print for people and machines."""

from __future__ import annotations

import json
from pathlib import Path

from engine.world import Home
from tests.wayline.test_worlds import Run, root, wayline
from tests.world.homes import seen

__all__ = ["root", "wayline"]


def test_a_rebuild_says_what_it_did(root: Path, wayline: Run) -> None:
    before = seen(Home.open(root))
    code, out, _ = wayline("rebuild", "shop", "--home", root)
    assert code == 0
    assert [line.split("│")[1].strip() for line in out.splitlines()[3:-1]] == [
        "connection",
        "world",
        "rows",
        "persons",
        "seconds",
        "slices",
        "resumed slices",
    ]
    assert seen(Home.open(root)) == before


def test_a_rebuild_for_machines(root: Path, wayline: Run) -> None:
    found = json.loads(wayline("rebuild", "shop", "--home", root, "--json")[1])
    assert found.pop("seconds") >= 0
    rows = len(seen(Home.open(root))[0])
    persons = len({row[1] for row in seen(Home.open(root))[0]})
    assert found == {
        "connection": "shop",
        "world": 5,
        "rows": rows,
        "persons": persons,
        "slices": 1,
        "resumed_slices": 0,
    }


def test_a_rebuild_mends_journeys_that_lost_files(root: Path, wayline: Run) -> None:
    home = Home.open(root)
    before = seen(home)
    for file in home.journeys_path("shop").glob("*/**/*.parquet"):
        file.unlink()
    assert wayline("rebuild", "shop", "--home", root)[0] == 0
    assert seen(Home.open(root)) == before


def test_what_cannot_be_rebuilt(root: Path, wayline: Run) -> None:
    code, _, err = wayline("rebuild", "shops", "--home", root)
    assert code == 1
    assert 'there is no connection "shops"' in err
    assert "shop" in err.partition("shops")[2]


def test_compaction_says_how_many_steps_it_took(root: Path, wayline: Run) -> None:
    assert wayline("compact", "--home", root)[1].startswith("shop: ")
    assert wayline("compact", "shop", "--home", root)[1] == "shop: as it was.\n"
