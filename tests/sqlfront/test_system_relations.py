"""Schema ``system``: its relations are listed, described and typed, and can be read like tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine import flow
from engine.definitions.model import Definitions
from engine.errors import UnknownNameError
from engine.world import Home
from sqlfront.difference import why
from sqlfront.front import open_front
from sqlfront.server import running
from sqlfront.system import RELATIONS
from sqlfront.users import add_user
from tests.journeys.support import definitions, ingest_rows, new_home
from wayline.serving import ask

DAY = date(2023, 5, 12)
NOON = datetime(2023, 5, 12, 12, tzinfo=UTC)
VIEW = {"connection": "shop", "dimensions": {"channel": {"field": "channel"}, "device": {"field": "device"}}}
NAMED = [("x", None), ("x", "Ann"), ("y", "Ann"), ("z", None)]


def given() -> Definitions:
    return definitions(data_views={"visits": VIEW})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = new_home(tmp_path_factory.mktemp("system"), given())
    rows = [
        {"id": f"{n}", "at": NOON, "device": device, "login": {"customer": person}, "channel": "mail"}
        for n, (device, person) in enumerate(NAMED)
    ]
    ingest_rows(home, "web", rows)
    return home


def rows(home: Home, statement: str) -> list[tuple[Any, ...]]:
    return ask(home, statement)[1]


@pytest.mark.parametrize("name", RELATIONS)
def test_every_column_is_described(name: str) -> None:
    relation = RELATIONS[name]
    assert list(relation.comments) == relation.schema.names


@pytest.mark.parametrize("name", RELATIONS)
def test_rows_have_the_types_that_the_catalog_tells(name: str, home: Home) -> None:
    told = rows(
        home,
        "SELECT column_name, data_type FROM information_schema.columns "
        f"WHERE table_schema = 'system' AND table_name = '{name}' ORDER BY ordinal_position",
    )
    assert [column for column, _ in told] == ask(home, f"SELECT * FROM system.{name}")[0]
    kinds = {
        "bool": "boolean",
        "int32": "integer",
        "int64": "bigint",
        "double": "double precision",
        "string": "text",
        "date32[day]": "date",
        "timestamp[us, tz=UTC]": "timestamp with time zone",
    }
    assert [kind for _, kind in told] == [kinds[str(kind)] for kind in RELATIONS[name].schema.types]


def test_relations_are_listed_apart_from_views(home: Home) -> None:
    listed = (
        "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' AND table_type = 'VIEW'"
    )
    assert {name for (name,) in rows(home, listed.format("system"))} == set(RELATIONS)
    assert rows(home, listed.format("public")) == [("visits",)]
    oid = "SELECT obj_description('system.stitching_quality'::regclass, 'pg_class')"
    assert "How good stitching is" in rows(home, oid)[0][0]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT day, rows, stitched_rows FROM system.stitching_quality", [(DAY, 4, 3)]),
        ('SELECT q."lift" FROM "system"."stitching_quality" AS q WHERE q.day >= DATE \'2023-01-01\'', [(1.5,)]),
        ("SELECT SUM(rows) FROM SYSTEM.Stitching_Quality WHERE dataset = 'calls'", [(None,)]),
        ("SELECT person, rows FROM system.biggest_persons WHERE is_person", [("Ann", 3)]),
        ("SELECT COUNT(*) FROM system.identity_alarms", [(0,)]),
        ("SELECT rows FROM system.stitching_quality LIMIT 0", []),
        ("SELECT b.rows FROM system.biggest_persons b JOIN system.stitching_quality q USING (dataset) "
         "WHERE b.place = 1 AND q.rows = 4", [(3,)]),
        ("WITH q AS (SELECT * FROM system.biggest_persons) SELECT MAX(place) FROM q", [(2,)]),
    ],
)  # fmt: skip
def test_statements(statement: str, expected: list[tuple[Any, ...]], home: Home) -> None:
    assert rows(home, statement) == expected


def test_relations_join_with_data_views(home: Home) -> None:
    """The report engine runs in a database of its own, and still sees their rows."""
    joined = (
        "SELECT v.adobe_personid, SUM(v.occurrences) FROM visits v JOIN system.biggest_persons b "
        "ON b.person = v.adobe_personid WHERE b.is_person GROUP BY 1"
    )
    assert rows(home, joined) == [("Ann", 3)]
    chosen = (
        "SELECT SUM(occurrences) FROM visits "
        "WHERE adobe_personid IN (SELECT person FROM system.biggest_persons WHERE NOT is_person)"
    )
    assert rows(home, chosen) == [(1,)]


@pytest.mark.parametrize("name", ["system.stitching_qualty", "stitching_quality"])
def test_unknown_relations_get_the_closest_name(name: str, home: Home) -> None:
    with pytest.raises(UnknownNameError, match=f'relation "{name}" does not exist') as error:
        rows(home, f"SELECT * FROM {name}")
    assert error.value.hint == 'Did you mean "system.stitching_quality"?'


def test_rows_follow_the_newest_world(tmp_path: Path) -> None:
    home = new_home(tmp_path, given())
    counted = "SELECT SUM(rows), SUM(stitched_rows) FROM system.stitching_quality"
    ingest_rows(home, "web", [{"id": "1", "at": NOON, "device": "x"}])
    assert rows(home, counted) == [(1, 0)]
    ingest_rows(home, "web", [{"id": "2", "at": NOON, "device": "x", "login": {"customer": "Ann"}}])
    assert rows(home, counted) == [(2, 1)]
    flow.replay(home, "shop", at=NOON)
    assert rows(home, counted) == [(2, 2)]


def test_older_worlds_can_be_compared(tmp_path: Path) -> None:
    home = new_home(tmp_path, given())
    first = ingest_rows(home, "web", [{"id": "1", "at": NOON, "device": "x"}])
    last = ingest_rows(home, "web", [{"id": "2", "at": NOON, "device": "x"}])
    asked = "SELECT dataset, SUM(rows) AS rows FROM system.stitching_quality GROUP BY dataset"
    (change,) = why(home, first.id, last.id, asked).difference.changes
    assert (change.key, change.before, change.after) == (("web",), 1, 2)


def test_over_the_wire_with_parameters(home: Home) -> None:
    add_user(home.catalog, "ada", "secret")
    with running(open_front(home)) as address:
        url = f"host={address.host} port={address.port} dbname=wayline user=ada password=secret"
        with psycopg.connect(url) as connection:
            asked = "SELECT day, authentication_rate FROM system.stitching_quality WHERE day = %s"
            assert connection.execute(asked, (DAY,)).fetchall() == [(DAY, 0.5)]
