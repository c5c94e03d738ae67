"""Values on the wire: psycopg reads what we write, and the two encoders agree on every batch."""

import datetime as dt
import math
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import adapters
from psycopg.adapt import PyFormat, Transformer

from engine.errors import UnsupportedError
from sqlfront.wire import compiled, datarow, scatter
from sqlfront.wire.codec import encode_values
from sqlfront.wire.parameters import ParameterError, decode_parameter
from sqlfront.wire.types import (
    BY_NAME,
    BY_OID,
    ELEMENT_OF,
    NamedType,
    parameter_type,
    pg_modifier,
    pg_name,
    pg_oid,
)
from tests.sqlfront.wire_client import received

UTC = dt.UTC
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
EDGES = st.sampled_from([0.0, -0.0, 1e15, 1e14, 1e-4, 9.999e-5, 1e10, 1e6, math.inf, -math.inf])
SCALARS = {
    pa.bool_(): st.booleans(),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False) | EDGES,
    pa.decimal128(20, 8): st.decimals(-(10**11), 10**11, places=8),
    pa.decimal128(38, 0): st.integers(-(10**37), 10**37).map(Decimal),
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.binary(): st.binary(max_size=5),
    pa.date32(): st.dates(),
    pa.time64("us"): st.times(),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("us", tz="UTC"): st.datetimes(timezones=st.just(UTC)),
    pa.duration("us"): st.timedeltas(dt.timedelta(days=-999), dt.timedelta(days=999)),
    pa.uuid(): st.uuids().map(lambda value: value.bytes),
}
TYPES = st.sampled_from(list(SCALARS))


@st.composite
def columns(draw, rows):
    arrow_type = draw(TYPES)
    values = SCALARS[arrow_type]
    if draw(st.booleans()):
        values = values | st.none()
    array = pa.array(
        draw(st.lists(values, min_size=rows, max_size=rows)),
        arrow_type.storage_type if arrow_type == pa.uuid() else arrow_type,
    )
    if draw(st.booleans()) and not pa.types.is_duration(arrow_type):
        array = array.dictionary_encode()
    if arrow_type == pa.uuid() and not pa.types.is_dictionary(array.type):
        array = pa.ExtensionArray.from_storage(arrow_type, array)
    return array, arrow_type


@st.composite
def batches(draw):
    rows = draw(st.integers(1, 5))
    drawn = draw(st.lists(columns(rows), min_size=1, max_size=4))
    arrays = [array for array, _ in drawn]
    batch = pa.RecordBatch.from_arrays(arrays, [f"c{at}" for at in range(len(arrays))])
    start = draw(st.integers(0, rows - 1))
    formats = draw(st.lists(st.booleans(), min_size=len(drawn), max_size=len(drawn)))
    return batch.slice(start), [arrow_type for _, arrow_type in drawn], formats


@settings(max_examples=150, deadline=None)
@given(batches())
def test_column_by_column_equals_row_by_row(drawn):
    batch, types, formats = drawn
    expected = datarow.row_by_row(batch, types, formats)
    assert datarow.column_by_column(batch, types, formats) == expected
    assert bytes(scatter.data_rows(batch, types, formats, datarow.DATA_ROW)) == expected


DECIMALS = st.integers(0, 8).flatmap(lambda k: st.integers(-(10**16), 10**16).map(lambda m: m / 10**k))
SHORT = st.floats(-1e7, 1e7).flatmap(lambda x: st.integers(0, 7).map(lambda k: round(x, k)))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.none() | DECIMALS | SHORT | st.floats() | EDGES, min_size=1, max_size=30))
def test_compiled_floats_are_the_shortest_that_read_back(values):
    array = pa.array(values, pa.float64())
    expected = encode_values(array, pa.float64(), False)
    assert texts_of(array, pa.float64()) == expected


@settings(max_examples=300, deadline=None)
@given(st.lists(st.none() | st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999), min_size=1))
def test_compiled_times_of_four_digit_years(micros):
    moments = pa.array(micros, pa.timestamp("us"))
    assert texts_of(moments, moments.type) == encode_values(moments, moments.type, False)
    days = pa.array([None if m is None else m // 86_400_000_000 for m in micros], pa.int32()).cast(
        pa.date32()
    )
    assert texts_of(days, days.type) == encode_values(days, days.type, False)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "+02:00"]),
    st.lists(st.none() | st.integers(0, 4 * 10**15), min_size=1, max_size=8),
)
def test_compiled_instants_show_the_zone(zone, micros):
    array = pa.array(micros, pa.timestamp("us", "UTC"))
    expected = encode_values(array, pa.timestamp("us", zone), False)
    assert texts_of(array, pa.timestamp("us", zone)) == expected


