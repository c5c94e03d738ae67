"""Values on the wire beside a real PostgreSQL 15: the same bytes for the same text, in both formats and directions."""

import duckdb
import psycopg
import pyarrow as pa
import pytest
from psycopg import pq
from sqlglot import exp

from sqlfront.literals import literal
from sqlfront.settings import Settings, arrow_zone
from sqlfront.sqlstate import SqlError
from sqlfront.trees import render
from sqlfront.wire.codec import encode_values
from sqlfront.wire.columns import Fixed, encode_column
from sqlfront.wire.parameters import ParameterError, decode_parameter
from sqlfront.wire.types import SCALARS, NamedType, named_type, parameter_type, pg_name, pg_oid
from sqlfront.wire.zones import in_zone
from sqlfront.zoned_times import with_zoned_times_as_text

pytestmark = pytest.mark.clients

DATES = [
    "2024-02-29",
    "0001-01-01",
    "9999-12-31",
    "12345-06-07",
    "0044-03-15 BC",
    "infinity",
    "-infinity",
    "20240229",
]
TIMES = ["2024-02-29 10:11:12.5", "1969-12-31 23:59:59.999999", "2024-01-01", "0044-03-15 10:00:00.25 BC"]
TIMES += ["12345-06-07 08:09:10", "infinity", "-infinity", "2024-12-31 24:00:00", "2024-01-01T10:00"]
VALUES = {
    "bool": ["t", "f", "true", "FALSE", "yes", "of", "on", "0", " tr "],
    "int2": ["0", "-32768", "32767", " 12 "],
    "int4": ["0", "-2147483648", "2147483647", "+5"],
    "int8": ["0", "-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295", "16384"],
    "float4": ["0", "-0", "0.1", "1e6", "1e-5", "3.4028235e38", "NaN", "Infinity", "-inf", "123456.78"],
    "float8": [
        "0",
        "-0",
        "0.1",
        "1e15",
        "1e-5",
        "123456789.25",
        "5e-324",
        "NaN",
        "Infinity",
        "-Infinity",
        ".5",
        "1e14",
    ],
    "text": ["", "a", "grün ☂", "a'b\\c\"", " b "],
    "varchar": ["", "ab c"],
    "name": ["pg_class", "x" * 70],
    "char": ["a", "", "abc"],
    "date": DATES,
    "time": ["00:00", "23:59:59.999999", "24:00:00", "01:02:03.5", "10:00 PM", "12:30 am", "12:00+02"],
    "timetz": [
        "00:00",
        "23:59:59.999999-08",
        "24:00:00+15:59",
        "01:02:03.5 +05:30",
        "10:00 pm",
        "12:00-00:00:30",
    ],
    "timestamp": TIMES,
    "timestamptz": [*TIMES, "2024-07-01 10:00:00+02", "2024-07-01 10:00:00-05:30", "2024-07-01 10:00:00Z"],
    "interval": [
        *(
            "1 year 2 mons 3 days 04:05:06.789",
            "-1 mons +2 days -00:00:01",
            "1 day",
            "24:00",
            "0",
            "P1Y2M3DT4H5M6S",
        ),
        *(
            "1-2 3 4:05:06",
            "2 hours ago",
            "@ 1 week",
            "1.5 days",
            "1.5 months",
            "-1 day 02:03:04",
            "10",
            "1 decade",
        ),
        *("PT1.5S", "P2W", "-1-2", "3 mons 1 hour 5 us"),
    ],
    "bytea": [r"\x", r"\xdeadBEEF", "abc", r"a\\b\000c"],
    "uuid": ["6f5b1b71-7e1f-4b0f-9551-c968202acced", "{6F5B1B717E1F4B0F9551C968202ACCED}"],
    "json": ['{"a": [1, 2.50, null]}', '"x"', " 1 "],
    "_int4": ["{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "{{{1},{2}}}", " { 1 , 2 } "],
    "_text": ['{a,"b c",NULL,"NULL","",\\"q}', '{"a,b","{}","q\\"\\\\"}', "{a b,c}"],
    "_float8": ["{1.5,NaN,-Infinity}"],
    "_date": ["{2024-01-01,infinity}"],
    "_timetz": ["{12:00+02,NULL}"],
    "_timestamptz": ['{"2024-07-01 10:00:00+02",NULL}'],
    "_bool": ["{t,f}"],
    "_uuid": ["{6f5b1b71-7e1f-4b0f-9551-c968202acced}"],
    "_interval": ['{"1 day","2 mons"}'],
    "_numeric": ["{1,2.5}"],
}
CASES = [(name, value) for name, values in VALUES.items() for value in values]
NUMERICS = ["0", "-1.50", "123456789012345678.123456789", "0.000001", "10000", "-0.00"]
WRONG = [
    *(
        ("int4", "x"),
        ("int4", "2147483648"),
        ("int2", "40000"),
        ("int8", ""),
        ("bool", "o"),
        ("bool", "maybe"),
    ),
    *(("float8", "1e400"), ("float8", "1_0"), ("date", "2024-13"), ("date", "soon"), ("timestamp", "x")),
    *(
        ("time", "25:00x"),
        ("time", "13:00 pm"),
        ("time", "12:61"),
        ("date", "2024-02-30"),
        ("timestamp", "2024-01-01 24:01"),
        ("timetz", "12:00+0x"),
        ("interval", "1 moon"),
        ("interval", ""),
        ("uuid", "x"),
        ("_int4", "{1"),
        ("_int4", "1"),
    ),
    *(("_int4", "{1,}"), ("_int4", "{{1},{2,3}}"), ("_int4", "{a}"), ("numeric", "1,5"), ("bytea", "a\\z")),
    *(("oid", "4294967296"), ("_text", "{a}b")),
]


@pytest.fixture(scope="module")
def postgres(postgres15):
    with postgres15.connect(options="-c timezone=UTC") as connection:
        yield connection


@pytest.fixture(scope="module")
def kept():
    """Return a value of a type as DuckDB keeps it: an Arrow array of one value."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")

    def run(value, kind):
        query = exp.select(exp.alias_(literal(value, kind), "value"))
        sendable = with_zoned_times_as_text(query, database.sql(render(query)).types)
        return database.sql(render(sendable)).to_arrow_table().column(0).chunk(0)

    yield run
    database.close()


def sent(postgres, sql, is_binary, *parameters):
    """Return the one value of PostgreSQL's answer as it comes over the wire."""
    values, oids, formats = zip(*parameters, strict=True) if parameters else ((), (), ())
    result = postgres.pgconn.exec_params(
        sql.encode(), list(values), list(oids), list(formats), pq.Format(int(is_binary))
    )
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise psycopg.errors.lookup(result.error_field(pq.DiagnosticField.SQLSTATE).decode())
    return result.get_value(0, 0)


def quoted(value):
    return "'" + value.replace("'", "''") + "'"


def spelled(name):
    """Return a type's name as SQL has it."""
    array = name.startswith("_")
    name = name.lstrip("_")
    return ('"char"' if name == "char" else name) + "[]" * array


def announced(name, value=""):
    if value.strip().startswith("{"):
        dimensions = len(value.replace(" ", "")) - len(value.replace(" ", "").lstrip("{"))
        kind = announced(name)
        for _ in range(dimensions - 1):
            kind = pa.list_(kind)
        return kind
    element = name.lstrip("_")
    if element in ("uuid", "json", "jsonb"):
        kind = NamedType(element, pa.string())
        return pa.list_(kind) if name.startswith("_") else kind
    return named_type(name)


def written(column):
    """Return the first value of an encoded column as bytes."""
    return bytes(column.values[:1].tobytes()) if isinstance(column, Fixed) else column[0].as_py()


@pytest.mark.parametrize("is_binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(("name", "value"), CASES)
def test_values_are_sent_as_postgresql_sends_them(postgres, kept, name, value, is_binary):
    expected = sent(postgres, f"SELECT {quoted(value)}::{spelled(name)}", is_binary)
    array = kept(decode_parameter(value.encode(), named_type(name), False), named_type(name))
    kind = announced(name, value)
    assert encode_values(array, kind, is_binary) == [expected]
    assert written(encode_column(array, kind, is_binary)) == expected


@pytest.mark.parametrize(("name", "value"), CASES)
def test_what_postgresql_sends_is_read(postgres, kept, name, value):
    kind = named_type(name)
    read = kept(decode_parameter(value.encode(), kind, False), kind)
    for is_binary in (False, True):
        raw = sent(postgres, f"SELECT {quoted(value)}::{spelled(name)}", is_binary)
        again = kept(decode_parameter(raw, kind, is_binary), kind)
        assert encode_values(again, announced(name, value), True) == encode_values(
            read, announced(name, value), True
        )


@pytest.mark.parametrize("value", NUMERICS)
def test_numerics_in_both_directions(postgres, kept, value):
    kind = parameter_type(1700)
    read = decode_parameter(value.encode(), kind, False)
    for is_binary in (False, True):
        expected = sent(postgres, f"SELECT {value}::numeric", is_binary)
        array = kept(read, kind)
        assert encode_values(array, array.type, is_binary) == [expected]
        assert written(encode_column(array, array.type, is_binary)) == expected
        assert decode_parameter(expected, kind, is_binary) == read


@pytest.mark.parametrize(
    ("ours", "sql"),
    [
        (
            pa.array(
                [{"a": 1, "b": "x y", "c": None}],
                pa.struct([("a", pa.int32()), ("b", pa.string()), ("c", pa.date32())]),
            ),
            "SELECT ROW(1::int4, 'x y'::text, NULL::date)",
        ),
        (
            pa.array([[{"a": 1, "b": True}]], pa.list_(pa.struct([("a", pa.int64()), ("b", pa.bool_())]))),
            "SELECT ARRAY[ROW(1::int8, true)]",
        ),
        (
            pa.array(
                [{"a": {"b": ['q"', ""]}}], pa.struct([("a", pa.struct([("b", pa.list_(pa.string()))]))])
            ),
            "SELECT ROW(ROW(ARRAY['q\"', '']))",
        ),
    ],
)
@pytest.mark.parametrize("is_binary", [False, True], ids=["text", "binary"])
def test_records(postgres, ours, sql, is_binary):
    assert encode_values(ours, ours.type, is_binary) == [sent(postgres, sql, is_binary)]


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Vienna", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe"]
)
@pytest.mark.parametrize(
    "value",
    [
        "2024-07-01 10:00:00.5+00",
        "2024-01-01 00:00:00+00",
        "1850-01-01 00:00:00+00",
        "infinity",
        "0001-01-01 00:00:00+00",
        "0044-03-15 10:00:00+00 BC",
    ],
)
def test_instants_are_shown_in_the_sessions_zone(postgres15, kept, zone, value):
    kind = in_zone(pa.timestamp("us", tz="UTC"), zone)
    array = kept(
        decode_parameter(value.encode(), named_type("timestamptz"), False), named_type("timestamptz")
    )
    with postgres15.connect(options=f"-c timezone={zone}") as connection:
        for is_binary in (False, True):
            expected = sent(connection, f"SELECT '{value}'::timestamptz", is_binary)
            assert encode_values(array, kind, is_binary) == [expected]
            assert written(encode_column(array, kind, is_binary)) == expected


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_no_value_has_postgresqls_sqlstate(postgres, name, value):
    with pytest.raises(ParameterError) as ours:
        decode_parameter(value.encode(), named_type(name), False)
    with pytest.raises(psycopg.Error) as theirs:
        sent(postgres, f"SELECT {quoted(value)}::{spelled(name)}", False)
    assert ours.value.sqlstate == theirs.value.sqlstate


