"""What a home's catalogs list: components with their kinds, and what the name of the database asks for."""

import pytest

from sqlfront.database import Database, read_database, view_id
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.session import Session
from sqlfront.sqlstate import SqlError
from sqlfront.wire import messages as m
from tests.journeys.support import definitions, ingest_rows, new_home
from tests.sqlfront.wire_client import simplified
from tests.world.homes import START

VIEWS = {
    "data_views": {
        "shop": {
            "connection": "shop",
            "description": "All of the shop",
            "dimensions": {
                "channel": {
                    "field": "channel",
                    "persistence": {"allocation": "original", "expiration": "30d"},
                },
                "site": {"field": "channel", "description": "Where it was"},
            },
            "metrics": {
                "touched": {
                    "field": "channel",
                    "count": True,
                    "description": "Touched",
                    "attribution": {"model": "linear", "container": "session", "lookback": "10d"},
                },
            },
        }
    }
}
LIST = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind <> 'c' ORDER BY 1"
)
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 ORDER BY attnum"
SHOP = view_id("shop")


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    home = new_home(tmp_path_factory.mktemp("listing"), definitions(**VIEWS))
    event = {"id": "1", "at": START, "device": "x", "login": {"customer": "Ann"}, "channel": "Email"}
    ingest_rows(home, "web", [event])
    yield open_front(home, OwnersGate())
    home.close()


@pytest.fixture
def ask(front):
    def query(sql, database="demo"):
        session = Session(front, {"user": "ada", "database": database}, 7, b"1234")
        session.greet()
        found = simplified(b"".join(session.process([m.SimpleQuery(sql)])))
        assert [message for message in found if message[0] == "E"] == []
        return [message[1:] for message in found if message[0] == "D"]

    return query


def first(rows):
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wayline", ("all", False, False)),
        ("prod:all", ("all", False, False)),
        ("prod:", ("all", False, False)),
        ("prod:cja", ("cja", False, False)),
        ("prod:CJA?FLATTEN", ("cja", True, False)),
        ("prod:cja%3FFLATTEN", ("cja", True, False)),
        ("prod%3Acja%3fFlatten", ("cja", True, False)),
        ("prod?CJA_USE_IDS", ("all", False, True)),
        ("prod:cja?FLATTEN&cja_use_ids", ("cja", True, True)),
        ("prod:cja%3FFLATTEN%26CJA_USE_IDS", ("cja", True, True)),
        ("prod:Web", ("web", False, False)),
    ],
)
def test_names_of_databases(name, expected):
    database = read_database(name)
    assert isinstance(database, Database)
    assert (database.name, database.key) == (name, expected)


def test_unknown_options_are_refused():
    with pytest.raises(SqlError, match='unknown option "flat"') as refused:
        read_database("prod:cja?FLAT")
    assert refused.value.sqlstate == "3D000"


@pytest.mark.parametrize(
    ("database", "listed"),
    [
        ("demo", ["calls", "shop", "web"]),
        ("demo:all", ["calls", "shop", "web"]),
        ("demo:cja", ["shop"]),
        ("demo:cja?CJA_USE_IDS", [SHOP]),
        ("demo%3FCJA_USE_IDS", ["calls", SHOP, "web"]),
        ("demo:WEB", ["web"]),
        ("demo:shop", ["shop"]),
        (f"demo:{SHOP}", [SHOP]),
    ],
)
def test_databases_list_what_they_are_asked_for(ask, database, listed):
    assert first(ask(LIST, database)) == sorted(listed)


def test_the_databases_name_is_the_one_given(ask):
    name = "prod:cja?FLATTEN"
    asked = "SELECT current_database(), d.datname, t.table_catalog FROM pg_database d, information_schema.tables t"
    assert ask(f"{asked} WHERE t.table_name = 'shop'", name) == [(name, name, name)]


def test_a_database_of_no_relation_is_refused(front):
    session = Session(front, {"user": "ada", "database": "demo:nothing"}, 7, b"1234")
    with pytest.raises(SqlError, match='"nothing"') as refused:
        session.greet()
    assert refused.value.sqlstate == "42P12"


def test_objects_are_opened_where_that_is_asked_for(ask):
    plain = first(ask(COLUMNS.format("web")))
    flat = first(ask(COLUMNS.format("web"), "demo?FLATTEN"))
    assert "login" in plain and "login.customer" not in plain
    assert "login.customer" in flat and "login" not in flat