@pytest.mark.parametrize("days", [-719_163, 2_932_897, -(2**31), 2**31 - 1])
def test_compiled_dates_leave_other_years_to_the_codec(days):
    array = pa.array([0, days, None], pa.int32()).cast(pa.date32())
    assert texts_of(array, array.type) == encode_values(array, array.type, False)


def texts_of(array, arrow_type):
    batch = pa.RecordBatch.from_arrays([array], ["x"])
    messages = received(bytes(scatter.data_rows(batch, [arrow_type], [False], b"D")))
    assert len(messages) == len(array)
    assert all(tag == "D" for tag, _ in messages)
    lengths = [int.from_bytes(body[2:6], "big", signed=True) for _, body in messages]
    return [
        None if length < 0 else body[6 : 6 + length]
        for length, (_, body) in zip(lengths, messages, strict=True)
    ]


@pytest.mark.parametrize("start", [0, 1, 7, 8, 13])
@pytest.mark.parametrize("is_binary", [False, True])
def test_which_values_are_null_is_read_from_the_right_bit(start, is_binary):
    numbers = [None if at % 3 == 0 or at % 7 == 2 else at for at in range(40)]
    types = [pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_(), pa.string()]
    types += [pa.date32(), pa.timestamp("us")]
    arrays = [pa.array(numbers).cast(kind if kind != pa.date32() else pa.int32()) for kind in types]
    arrays[-2] = arrays[-2].cast(pa.date32())
    batch = pa.RecordBatch.from_arrays(arrays, [str(kind) for kind in types]).slice(start, 21)
    formats = [is_binary] * len(types)
    expected = datarow.row_by_row(batch, types, formats)
    assert bytes(scatter.data_rows(batch, types, formats, b"D")) == expected
    assert datarow.column_by_column(batch, types, formats) == expected


@pytest.mark.parametrize("is_binary", [False, True])
def test_what_lies_in_memory_where_null_is_does_not_matter(is_binary):
    """An impossible year, say: nobody is kept from the fast way by it, and nobody sees it."""
    valid, days = pa.array([True, False, True]).buffers()[1], pa.array([0, 2**31 - 1, 3], pa.int32())
    array = pa.Array.from_buffers(pa.date32(), 3, [valid, days.buffers()[1]])
    batch = pa.RecordBatch.from_arrays([array], ["day"])
    expected = datarow.row_by_row(batch, [array.type], [is_binary])
    assert bytes(scatter.data_rows(batch, [array.type], [is_binary], b"D")) == expected


@pytest.mark.parametrize("is_binary", [False, True])
def test_all_ways_to_write_many_rows_agree(is_binary):
    """Beyond the few rows that are written one by one; the compiled way is the one that is taken."""
    numbers = pa.array([None if i % 7 == 0 else i * 1001 - 50_000 for i in range(1000)], pa.int64())
    batch = pa.RecordBatch.from_arrays(
        [
            numbers,
            numbers.cast(pa.float64()),
            numbers.cast(pa.string()),
            numbers.cast(pa.timestamp("s")).cast(pa.timestamp("us")),
        ],
        list("abcd"),
    ).slice(3, 900)
    types, formats = batch.schema.types, [is_binary] * 4
    compiled.load()
    taken = datarow.data_rows(batch, types, formats)
    assert bytes(taken) == datarow.row_by_row(batch, types, formats)
    assert bytes(taken) == datarow.column_by_column(batch, types, formats)


def load(raw, arrow_type, is_binary):
    loader = Transformer(adapters).get_loader(pg_oid(arrow_type), int(is_binary))
    return loader.load(raw)


def expected_of(value, arrow_type):
    return uuid.UUID(bytes=value) if arrow_type == pa.uuid() else value


def rounded(value, arrow_type):
    return pa.scalar(value, pa.float32()).as_py() if arrow_type == pa.float32() else value


