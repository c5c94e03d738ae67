"""Temporary tables of a session, over a socket and on a home: Tableau's probe, lists of values, joins, rollback."""

import re
from pathlib import Path

import psycopg
import pytest

from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.server import running


@pytest.fixture(scope="module")
def dsn(home):
    with running(open_front(home, OwnersGate())) as found:
        yield f"host={found.host} port={found.port} user=ada dbname=shop sslmode=disable"


@pytest.fixture
def connection(dsn):
    with psycopg.connect(dsn, autocommit=True) as found:
        yield found


def rows(connection, sql, *values):
    return connection.execute(sql, values or None).fetchall()


def test_tableaus_probe(connection):
    name = '"#Tableau_1_2_3_Connect"'
    made = connection.execute(f'CREATE LOCAL TEMPORARY TABLE {name} ("COL" INTEGER) ON COMMIT PRESERVE ROWS')
    assert made.statusmessage == "CREATE TABLE"
    assert rows(connection, f'SELECT SUM(1) AS "n", "COL" FROM {name} GROUP BY 2') == []
    assert connection.execute(f"DROP TABLE {name}").statusmessage == "DROP TABLE"
    into = connection.execute(
        f"SELECT * INTO TEMPORARY TABLE {name} FROM (SELECT 1 AS COL) AS CHECKTEMP LIMIT 1"
    )
    assert into.statusmessage == "SELECT 1"
    assert rows(connection, f"SELECT * FROM {name}") == [(1,)]
    assert connection.execute(f"DROP TABLE IF EXISTS {name}").statusmessage == "DROP TABLE"
    assert connection.execute(f"DROP TABLE IF EXISTS {name}").statusmessage == "DROP TABLE"


def test_rows_are_inserted_and_read_in_their_types(connection):
    connection.execute(
        "CREATE TEMP TABLE kept (id int PRIMARY KEY, name varchar(9) NOT NULL, at timestamptz, price numeric(8,2),"
        " tags text[], UNIQUE (name))"
    )
    done = connection.execute(
        "INSERT INTO kept VALUES (1, 'a', '2024-01-01 10:00:00+02', '1.5', '{x,NULL}'), (2, 'b', NULL, '2', NULL)"
    )
    assert done.statusmessage == "INSERT 0 2"
    connection.execute("INSERT INTO kept (name, id) SELECT channel, 3 FROM channels ORDER BY 1 LIMIT 1")
    connection.cursor().executemany("INSERT INTO kept (id, name) VALUES (%s, %s)", [(4, "d"), (5, "e")])
    found = rows(connection, "SELECT id, price, tags, at::text FROM kept WHERE id < 3 ORDER BY id")
    assert [(r[0], str(r[1]), r[2]) for r in found] == [(1, "1.50", ["x", None]), (2, "2.00", None)]
    assert rows(connection, "SELECT count(*) FROM kept") == [(5,)]
    assert connection.execute("TRUNCATE kept").statusmessage == "TRUNCATE TABLE"
    assert rows(connection, "SELECT * FROM kept") == []


def test_views_are_filtered_by_and_joined_with_them(connection):
    everything = dict(rows(connection, "SELECT channel, sum(revenue) FROM web GROUP BY 1"))
    connection.execute(
        "CREATE TEMP TABLE wanted (channel, label) AS SELECT DISTINCT channel, 'x' FROM channels LIMIT 2"
    )
    kept = {channel for (channel,) in rows(connection, "SELECT channel FROM wanted")}
    listed = "SELECT channel, sum(revenue) FROM web WHERE channel IN (SELECT channel FROM wanted) GROUP BY 1"
    joined = "SELECT w.channel, sum(revenue) FROM web w JOIN wanted t ON t.channel = w.channel GROUP BY 1"
    expected = {channel: value for channel, value in everything.items() if channel in kept}
    assert dict(rows(connection, listed)) == dict(rows(connection, joined)) == pytest.approx(expected)
    connection.execute("INSERT INTO wanted SELECT DISTINCT channel, 'y' FROM channels")
    doubled = "SELECT count(*) FROM channels c JOIN wanted t USING (channel)"
    assert rows(connection, doubled)[0][0] > rows(connection, "SELECT count(*) FROM channels")[0][0]


def test_prepared_statements_read_the_rows_of_now(connection):
    connection.execute("CREATE TEMP TABLE numbers AS SELECT 1 AS n")
    for expected in (1, 2, 4, 8, 16, 32, 64):
        assert rows(connection, "SELECT count(*) FROM numbers WHERE n >= %s", 0) == [(expected,)]
        connection.execute("INSERT INTO numbers SELECT n + 1 FROM numbers")


