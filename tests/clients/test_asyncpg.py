"""asyncpg against a running server: prepared statements, introspection, cursors, cancel, reset."""

import asyncio
import datetime as dt
from decimal import Decimal

import asyncpg
import pytest

from sqlfront.server import running
from tests.sqlfront.fake_front import fake_front

SETUP = "CREATE TABLE numbers AS SELECT i::INT AS i FROM range(5000) AS r(i)"
SLOW = "SELECT count(*) AS n FROM numbers a, numbers b, numbers c WHERE a.i * b.i > c.i"


@pytest.fixture(scope="module")
def address():
    with running(fake_front(SETUP)) as address:
        yield address


def run(address, test):
    async def main():
        connection = await asyncpg.connect(host=address.host, port=address.port, user="ada", database="demo")
        try:
            return await asyncio.wait_for(test(connection), 30)
        finally:
            await connection.close(timeout=5)

    return asyncio.run(main())


def test_values_and_prepared_statements(address):
    async def test(connection):
        sql = """
            SELECT $1::int AS a, $2::text AS b, $3::timestamptz AS c, $4::numeric AS d,
                $5::bool AS e
        """
        moment = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
        statement = await connection.prepare(sql)
        rows = [await statement.fetchrow(n, "x", moment, Decimal("1.5"), None) for n in range(3)]
        return [tuple(row) for row in rows], [each.name for each in statement.get_parameters()]

    rows, parameters = run(address, test)
    moment = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert rows == [(n, "x", moment, Decimal("1.5"), None) for n in range(3)]
    assert parameters == ["int4", "text", "timestamptz", "numeric", "bool"]


def test_introspection_of_arrays_and_records(address):
    async def test(connection):
        row = await connection.fetchrow("SELECT ['a', NULL] AS a, {'x': 1, 'y': 'z'} AS r")
        await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str, format="text")
        return row["a"], tuple(row["r"])

    assert run(address, test) == (["a", None], (1, "z"))


def test_cursor(address):
    async def test(connection):
        async with connection.transaction():
            cursor = await connection.cursor("SELECT i FROM numbers WHERE i < $1::int ORDER BY i", 250)
            first = await cursor.fetch(10)
            await cursor.forward(5)
            rest = [record["i"] async for record in _rows(cursor)]
        return [record["i"] for record in first], rest

    first, rest = run(address, test)
    assert first == list(range(10))
    assert rest == list(range(15, 250))


async def _rows(cursor):
    while rows := await cursor.fetch(60):
        for row in rows:
            yield row


def test_cancel_by_timeout_then_goes_on(address):
    async def test(connection):
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetchval(SLOW, timeout=0.3)
        return await connection.fetchval("SELECT 1 AS a")

    assert run(address, test) == 1


def test_error_in_transaction_and_reset(address):
    async def test(connection):
        with pytest.raises(asyncpg.UndefinedColumnError):
            async with connection.transaction():
                await connection.fetch("SELECT missing")
        await connection.execute("SET my.thing = '1'")
        await connection.reset()
        with pytest.raises(asyncpg.UndefinedObjectError):
            await connection.fetchval("SHOW my.thing")
        return connection.get_server_version()[:2]

    assert run(address, test) == (15, 0)