@settings(max_examples=200, deadline=None)
@given(TYPES.flatmap(lambda t: st.tuples(st.just(t), SCALARS[t])), st.booleans())
def test_psycopg_reads_back_every_scalar(pair, is_binary):
    arrow_type, value = pair
    storage = arrow_type.storage_type if arrow_type == pa.uuid() else arrow_type
    (raw,) = encode_values(pa.array([value], storage), arrow_type, is_binary)
    loaded = load(raw, arrow_type, is_binary)
    assert rounded(loaded, arrow_type) == expected_of(value, arrow_type)


LISTS = {pa.int64(), pa.string(), pa.float64(), pa.bool_(), pa.date32(), pa.decimal128(20, 8)}


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted(LISTS, key=str)).flatmap(
        lambda t: st.tuples(st.just(t), st.lists(st.none() | SCALARS[t], max_size=4))
    ),
    st.booleans(),
)
def test_psycopg_reads_back_arrays(pair, is_binary):
    element, values = pair
    arrow_type = pa.list_(element)
    array = pa.array([[], None, values], arrow_type)[1:]
    none, raw = encode_values(array, arrow_type, is_binary)
    assert none is None
    assert load(raw, arrow_type, is_binary) == values


NOT_SENT = (pa.uuid(), pa.float32(), pa.binary())
PARAMETERS = st.one_of(
    *(SCALARS[t].map(lambda v, t=t: (t, v)) for t in SCALARS if t not in NOT_SENT),
    st.uuids().map(lambda v: (pa.uuid(), v)),
    st.lists(st.none() | st.integers(-9, 9), max_size=3).map(lambda v: (pa.list_(pa.int64()), v)),
    st.lists(st.none() | TEXT, max_size=3).map(lambda v: (pa.list_(pa.string()), v)),
)


@settings(max_examples=300, deadline=None)
@given(PARAMETERS, st.sampled_from([PyFormat.TEXT, PyFormat.BINARY]))
def test_parameters_of_psycopg_arrive(pair, form):
    arrow_type, value = pair
    transformer = Transformer(adapters)
    dumper = transformer.get_dumper(value, form)
    raw = bytes(dumper.dump(value))
    declared = parameter_type(dumper.oid)
    is_binary = dumper.format == 1
    if is_binary and declared is not None:
        arrow_type = declared
    assert decode_parameter(raw, arrow_type, is_binary) == as_interval(value)


def as_interval(value):
    if not isinstance(value, dt.timedelta):
        return value
    rest = value - dt.timedelta(days=value.days)
    return pa.MonthDayNano([0, value.days, rest // dt.timedelta(microseconds=1) * 1000])


def text_of(value, arrow_type):
    (raw,) = encode_values(pa.array([value], arrow_type), arrow_type, False)
    return raw.decode()


@pytest.mark.parametrize(
    ("value", "arrow_type", "expected"),
    [
        (1e15, pa.float64(), "1e+15"),
        (1e14, pa.float64(), "100000000000000"),
        (999999999999999.9, pa.float64(), "999999999999999.9"),
        (1e-5, pa.float64(), "1e-05"),
        (1e20, pa.float64(), "1e+20"),
        (-0.0, pa.float64(), "-0"),
        (5e-324, pa.float64(), "5e-324"),
        (math.nan, pa.float64(), "NaN"),
        (-math.inf, pa.float64(), "-Infinity"),
        (100000, pa.float32(), "100000"),
        (1e6, pa.float32(), "1e+06"),
        (1234567, pa.float32(), "1.234567e+06"),
        (12345678, pa.float32(), "1.2345678e+07"),
        (0.1, pa.float32(), "0.1"),
        (Decimal("0.00000001"), pa.decimal128(20, 8), "0.00000001"),
        (True, pa.bool_(), "t"),
        (b"\x00\xff", pa.binary(), "\\x00ff"),
        (-719528 + 44 * 365, pa.int32(), "-703468"),
        ([["a"], None], pa.list_(pa.list_(pa.string())), "{{a},NULL}"),
        (
            ["", "a,b", 'q"\\', "null", None],
            pa.list_(pa.string()),
            '{"","a,b","q\\"\\\\","null",NULL}',
        ),
        ({"x": 1, "y": None, "z": "a b"}, None, '(1,,"a b")'),
        ([("k", 1)], pa.map_(pa.string(), pa.int64()), '{"(k,1)"}'),
    ],
)
def test_text_is_postgresqls(value, arrow_type, expected):
    struct = pa.struct([("x", pa.int64()), ("y", pa.string()), ("z", pa.string())])
    assert text_of(value, arrow_type or struct) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, "1970-01-01"),
        (-735_160, "0044-03-15 BC"),
        (2**31 - 1, "infinity"),
        (-(2**31) + 1, "-infinity"),
    ],
)
def test_dates_beyond_pythons(days, expected):
    array = pa.array([days] * 50, pa.int32()).cast(pa.date32())
    batch = pa.RecordBatch.from_arrays([array], ["d"])
    assert encode_values(array, pa.date32(), False) == [expected.encode()] * 50
    assert expected.encode() in bytes(datarow.data_rows(batch, [pa.date32()], [False]))