def test_tables_are_their_sessions_own(dsn, connection):
    connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a")
    with psycopg.connect(dsn, autocommit=True) as other:
        with pytest.raises(psycopg.errors.UndefinedTable):
            other.execute("SELECT * FROM mine")
        other.execute("CREATE TEMP TABLE mine AS SELECT 'other' AS b")
        assert rows(other, "SELECT * FROM mine") == [("other",)]
    assert rows(connection, "SELECT * FROM mine") == [(1,)]
    assert rows(connection, "SELECT * FROM pg_temp.mine") == [(1,)]
    connection.execute("DISCARD ALL")
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM mine")


def test_they_hide_relations_of_the_same_name(connection):
    before = rows(connection, "SELECT count(*) FROM channels")
    connection.execute("CREATE TEMP TABLE channels AS SELECT 1 AS a")
    assert rows(connection, "SELECT a FROM channels") == [(1,)]
    assert rows(connection, "SELECT count(*) FROM public.channels") == before
    connection.execute("DROP TABLE channels")
    assert rows(connection, "SELECT count(*) FROM channels") == before


def test_a_rollback_restores_them(dsn):
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TEMP TABLE t AS SELECT 1 AS a")
        connection.commit()
        connection.execute("INSERT INTO t VALUES (2)")
        connection.execute("SAVEPOINT s")
        connection.execute("DROP TABLE t")
        connection.execute("ROLLBACK TO s")
        assert rows(connection, "SELECT count(*) FROM t") == [(2,)]
        connection.rollback()
        assert rows(connection, "SELECT count(*) FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("CREATE TABLE u (a int)", "0A000"),
        ("CREATE TABLE u AS SELECT 1", "0A000"),
        ("SELECT 1 AS a INTO u", "42501"),
        ("INSERT INTO web VALUES (1)", "0A000"),
        ("INSERT INTO channels SELECT * FROM channels", "0A000"),
        ("DROP TABLE channels", "0A000"),
        ("DROP TABLE IF EXISTS channels", "0A000"),
        ("DROP TABLE IF EXISTS web", "0A000"),
        ("DROP TABLE t, channels", "0A000"),
        ("TRUNCATE channels", "0A000"),
        ("DROP TABLE nothing", "0A000"),
        ("CREATE TEMP TABLE t (a int)", "42P07"),
        ("CREATE TEMP TABLE u (a nonsense)", "42704"),
        ("CREATE TEMP TABLE u (a)", "42601"),
        ("CREATE TEMP TABLE u AS SELECT 1 AS a, 2 AS a", "42701"),
        ("CREATE TEMP TABLE public.u (a int)", "42P16"),
        ("CREATE TEMP TABLE u AS SELECT * FROM read_csv('/etc/passwd')", "42501"),
        ("SELECT * INTO TEMP u FROM read_csv('/etc/passwd')", "42501"),
        ("INSERT INTO t SELECT * FROM read_text('/etc/passwd')", "42501"),
        ("INSERT INTO t VALUES ('x')", "22P02"),
        ("INSERT INTO t VALUES (1, 2)", "42601"),
        ("INSERT INTO t (b) VALUES (1)", "42703"),
        ("INSERT INTO t VALUES (1) RETURNING a", "42601"),
        ("INSERT INTO t SELECT x FROM generate_series(1, 20000000) AS g(x)", "53200"),
    ],
)
def test_what_is_refused_changes_nothing(connection, sql, sqlstate):
    connection.execute("CREATE TEMP TABLE t AS SELECT 7 AS a")
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(sql)
    assert refused.value.sqlstate == sqlstate
    assert rows(connection, "SELECT a FROM t") == [(7,)]


def test_notices(connection):
    heard = []
    connection.add_notice_handler(lambda notice: heard.append(notice.message_primary))
    connection.execute("CREATE TEMP TABLE t (a int)")
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS t (a int)")
    connection.execute("DROP TABLE IF EXISTS nothing")
    connection.execute("CREATE TEMP TABLE empty AS SELECT channel FROM channels WITH NO DATA")
    assert rows(connection, "SELECT * FROM empty") == []
    assert heard == [
        'relation "t" already exists, skipping',
        'table "nothing" does not exist, skipping',
    ]


def test_the_page_runs(connection):
    page = (Path(__file__).parents[2] / "docs" / "types.md").read_text()
    statements = (
        re.search(r"```sql\n(.*?)```", page, re.DOTALL)[1].replace("FROM shop", "FROM web").split(";\n")
    )
    for statement in filter(None, statements):
        connection.execute(statement)
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT * FROM wanted")