def test_objects_are_asked_by_their_leaves(ask):
    flat, count = "demo?FLATTEN", 'SELECT count("login.customer") FROM web WHERE "login.customer" = {}'
    assert ask('SELECT "login.customer", w.channel FROM web w', flat) == [("Ann", "Email")]
    assert ask(count.format("'Ann'"), flat) == ask(count.format("(SELECT 'Ann')"), flat) == [("1",)]
    assert ask("SELECT (login).customer FROM web") == [("Ann",)]
    with pytest.raises(AssertionError, match="42703"):
        ask("SELECT login FROM web", flat)
    with pytest.raises(AssertionError, match="42703"):
        ask('SELECT "login.customer" FROM web')


def test_views_are_asked_by_id_and_by_name(ask):
    for view, database in (("shop", "demo?CJA_USE_IDS"), (SHOP, "demo?CJA_USE_IDS"), (SHOP.upper(), "demo")):
        assert ask(f"SELECT channel, SUM(visits) FROM {view} GROUP BY 1", database) == [("Email", "1")]


def test_two_databases_are_listed_side_by_side(ask):
    for _ in range(2):
        assert len(ask(LIST)) == 3
        assert len(ask(LIST, "demo:cja")) == 1


def test_comments_begin_with_what_a_component_is(ask):
    said = dict(
        ask(
            "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'shop'::regclass"
        )
    )
    assert said["touched"] == "metric · Touched, linear, session, 10d"
    assert said["visits"] == "metric · Sessions"
    assert said["channel"] == "dimension · Field channel, original value kept for 30d"
    assert said["site"] == "dimension · Where it was"
    assert said["adobe_personid"] == "dimension · Person ID after stitching"
    assert said["daterangeday"] == "time · Start of the day"
    assert said["timestamp"].startswith("time · Event time")
    assert said["filterName"] == "filter · Saved segment, by name"


def test_views_show_what_a_component_is_where_defaults_stand(ask):
    shown = (
        "SELECT attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_attrdef d "
        "ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = '{}'::regclass AND atthasdef"
    )
    kinds = dict(ask(shown.format("shop")))
    assert (kinds["touched"], kinds["site"], kinds["daterange"]) == ("metric", "dimension", "time")
    assert ask(shown.format("web")) == []
    defaults = "SELECT column_default FROM information_schema.columns WHERE table_name = 'shop'"
    assert set(ask(defaults)) == {(None,)}


def test_views_say_what_they_are_made_of(ask):
    (definition,) = first(ask("SELECT pg_get_viewdef('shop'::regclass, true)"))
    assert definition.startswith("SELECT\n") and definition.endswith('FROM "shop";')
    assert 'COUNT("channel") AS "touched"' in definition
    assert ask("SELECT definition FROM pg_views WHERE viewname = 'shop'") == [(definition,)]


def test_questions_over_data_may_ask_who_asks(ask):
    asked = (
        "SELECT current_user, session_user, current_database(), current_schema(), current_catalog, version(), "
        "pg_backend_pid(), current_setting('jit'), channel, (SELECT current_user) AS u FROM shop "
        "WHERE channel <> current_user AND channel <> 'current_user' GROUP BY channel"
    )
    version = ask("SELECT version()")[0][0]
    assert ask(asked) == [("ada", "ada", "demo", "public", "demo", version, "7", "off", "Email", "ada")]
    assert ask("SELECT pg_catalog.current_database(), SUM(visits) AS n FROM shop", "other") == [
        ("other", "1")
    ]
    with pytest.raises(AssertionError, match="42704"):
        ask("SELECT current_setting('no.such'), channel FROM shop")


def test_columns_named_like_session_functions_are_columns(ask):
    named = 'SELECT w.current_role, "version", w."session_user" FROM (SELECT 1 AS current_role, 2 AS version, 3 AS "session_user" FROM web) w'
    assert ask(named) == [("1", "2", "3")]


@pytest.mark.parametrize("statement", ["SHOW TABLES", "show  tables;", "\\showtables"])
def test_tables_are_shown(ask, statement):
    assert ask(statement) == [
        ("calls", "calls", "calls", None, "t"),
        ("shop", "shop", "shop", "All of the shop", "t"),
        ("web", "web", "web", None, "t"),
    ]
    assert first(ask(statement, "demo:cja")) == ["shop"]


def test_settings_without_meaning_here_are_shown_as_postgresql_has_them(ask):
    assert ask("SHOW work_mem") == ask("SELECT current_setting('work_mem')") == [("4MB",)]
    assert ask("SHOW max_wal_size") == [("1GB",)]
    for secret in ("data_directory", "hba_file", "ssl_key_file"):
        with pytest.raises(AssertionError, match="42501"):
            ask(f"SHOW {secret}")
