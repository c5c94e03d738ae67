"""PREPARE, EXECUTE, set_config and pg_sleep in SQL, over a socket and on a home."""

import threading
import time

import psycopg
import pytest

from engine.errors import ForbiddenError
from sqlfront.configuring import SetConfig, read_set_config
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.server import running
from sqlfront.tokens import Piece


@pytest.fixture(scope="module")
def address(home):
    with running(open_front(home, OwnersGate())) as found:
        yield found


@pytest.fixture
def connection(address):
    dsn = f"host={address.host} port={address.port} user=ada dbname=shop sslmode=disable"
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as found:
        yield found


def test_execute_runs_what_prepare_planned(connection):
    connection.execute(
        "PREPARE rates (float8, text) AS SELECT channel FROM channels WHERE rate > $1 OR channel = $2"
    )
    everything = connection.execute("EXECUTE rates (-1, 'x')").fetchall()
    assert len(everything) == len(connection.execute("SELECT channel FROM channels").fetchall())
    assert connection.execute("EXECUTE rates (1e9, 'none')").fetchall() == []
    connection.execute("DEALLOCATE rates")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        connection.execute("EXECUTE rates (1, 'x')")


def test_values_are_read_as_their_parameters_types(connection):
    connection.execute("PREPARE p (date, int[], text, bool) AS SELECT $1, $2, $3, $4")
    (row,) = connection.execute("EXECUTE p ('2024-02-29', '{1,NULL}', 5, NULL)").fetchall()
    assert [str(value) for value in row] == ["2024-02-29", "[1, None]", "5", "None"]
    assert connection.execute("EXECUTE p ('2024-02-29', '{}', 'a', 'yes')", binary=True).fetchone()[3] is True


@pytest.mark.parametrize(
    ("sql", "sqlstate"),
    [
        ("EXECUTE p", "42601"),
        ("EXECUTE p (1, 2)", "42601"),
        ("EXECUTE p ('x')", "22P02"),
        ("EXECUTE p (1), (2)", "42601"),
        ("EXECUTE p 1", "42601"),
        ("EXECUTE nobody", "26000"),
        ("PREPARE p AS SELECT 1", "42P05"),
        ("PREPARE q (nonsense) AS SELECT $1", "42704"),
        ("PREPARE q AS SET a = 1", "0A000"),
        ("PREPARE q AS SELECT * FROM read_csv('/etc/passwd')", "42501"),
        ("PREPARE q AS INSERT INTO web VALUES (1)", "0A000"),
        ("EXECUTE p ((SELECT content FROM read_text('/etc/passwd')))", "42501"),
    ],
)
def test_what_is_refused(connection, sql, sqlstate):
    connection.execute("PREPARE p (int) AS SELECT $1")
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(sql)
    assert refused.value.sqlstate == sqlstate
    assert connection.execute("EXECUTE p (7)").fetchone() == (7,)


def test_prepare_through_the_extended_protocol(connection):
    with connection.cursor(binary=True) as cursor:
        cursor.execute("PREPARE p AS SELECT $1::int + 1", prepare=True)
        assert cursor.execute("EXECUTE p (%s)", [4], prepare=True).fetchone() == (5,)


def test_set_config_sets(connection):
    row = connection.execute(
        "SELECT pg_catalog.set_config('timezone', 'Europe/Vienna', false), set_config('app.name', 'it''s', true) AS b"
    )
    assert [column.name for column in row.description] == ["set_config", "b"]
    assert row.fetchone() == ("Europe/Vienna", "it's")
    assert connection.execute("SHOW timezone").fetchone() == ("Europe/Vienna",)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('a', 'b', false) FROM web",
        "SELECT set_config('a', 'b')",
        "SELECT 'set_config'",
        "SELECT set_config(current_user, 'b', true)",
        "SELECT set_config('a', 'b', false) + 1",
    ],
)
def test_other_statements_are_no_set_config(sql):
    assert read_set_config(Piece(sql, 0)) is None


def test_set_config_is_read():
    found = read_set_config(Piece("select set_config('a.b', '', 'off')", 0))
    assert isinstance(found, SetConfig)
    assert (found.settings[0].name, found.settings[0].value, found.settings[0].local) == ("a.b", "", False)


@pytest.mark.parametrize("name", ["role", "session_authorization"])
def test_set_config_does_not_change_who_the_user_is(name):
    with pytest.raises(ForbiddenError):
        read_set_config(Piece(f"SELECT set_config('{name}', 'boss', false)", 0))


def test_pg_sleep_sleeps(connection):
    began = time.monotonic()
    assert connection.execute("SELECT pg_sleep(0.2)").fetchone() == ("",)
    assert connection.execute("SELECT pg_catalog.pg_sleep(%s) AS nap", [0.1]).description[0].name == "nap"
    assert time.monotonic() - began >= 0.3


def test_pg_sleep_is_cancelled(connection):
    timer = threading.Timer(0.2, connection.cancel_safe)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(600)")
    timer.join()
    assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "sql", ["SELECT pg_sleep(1) FROM web", "SELECT 1, pg_sleep(1)", "SELECT pg_sleep_for('1 s')"]
)
def test_sleeping_elsewhere_is_refused(connection, sql):
    with pytest.raises(psycopg.Error) as refused:
        connection.execute(sql)
    assert refused.value.sqlstate in ("42501", "42883")