def test_a_name_in_capitals_is_the_temporary_table_of_this_session_alone(dsn):
    with psycopg.connect(dsn, autocommit=True) as one, psycopg.connect(dsn, autocommit=True) as other:
        count, everything = "SELECT COUNT(*) FROM WEB", "SELECT * FROM Web"
        whole = rows(other, count)
        one.execute("CREATE TEMPORARY TABLE web AS SELECT 1 AS a")
        assert (rows(one, count), rows(one, everything)) == ([(1,)], [(1,)])
        one.execute("DROP TABLE web; CREATE TEMPORARY TABLE web AS SELECT 'x' AS b, 2 AS c")
        assert rows(one, everything) == [("x", 2)]
        assert rows(other, count) == whole
        assert len(rows(other, everything)) > 1


SEEN = """
    SELECT n.nspname ~ '^pg_temp_\\d+$', n.oid = pg_my_temp_schema(), c.relname, c.relkind, c.relpersistence,
        pg_table_is_visible(c.oid), c.oid::regclass::text, pg_get_userbyid(c.relowner) = current_user
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname IN ('seen', 'Seen too')
    ORDER BY c.relname;
    SELECT attname, format_type(atttypid, atttypmod), attnum FROM pg_attribute
    WHERE attrelid = 'seen'::regclass AND attnum > 0 ORDER BY attnum;
    SELECT table_name, table_type, is_insertable_into FROM information_schema.tables
    WHERE table_name IN ('seen', 'Seen too') ORDER BY 1;
    SELECT column_name, data_type, ordinal_position FROM information_schema.columns
    WHERE table_name = 'seen' ORDER BY ordinal_position;
    SELECT array_position(current_schemas(true), 'pg_catalog'), cardinality(current_schemas(false));
    SELECT 'pg_temp.seen'::regclass = 'seen'::regclass, has_table_privilege('seen', 'INSERT');
    SELECT tablename FROM pg_tables WHERE schemaname LIKE 'pg!_temp%' ESCAPE '!' ORDER BY 1
"""


def catalogs_say(connection):
    connection.execute("CREATE TEMP TABLE seen (id int, price numeric(8,2), tags text[], at timestamptz)")
    connection.execute('CREATE TEMP TABLE "Seen too" AS SELECT 1 AS one')
    return [rows(connection, statement) for statement in SEEN.split(";")]


def test_catalogs_tell_the_session_of_its_own_tables_alone(connection, dsn):
    said = catalogs_say(connection)
    assert [row[2] for row in said[0]] == ["Seen too", "seen"]
    with psycopg.connect(dsn, autocommit=True) as other:
        assert rows(other, "SELECT 1 FROM pg_class WHERE relname = 'seen'") == []
        assert rows(other, "SELECT pg_my_temp_schema(), current_schemas(true)") == [
            (0, ["pg_catalog", "public"])
        ]
        other.execute("CREATE TEMP TABLE seen (x int)")
        listed = "SELECT attname FROM pg_attribute WHERE attrelid = 'seen'::regclass"
        assert rows(other, listed) == [("x",)]
    assert len(rows(connection, listed)) == 4


def test_catalogs_follow_a_rollback(connection):
    listed = "SELECT relname FROM pg_class WHERE relpersistence = 't'"
    connection.execute("CREATE TEMP TABLE before (x int)")
    connection.execute("BEGIN")
    connection.execute("CREATE TEMP TABLE during (x int)")
    connection.execute("DROP TABLE before")
    assert rows(connection, listed) == [("during",)]
    connection.execute("ROLLBACK")
    assert rows(connection, listed) == [("before",)]


def test_a_temporary_table_hides_a_relation_of_its_name(connection):
    connection.execute("CREATE TEMP TABLE channels (x int)")
    assert rows(
        connection,
        "SELECT c.oid::regclass::text, pg_table_is_visible(c.oid) FROM pg_class c WHERE relname = 'channels' "
        "ORDER BY 1",
    ) == [("channels", True), ("public.channels", False)]
    assert rows(connection, "SELECT * FROM pg_temp_1.channels") == []
    assert rows(connection, "SELECT count(*) FROM public.channels") == [(3,)]


@pytest.mark.clients
def test_catalogs_say_what_those_of_postgresql_say(connection, postgres15):
    with postgres15.connect() as theirs:
        assert catalogs_say(connection) == catalogs_say(theirs)
