"""Identities of then from the command line and from Python: ``person-of``, ``--as-of``, ``identity_as_of``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import wayline as api
from engine import flow
from engine.errors import InputError
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, new_home
from tests.wayline.test_worlds import Run, wayline
from tests.world.homes import START, VIEW

__all__ = ["wayline"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of docs/stitching.md: what was known after each batch, and after a replay (world 6)."""
    home = new_home(tmp_path_factory.mktemp("homes"), definitions(calls=False, **VIEW))
    minute = timedelta(minutes=1)
    batches = [
        [(1, "246", None), (3, "3579", None), (2, "81911", None)],
        [(2, "246", "Bob"), (4, "246", None)],
        [(5, "81911", "Bob"), (12, "81911", None)],
    ]
    for batch in batches:
        rows = [(START + at * minute, device, person) for at, device, person in batch]
        events = [
            {"id": f"{device} {at}", "at": at, "device": device, "login": {"customer": person}}
            for at, device, person in rows
        ]
        ingest_rows(home, "web", events)
    flow.replay(home, "shop", at=START + timedelta(days=1))
    home.close()
    return home.root


def when(root: Path, world: int) -> str:
    home = Home.open(root)
    moment = home.world(world).published_at
    home.close()
    return str(moment)


def test_whom_a_device_belongs_to_now_and_then(root: Path, wayline: Run) -> None:
    code, out, _ = wayline("person-of", "246", "-H", root)
    assert code == 0
    assert "Persons of 246 in shop, now" in out
    found = json.loads(wayline("person-of", "ecid:246", "--connection", "shop", "-H", root, "--json")[1])
    assert [(row["person"], row["events"]) for row in found["persons"]] == [("Bob", 3)]
    assert [(row["why"], row["person"], row["still"]) for row in found["learned"]] == [
        ("live", "246", 0),
        ("live", "Bob", 2),
        ("replay", "Bob", 1),
    ]
    moment = when(root, 5)
    out = wayline("person-of", "246", "--as-of", moment, "-H", root)[1]
    assert f"Persons of 246 in shop, as of {moment[:19]} UTC" in out
    then = json.loads(wayline("person-of", "246", "--as-of", moment, "-H", root, "--json")[1])
    assert [(row["person"], row["events"]) for row in then["persons"]] == [("246", 1), ("Bob", 2)]
    assert then["learned"] == found["learned"]


def test_one_line_for_what_is_wrong(root: Path, tmp_path: Path, wayline: Run) -> None:
    for arguments, said in (
        (("24",), 'no event of connection "shop" has the device "24"'),
        (("246", "--as-of", "soon"), "'soon' is not a time"),
        (("246", "--connection", "shp"), 'Did you mean "shop"?'),
    ):
        code, out, err = wayline("person-of", *arguments, "-H", root)
        assert (code, out) == (1, "") and said in err and len(err.splitlines()) == 1
    empty = Home.create(tmp_path / "empty")
    empty.close()
    assert "no connections stitch devices" in wayline("person-of", "246", "-H", empty.root)[2]


def test_questions_of_then(root: Path, wayline: Run) -> None:
    people = "SELECT SUM(visitors) AS n FROM shop"
    for world, expected in ((3, 4), (4, 4), (5, 4), (6, 2)):
        out = wayline("sql", people, "--as-of", when(root, world), "-H", root, "--json")[1]
        assert json.loads(out) == [{"n": expected}]
    assert "is not a time" in wayline("sql", people, "--as-of", "soon", "-H", root)[2]
    then = wayline("explain", "shop", "--person", "246", "--metric", "revenue", "-H", root, "--as-of")
    assert then[0] != 0
    asked = ("explain", "shop", "--person", "246", "--metric", "revenue", "-H", root, "--json")
    assert 'no person "246"' in wayline(*asked)[2]
    assert len(json.loads(wayline(*asked, "--as-of", when(root, 5))[1])) == 1


def test_reports_of_then_in_python(root: Path) -> None:
    with api.open(root) as home:
        moment = datetime.fromisoformat(when(root, 5))
        for given in (moment, str(moment), str(moment.replace(tzinfo=None))):
            answer = home.report("shop", metrics="visitors", identity_as_of=given)
            assert answer.polars().item() == 4
        assert home.report("shop", metrics="visitors").polars().item() == 2
        assert home.report("shop", metrics="visitors", identity_as_of=datetime.now(UTC)).polars().item() == 2
        early = home.report("shop", metrics="visitors", identity_as_of=moment.date() - timedelta(days=9))
        assert early.polars().item() == 4
        for wrong in ("soon", 7):
            with pytest.raises(InputError, match="is not a time"):
                home.report("shop", metrics="visitors", identity_as_of=wrong)  # type: ignore[arg-type]
