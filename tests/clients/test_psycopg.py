"""psycopg 3 against a running server: formats, parameters, cursors, pipelines, cancels."""

import datetime as dt
import threading
import uuid
from decimal import Decimal

import psycopg
import pytest
from psycopg.types import TypeInfo

from sqlfront.server import running
from tests.sqlfront.fake_front import fake_front

SETUP = "CREATE TABLE numbers AS SELECT i::INT AS i, 'n' || i AS name FROM range(5000) AS r(i)"
SLOW = "SELECT count(*) AS n FROM numbers a, numbers b, numbers c WHERE a.i * b.i > c.i"
VALUES = [
    ("bool", True),
    ("int4", -7),
    ("int8", 2**40),
    ("float8", 1.5e300),
    ("numeric", Decimal("12.500000000")),
    ("text", "hé 'quoted' \\ \n"),
    ("date", dt.date(2024, 2, 29)),
    ("timestamp", dt.datetime(2024, 2, 29, 1, 2, 3, 400)),
    ("timestamptz", dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.UTC)),
]


@pytest.fixture(scope="module")
def address():
    with running(fake_front(SETUP)) as address:
        yield address


@pytest.fixture
def connection(address):
    options = {"host": address.host, "port": address.port, "user": "ada", "dbname": "demo"}
    with psycopg.connect(**options, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(("type_name", "value"), VALUES)
def test_values_there_and_back(connection, type_name, value, binary):
    marker = "%b" if binary else "%t"
    with connection.cursor(binary=binary) as cursor:
        cursor.execute(f"SELECT {marker}::{type_name} AS x, NULL::{type_name} AS y", [value])
        assert cursor.fetchone() == (value, None)


@pytest.mark.parametrize("binary", [False, True])
def test_nested_and_other_types(connection, binary):
    sql = """
        SELECT [1, NULL, 3]::BIGINT[] AS a, ['x', 'a,"b'] AS b, interval '1 day 02:00:00' AS c,
            time '10:00:00.5' AS d, '\\x00ff'::BLOB AS e, 'infinity'::DOUBLE AS f,
            {'k': 1, 'v': 'a b'} AS g
    """
    row = connection.execute(sql, binary=binary).fetchone()
    assert row[:4] == (
        [1, None, 3],
        ["x", 'a,"b'],
        dt.timedelta(days=1, hours=2),
        dt.time(10, 0, 0, 500000),
    )
    assert row[5] == float("inf")
    assert [str(field) for field in row[6]] == ["1", "a b"]


def test_uuid_parameter(connection):
    value = uuid.UUID("01020304-0506-0708-090a-0b0c0d0e0f10")
    row = connection.execute("SELECT CAST(%s::uuid AS VARCHAR) AS x", [value]).fetchone()
    assert row == (str(value),)


@pytest.mark.parametrize("binary", [False, True])
def test_many_rows(connection, binary):
    rows = connection.execute("SELECT * FROM numbers ORDER BY i", binary=binary).fetchall()
    assert rows == [(i, f"n{i}") for i in range(5000)]


def test_automatic_preparation(connection):
    for number in range(8):
        row = connection.execute("SELECT %s::int AS x", [number], prepare=True).fetchone()
        assert row == (number,)
    connection.execute("DEALLOCATE ALL")


@pytest.mark.parametrize("binary", [False, True])
def test_server_side_cursor(connection, binary):
    with (
        connection.transaction(),
        connection.cursor("scan", binary=binary) as cursor,
    ):
        cursor.itersize = 70
        cursor.execute("SELECT i FROM numbers WHERE i < %s::int ORDER BY i", [500])
        assert cursor.description[0].name == "i"
        assert cursor.fetchone() == (0,)
        cursor.scroll(9)
        assert cursor.fetchmany(2) == [(10,), (11,)]
        assert [row[0] for row in cursor] == list(range(12, 500))


def test_stream(connection):
    with connection.cursor() as cursor:
        rows = list(cursor.stream("SELECT i FROM numbers ORDER BY i LIMIT 10"))
    assert rows == [(i,) for i in range(10)]


def test_pipeline_with_an_error_in_the_middle(connection):
    with connection.pipeline() as pipeline:
        good = connection.execute("SELECT 1 AS a")
        pipeline.sync()
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute("SELECT missing")
            pipeline.sync()
        after = connection.execute("SELECT %s::int AS a", [2])
        pipeline.sync()
        assert (good.fetchone(), after.fetchone()) == ((1,), (2,))


def test_error_then_recovery(connection):
    with pytest.raises(psycopg.errors.UndefinedColumn), connection.transaction():
        connection.execute("SELECT missing")
    assert connection.execute("SELECT 1 AS a").fetchone() == (1,)
    with connection.transaction():
        with pytest.raises(psycopg.errors.UndefinedColumn), connection.transaction():
            connection.execute("SELECT missing")
        assert connection.execute("SELECT 1 AS a").fetchone() == (1,)


def test_cancel(connection):
    timer = threading.Timer(0.3, connection.cancel_safe)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(SLOW)
    timer.join()
    assert connection.execute("SELECT 1 AS a").fetchone() == (1,)


def test_copy(connection):
    with connection.cursor() as cursor, cursor.copy("COPY numbers TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        rows = list(copy.rows())
    assert sorted(rows) == [(i, f"n{i}") for i in range(5000)]


def test_notices_and_parameter_status(connection):
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    connection.execute("COMMIT")
    assert notices == ["there is no transaction in progress"]
    connection.execute("SET TIME ZONE 'Europe/Berlin'")
    assert connection.info.timezone.key == "Europe/Berlin"


def test_type_look_up(connection):
    info = TypeInfo.fetch(connection, "float8")
    assert (info.oid, info.array_oid, info.regtype) == (701, 1022, "double precision")
