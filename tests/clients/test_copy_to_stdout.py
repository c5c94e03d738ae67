"""COPY TO STDOUT beside PostgreSQL 15, byte for byte, and by the clients that live on it."""

import asyncio
import io
import subprocess

import asyncpg
import psycopg
import pytest

from sqlfront.server import running
from tests.sqlfront.fake_front import fake_front

pytestmark = pytest.mark.clients

VALUES = """SELECT 1::int4 AS a, 'plain'::text AS b, 1.5::float8 AS c, DATE '2024-02-29' AS "D d", true AS e
UNION ALL SELECT 2, 'tab' || chr(9) || 'end', -0.1, DATE '0999-01-01', false
UNION ALL SELECT NULL, NULL, NULL, NULL, NULL
UNION ALL SELECT 4, 'line' || chr(10) || chr(13) || chr(8) || chr(12) || chr(11), 1e300, DATE '2000-01-01', NULL
UNION ALL SELECT 5, 'back' || chr(92) || 'slash, "quoted" ''too''|', 0, NULL, true
UNION ALL SELECT 6, '', NULL, NULL, true
UNION ALL SELECT 7, chr(92) || 'N', 3, NULL, true
UNION ALL SELECT 8, 'NA', 3, NULL, true
UNION ALL SELECT 9, 'zażółć ☃', 3, NULL, true
ORDER BY a"""
ENDS = "SELECT chr(92) || '.' AS dot"
NONE = "SELECT 1::int4 AS a WHERE false"
OPTIONS = [
    "",
    "BINARY",
    "CSV",
    "(HEADER)",
    "CSV HEADER",
    "DELIMITER '|'",
    "DELIMITER ','",
    "DELIMITER E'\\x01' NULL ''",
    "NULL 'NA'",
    "CSV NULL 'NA'",
    "CSV QUOTE ''''",
    "CSV ESCAPE E'\\\\'",
    "CSV DELIMITER E'\\t' QUOTE '|' ESCAPE '\"'",
    "CSV FORCE QUOTE *",
]
WRONG = [
    "(FORMAT json)",
    "(FORMAT csv, FORMAT csv)",
    "(nonsense)",
    "(HEADER match)",
    "(HEADER maybe)",
    "BINARY DELIMITER ','",
    "BINARY NULL 'x'",
    "BINARY HEADER",
    "DELIMITER 'ab'",
    "DELIMITER ''",
    "DELIMITER 'a'",
    "DELIMITER E'\\n'",
    "NULL E'a\\nb'",
    "NULL 'a\tb'",
    "QUOTE '\"'",
    "ESCAPE '\"'",
    "(FORCE_QUOTE *)",
    "CSV QUOTE ','",
    "CSV QUOTE 'ab'",
    "CSV NULL '\"'",
    "CSV FORCE QUOTE nope",
    "(FORMAT csv, FORCE_NULL (a))",
    "CSV CSV",
    "nonsense",
    "(FORMAT)",
    "(DELIMITER)",
    "(FORMAT csv, FORCE_QUOTE true)",
]


@pytest.fixture(scope="module")
def address():
    with running(
        fake_front("CREATE TABLE numbers AS SELECT i::INT AS i FROM range(50000) AS r(i)")
    ) as address:
        yield address


@pytest.fixture
def ours(address):
    options = {"host": address.host, "port": address.port, "user": "ada", "dbname": "demo"}
    with psycopg.connect(**options, autocommit=True) as connection:
        yield connection


@pytest.fixture
def theirs(postgres15):
    with postgres15.connect() as connection:
        yield connection


def copied(connection, sql):
    """Return the CopyData messages one by one."""
    with connection.cursor() as cursor, cursor.copy(sql) as copy:
        return [bytes(message) for message in copy]


def refused(connection, sql):
    with pytest.raises(psycopg.Error) as raised:
        copied(connection, sql)
    return raised.value.sqlstate


@pytest.mark.parametrize("options", OPTIONS)
def test_bytes_are_those_of_postgresql(ours, theirs, options):
    for query in (VALUES, ENDS, NONE):
        sql = f"COPY ({query}) TO STDOUT {options}"
        assert copied(ours, sql) == copied(theirs, sql)


@pytest.mark.parametrize("options", WRONG)
def test_errors_are_those_of_postgresql(ours, theirs, options):
    sql = f"COPY (SELECT 1 AS a) TO STDOUT {options}"
    assert refused(ours, sql) == refused(theirs, sql)


def test_cancel(ours):
    slow = "SELECT a.i FROM numbers a, numbers b WHERE a.i * b.i >= 0"
    with pytest.raises(psycopg.errors.QueryCanceled), ours.cursor().copy(f"COPY ({slow}) TO STDOUT") as copy:
        for at, _ in enumerate(copy):
            if at == 1000:
                ours.cancel_safe()
    assert ours.execute("SELECT 1 AS a").fetchone() == (1,)


def test_psql_copies_to_its_own_files(address):
    command = ["psql", "-XAt", "-h", address.host, "-p", str(address.port), "-U", "ada", "demo"]
    told = "\\copy (SELECT i FROM numbers WHERE i < 3 ORDER BY i) TO STDOUT WITH CSV HEADER"
    shown = subprocess.run([*command, "-c", told], capture_output=True, text=True, check=True)
    assert shown.stdout == "i\n0\n1\n2\n"


def test_asyncpg_copies_a_query(address):
    async def copied_rows():
        connection = await asyncpg.connect(host=address.host, port=address.port, user="ada", database="demo")
        try:
            target = io.BytesIO()
            status = await connection.copy_from_query(
                "SELECT i FROM numbers WHERE i < 3 ORDER BY i", output=target, format="csv"
            )
            return status, target.getvalue()
        finally:
            await connection.close()

    assert asyncio.run(copied_rows()) == ("COPY 3", b"0\n1\n2\n")
