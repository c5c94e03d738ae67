"""Columns of objects over a socket: types with a name, whose fields clients find in the catalogs."""

import asyncio
import json

import asyncpg
import psycopg
import pyarrow as pa
import pytest
from psycopg.types.composite import CompositeInfo, register_composite

from engine import flow
from engine.definitions.model import Definitions
from engine.world import Home
from sqlfront.catalog import Kind, Relation, RelationColumn, Relations, named, numbered
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.server import running
from sqlfront.wire.types import CompositeType, kept_type, pg_name, pg_oid
from sqlfront.wire.zones import in_zone

SCREEN = {"type": "object", "fields": {"w": "integer", "at": "timestamp"}}
FIELDS = {
    "ts": "timestamp",
    "who": "string",
    "device": {"type": "object", "fields": {"kind": "string", "screen": SCREEN}},
    "items": {"type": "array", "fields": {"sku": "string", "price": "double"}},
    "gifts": {"type": "array", "fields": {"sku": "string", "price": "double"}},
}
ROWS = (
    {
        "ts": "2024-01-01T10:00:00Z",
        "who": "ada",
        "device": {"kind": 'big, "blue"', "screen": {"w": 3, "at": "2024-01-01T10:00:00Z"}},
        "items": [{"sku": "hat", "price": 1.5}, {"sku": "cap, red", "price": None}],
        "gifts": [],
    },
    {"ts": "2024-01-02T10:00:00Z", "who": "bob", "device": {"kind": None, "screen": None}},
    {"ts": "2024-01-03T10:00:00Z", "who": "cyd"},
)
TYPES = ("hits_device_screen", "hits_device", "hits_items", "hits_gifts")
THEIRS = """
    CREATE TYPE hits_device_screen AS (w int, at timestamptz);
    CREATE TYPE hits_device AS (kind text, screen hits_device_screen);
    CREATE TYPE hits_items AS (sku text, price float8);
    CREATE TYPE hits_gifts AS (sku text, price float8);
    CREATE TABLE hits (ts timestamptz, who text, device hits_device, items hits_items[], gifts hits_gifts[]);
    INSERT INTO hits VALUES ('2024-01-01 10:00Z', 'ada',
            ('big, "blue"', (3, '2024-01-01 10:00Z')), ARRAY[('hat', 1.5), ('cap, red', NULL)]::hits_items[], '{}'),
        ('2024-01-02 10:00Z', 'bob', (NULL, NULL), NULL, NULL), ('2024-01-03 10:00Z', 'cyd', NULL, NULL, NULL)
"""
SAID = """
    SELECT attname, format_type(atttypid, atttypmod), attndims, attnum FROM pg_attribute
        WHERE attrelid = 'hits'::regclass AND attname IN ('device', 'items', 'gifts') ORDER BY attname;
    SELECT attname, format_type(atttypid, atttypmod), attnum FROM pg_attribute
        WHERE attrelid = 'hits_device'::regclass AND attnum > 0 ORDER BY attnum;
    SELECT t.typname, t.typtype, t.typcategory, t.typlen, c.relkind, a.typname, a.typtype, a.typcategory,
        a.typelem = t.oid, a.typarray, t.typarray::regtype::text, c.reltype = t.oid
        FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid JOIN pg_type a ON a.oid = t.typarray
        WHERE t.typname LIKE 'hits%' ORDER BY 1;
    SELECT column_name, data_type, udt_schema, udt_name FROM information_schema.columns
        WHERE table_name = 'hits' AND column_name IN ('device', 'items') ORDER BY 1;
    SELECT table_name, table_type FROM information_schema.tables WHERE table_name LIKE 'hits%';
    SELECT udt_name, attribute_name, ordinal_position, data_type, attribute_udt_name
        FROM information_schema.attributes WHERE udt_schema = 'public' ORDER BY 1, 3;
    SELECT user_defined_type_name FROM information_schema.user_defined_types
        WHERE user_defined_type_schema = 'public' ORDER BY 1;
    SELECT device, items, gifts FROM hits ORDER BY ts;
    SELECT items[1:1], gifts[1:1] FROM hits ORDER BY ts;
    SELECT 'hits_items'::regtype::text, '_hits_items'::regtype::text, 'public.hits_items'::regtype::text;
    SELECT (device).kind, ((device).screen).w, ((items[1:1])[1]).sku, cardinality(items) FROM hits ORDER BY ts
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    definitions = {
        "datasets": {"hits": {"timestamp": "ts", "fields": FIELDS}},
        "connections": {"all": {"datasets": {"hits": {"person_id": "who"}}}},
    }
    home = Home.create(folder / "home")
    flow.apply(home, Definitions.model_validate(definitions))
    (folder / "hits.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    flow.ingest(home, "hits", [folder / "hits.jsonl"])
    with running(open_front(home, OwnersGate())) as found:
        yield found
    home.close()


@pytest.fixture
def connection(address):
    with connected(address) as found:
        yield found


def connected(address):
    dsn = f"host={address.host} port={address.port} user=ada dbname=hits sslmode=disable"
    return psycopg.connect(dsn, autocommit=True)


def type_names(connection, sql):
    """Return what the client is told of each column, by the name of its type in the catalogs."""
    oids = [column.type_code for column in connection.execute(sql).description]
    return [connection.execute("SELECT format_type(%s, -1)", [oid]).fetchone()[0] for oid in oids]


def registered(connection):
    for name in TYPES:
        register_composite(CompositeInfo.fetch(connection, name), connection)
    return connection


def test_psycopg_reads_fields_by_name(connection):
    registered(connection)
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        device, items = cursor.execute("SELECT device, items FROM hits ORDER BY ts LIMIT 1").fetchone()
        assert (device.kind, device.screen.w, [item.sku for item in items]) == (
            'big, "blue"',
            3,
            ["hat", "cap, red"],
        )


def test_asyncpg_reads_fields_by_name(address):
    async def rows():
        connection = await asyncpg.connect(
            host=address.host, port=address.port, user="ada", database="hits", ssl=False
        )
        try:
            return await connection.fetch("SELECT device, items, hits FROM hits ORDER BY ts")
        finally:
            await connection.close()

    first, second, third = asyncio.run(rows())
    assert first["device"]["screen"]["w"] == 3
    assert first["hits"]["items"][0]["sku"] == "hat"
    assert dict(second["device"]) == {"kind": None, "screen": None}
    assert third["device"] is None


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT device, items, gifts FROM hits", ["hits_device", "hits_items[]", "hits_gifts[]"]),
        ("SELECT gifts[1] AS gifts, hits FROM hits", ["hits_gifts", "hits"]),
        ("SELECT (device).screen FROM hits", ["hits_device_screen"]),
        ("WITH h AS (SELECT max(device) AS d FROM hits) SELECT d FROM h", ["hits_device"]),
        ("SELECT row(1, 'a') FROM hits", ["record"]),
        ("SELECT row(device, 1) FROM hits", ["record"]),
        ("SELECT row(1, 'a')", ["record"]),
        ("SELECT who FROM hits", ["text"]),
    ],
)
def test_what_a_column_is_told_as(connection, sql, expected):
    assert type_names(connection, sql) == expected


def test_columns_of_temporary_tables_have_types_of_their_own(connection):
    connection.execute("CREATE TEMP TABLE kept AS SELECT device, items AS bought FROM hits")
    assert type_names(connection, "SELECT * FROM kept") == ["kept_device", "kept_bought[]"]
    info = CompositeInfo.fetch(connection, "kept_device")
    assert info.field_names == ("kind", "screen")


@pytest.mark.clients
def test_values_and_catalogs_are_as_in_postgresql(connection, postgres15):
    with postgres15.connect() as theirs, theirs.transaction(force_rollback=True):
        theirs.execute(THEIRS)
        theirs.execute("SET LOCAL TimeZone = 'UTC'")
        registered(theirs), registered(connection)
        for statement in SAID.split(";"):
            for binary in (False, True):
                ours = connection.cursor(binary=binary).execute(statement).fetchall()
                assert ours == theirs.cursor(binary=binary).execute(statement).fetchall(), statement


POINT = pa.struct([("x", pa.int32()), ("y", pa.int32())])
SHAPES = Relations(
    1,
    (
        Relation(
            "a", Kind.TABLE, (RelationColumn("b_c", POINT), RelationColumn("b", pa.struct([("c", POINT)])))
        ),
        Relation("a_b", Kind.TABLE, (RelationColumn("c", pa.int32()),)),
    ),
)


def test_types_of_one_name_are_told_apart():
    found = {each.row.name: each.path for each in numbered(SHAPES)}
    assert found == {"a": (), "a_b_c": ("b_c",), "a_b_": ("b",), "a_b_c_": ("b", "c"), "a_b": ()}
    numbers = [number for each in numbered(SHAPES) for number in (each.oid, each.row.oid, each.row.array)]
    assert len(set(numbers)) == len(numbers)


def test_a_struct_is_named_only_if_all_its_fields_fit():
    known = numbered(SHAPES)
    assert named(POINT, "b_c", known).name == "a_b_c"
    assert named(POINT, "c", known).name == "a_b_c_"
    assert named(pa.list_(POINT), "d", known).value_type.name == "a_b_c"
    for other in (
        [("x", pa.int32())],
        [("x", pa.int64()), ("y", pa.int32())],
        [("y", pa.int32()), ("x", pa.int32())],
    ):
        assert named(pa.struct(other), "b_c", known) == pa.struct(other)
    assert named(pa.int32(), "c", known) == pa.int32()


def test_a_composite_type_keeps_its_number_whatever_holds_its_values():
    kind = CompositeType("a_b", 7, 8, pa.struct([("at", pa.timestamp("us", tz="UTC"))]))
    assert (pg_name(kind), pg_oid(kind), pg_oid(pa.list_(kind)), pg_oid(pa.list_(pa.list_(kind)))) == (
        "record",
        7,
        8,
        8,
    )
    zoned = in_zone(kind, "Europe/Vienna")
    assert (zoned.oid, zoned.storage_type.field("at").type.tz) == (7, "Europe/Vienna")
    assert kept_type(pa.list_(kind)) == pa.list_(kind.storage_type)
    assert CompositeType.__arrow_ext_deserialize__(kind.storage_type, kind.__arrow_ext_serialize__()) == kind