@pytest.mark.parametrize(
    "zone",
    [
        "europe/vienna",
        "UTC",
        "-5.5",
        "2",
        "+2",
        "GMT-02:00",
        "UTC+3",
        "<+02>-02",
        "EST5EDT",
        "No/Where",
        "999",
    ],
)
def test_time_zones_are_named_and_counted_as_in_postgresql(postgres15, zone):
    instant = pa.array([1_720_000_000_000_000], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    with postgres15.connect() as connection:
        try:
            connection.execute(f"SET TimeZone = '{zone}'")
        except psycopg.errors.InvalidParameterValue:
            with pytest.raises(SqlError):
                Settings().with_value("TimeZone", zone)
            return
        shown = connection.execute("SHOW TimeZone").fetchone()[0]
        expected = sent(connection, "SELECT timestamptz 'epoch' + interval '1720000000 s'", False)
    ours = Settings().with_value("TimeZone", zone).show("TimeZone")
    assert ours == shown
    assert encode_values(instant, in_zone(instant.type, arrow_zone(ours)), False) == [expected]


def test_names_and_oids_of_types(postgres):
    rows = postgres.execute(
        "SELECT typname, oid, typlen, typcategory, typarray, format_type(oid, NULL) FROM pg_type"
    )
    theirs = {name: rest for name, *rest in rows}
    for ours in SCALARS:
        assert [ours.oid, ours.size, ours.category, ours.array, ours.display] == theirs[ours.name]
        assert not ours.array or theirs[f"_{ours.name}"][0] == ours.array
    for name in VALUES:
        assert pg_oid(named_type(name)) == theirs[name][0]
        assert pg_name(named_type(name)) == name
