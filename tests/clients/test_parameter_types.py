"""Values of each type through psycopg and asyncpg and back, in both formats, from a home."""

import asyncio
import datetime as dt
import uuid
from decimal import Decimal

import asyncpg
import psycopg
import pytest
from psycopg.types.json import Jsonb

from engine.world import Home
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.server import running

ID = uuid.UUID("6f5b1b71-7e1f-4b0f-9551-c968202acced")
NOON = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)
VALUES = {
    "uuid": ID,
    "uuid[]": [ID, None],
    "int[]": [1, None, -3],
    "text[]": ["a", 'b "c', None, "NULL"],
    "bytea": b"\x00\xff",
    "numeric": Decimal("12345678901234567890.125"),
    "numeric(10,2)": Decimal("1.50"),
    "date": dt.date(2024, 2, 29),
    "time": dt.time(23, 59, 59, 999999),
    "timestamp": dt.datetime(1969, 12, 31, 23, 59, 59, 1),
    "timestamptz": NOON,
    "interval": dt.timedelta(days=3, hours=4, microseconds=5),
    "bool": True,
    "smallint": -5,
    "bigint": 2**40,
    "real": 0.5,
    "float8": 0.1,
    "name": "pg_class",
    "varchar": "grün ☂",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    home = Home.create(tmp_path_factory.mktemp("types") / "home")
    with running(open_front(home, OwnersGate())) as found:
        yield found
    home.close()


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("is_binary", [False, True], ids=["text", "binary"])
def test_psycopg(address, kind, is_binary):
    placeholder = "%b" if is_binary else "%t"
    with psycopg.connect(f"host={address.host} port={address.port} user=ada sslmode=disable") as connection:
        cursor = connection.cursor(binary=is_binary)
        cursor.execute(f"SELECT {placeholder}::{kind}, NULL::{kind}", [VALUES[kind]])
        assert cursor.fetchone() == (VALUES[kind], None)


def test_json_in_psycopg(address):
    with psycopg.connect(f"host={address.host} port={address.port} user=ada sslmode=disable") as connection:
        for is_binary in (False, True):
            cursor = connection.cursor(binary=is_binary)
            assert cursor.execute("SELECT %s::jsonb", [Jsonb({"a": [1]})]).fetchone() == ({"a": [1]},)


def test_asyncpg(address):
    async def values():
        connection = await asyncpg.connect(
            host=address.host, port=address.port, user="ada", database="demo", ssl=False
        )
        try:
            return {
                kind: await connection.fetchval(f"SELECT $1::{kind}", value)
                for kind, value in [*VALUES.items(), ("json", '{"a": 1}'), ("int[]", [1, 2])]
            }
        finally:
            await connection.close()

    found = asyncio.run(values())
    assert {kind: found[kind] for kind in VALUES if kind != "int[]"} == {
        kind: value for kind, value in VALUES.items() if kind != "int[]"
    }
    assert (found["json"], found["int[]"]) == ('{"a": 1}', [1, 2])


def test_text_of_instants_is_in_the_sessions_zone_and_binary_is_not(address):
    options = "-c timezone=Europe/Vienna"
    with psycopg.connect(
        f"host={address.host} port={address.port} user=ada sslmode=disable", options=options
    ) as connection:
        raw = connection.pgconn.exec_(b"SELECT '2024-07-01 12:00:00+00'::timestamptz, NULL::timestamptz")
        assert raw.get_value(0, 0) == b"2024-07-01 14:00:00+02"
        cursor = connection.cursor(binary=True)
        assert cursor.execute("SELECT '2024-07-01 12:00:00+00'::timestamptz").fetchone() == (NOON,)