@pytest.mark.parametrize(
    ("micros", "expected"),
    [
        (1, "1970-01-01 00:00:00.000001+00"),
        (1_500_000, "1970-01-01 00:00:01.5+00"),
        (-735_160 * 86_400_000_000 + 36_000_000_000, "0044-03-15 10:00:00+00 BC"),
        (327_403_418_400_000_000, "12345-01-01 10:00:00+00"),
        (2**63 - 1, "infinity"),
        (-(2**63) + 1, "-infinity"),
    ],
)
def test_timestamps_beyond_pythons(micros, expected):
    kind = pa.timestamp("us", tz="UTC")
    array = pa.array([micros, None], pa.int64()).cast(kind)
    assert encode_values(array, kind, False) == [expected.encode(), None]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((14, 3, 14_706_700_000_000), "1 year 2 mons 3 days 04:05:06.7"),
        ((0, -1, 7_200_000_000_000), "-1 days +02:00:00"),
        ((0, 0, 0), "00:00:00"),
        ((0, 0, -1_500_000_000), "-00:00:01.5"),
        ((-1, 2, 0), "-1 mons +2 days"),
    ],
)
def test_intervals(parts, expected):
    kind = pa.month_day_nano_interval()
    assert text_of(pa.MonthDayNano(parts), kind) == expected


@pytest.mark.parametrize(
    ("raw", "arrow_type", "expected"),
    [
        (b"2024-01-01 +00", pa.date32(), dt.date(2024, 1, 1)),
        (b"2024-01-01 10:00:00+02", pa.timestamp("us"), dt.datetime(2024, 1, 1, 10)),
        (
            b"2024-01-01 10:00:00.25+02:30",
            pa.timestamp("us", tz="UTC"),
            dt.datetime(2024, 1, 1, 7, 30, 0, 250000, UTC),
        ),
        (b"2024-01-01", pa.timestamp("us"), dt.datetime(2024, 1, 1)),
        (b"on", pa.bool_(), True),
        (b"\\x00ff", pa.binary(), b"\x00\xff"),
        (rb"a\\000\001", pa.binary(), b"a\\000\x01"),
        (b" 12 ", pa.int16(), 12),
        (b"3 days 01:00", pa.month_day_nano_interval(), pa.MonthDayNano([0, 3, 3600 * 10**9])),
        (b'{a,"b,c",NULL,"NULL"}', pa.list_(pa.string()), ["a", "b,c", None, "NULL"]),
    ],
)
def test_text_parameters(raw, arrow_type, expected):
    assert decode_parameter(raw, arrow_type, False) == expected


@pytest.mark.parametrize(
    ("raw", "arrow_type"),
    [
        (b"x", pa.int64()),
        (b"40000", pa.int16()),
        (b"1e400x", pa.float64()),
        (b"2024-13", pa.date32()),
        (b"maybe", pa.bool_()),
        (b"1 moon", pa.month_day_nano_interval()),
        (b"{a", pa.list_(pa.string())),
        (b"\xff", pa.string()),
    ],
)
def test_bad_parameters(raw, arrow_type):
    with pytest.raises(ParameterError, match="invalid input"):
        decode_parameter(raw, arrow_type, False)


def test_parameters_without_a_codec():
    with pytest.raises(UnsupportedError):
        decode_parameter(b"", pa.struct([]), True)


def test_every_type_has_an_oid_and_an_array():
    for scalar in BY_NAME.values():
        assert BY_OID[scalar.oid] is scalar
        assert not scalar.array or ELEMENT_OF[scalar.array] is scalar
    assert pg_oid(NamedType("_oid", pa.list_(pa.int64()))) == 1028
    assert pg_name(pa.list_(pa.list_(pa.int64()))) == "_int8"
    assert pg_name(pa.list_(pa.map_(pa.string(), pa.int64()))) == "text"
    assert pg_modifier(pa.decimal128(12, 2)) == 786438
