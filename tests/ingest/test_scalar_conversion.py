"""Which raw values fit which field type, and what becomes of them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from engine.ingest.scalars import convert_scalar
from engine.types import scalar_type

BAD = object()
MOMENT = datetime(2021, 3, 3, 21, 27, 34, 99000, tzinfo=UTC)
MIDNIGHT = datetime(2021, 3, 3, tzinfo=UTC)
DAY = date(2021, 3, 3)

TEXT = {
    "string": [("a", "a"), (" a ", " a "), ("", None), ("null", "null")],
    "boolean": [("true", True), ("FALSE", False), (" true", True), ("1", BAD), ("yes", BAD)],
    "byte": [("-128", -128), ("128", BAD), ("1.0", 1), ("1.5", BAD), ("", None)],
    "long": [
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", BAD),
        (" 7 ", 7),
        ("+7", 7),
        ("007", 7),
        ("1e3", 1000),
        ("1e30", BAD),
        ("0x10", BAD),
        ("1_000", BAD),
        ("abc", BAD),
    ],
    "double": [
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1e300", 1e300),
        ("1e400", BAD),
        ("NaN", BAD),
        ("Infinity", BAD),
        ("-inf", BAD),
        ("1,5", BAD),
    ],
    "decimal(12,2)": [
        ("12.3", Decimal("12.30")),
        ("12.345", Decimal("12.34")),
        ("1e2", Decimal("100.00")),
        ("10000000000.00", BAD),
        ("NaN", BAD),
        ("x", BAD),
    ],
    "date": [
        ("2021-03-03", DAY),
        ("1614806854099", DAY),
        ("2021-02-30", BAD),
        ("2021-03-03T00:00:00Z", BAD),
        ("3.3.2021", BAD),
    ],
    "timestamp": [
        ("2021-03-03 21:27:34.099", MOMENT),
        ("2021-03-03T21:27:34.099Z", MOMENT),
        ("2021-03-03T21:27:34.099000", MOMENT),
        ("2021-03-03T22:27:34.099+01:00", MOMENT),
        ("2021-03-03T16:57:34.099-0430", MOMENT),
        ("2021-03-03T21:27:34.099000999Z", MOMENT),
        ("2021-03-03 21:27:34.099 UTC", MOMENT),
        ("1614806854099", MOMENT),
        ("2021-03-03", MIDNIGHT),
        ("2021-03-03T00:00", MIDNIGHT),
        ("2021-03-03T24:00:01", BAD),
        ("2021-13-03", BAD),
        ("03/03/2021", BAD),
        ("yesterday", BAD),
        ("", None),
        ("99999999999999999", BAD),
    ],
}


@pytest.mark.parametrize("kind", TEXT)
def test_text_alone_and_among_others(kind):
    target = scalar_type(kind)
    texts = [text for text, _ in TEXT[kind]]
    expected = [None if value is BAD else value for _, value in TEXT[kind]]
    bad = [value is BAD for _, value in TEXT[kind]]
    together, lost = convert_scalar(pa.array(texts), target)
    assert (together.to_pylist(), lost.tolist()) == (expected, bad)
    for text, value, is_bad in zip(texts, expected, bad, strict=True):
        alone, lost = convert_scalar(pa.array([None, text, text]), target)
        assert alone.to_pylist() == [None, value, value]
        assert lost.tolist() == [False, is_bad, is_bad]


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        (pa.array([1, -1]), "string", ["1", "-1"]),
        (pa.array([1.5, 2.0]), "string", ["1.5", "2.0"]),
        (pa.array([1.0, 1.5, 1e20]), "long", [1, BAD, BAD]),
        (pa.array([127, 128]), "byte", [127, BAD]),
        (pa.array([2**64 - 1], pa.uint64()), "long", [BAD]),
        (pa.array([1, 2], pa.uint8()), "double", [1.0, 2.0]),
        (pa.array([1.5, float("nan"), float("inf"), None]), "double", [1.5, BAD, BAD, None]),
        (pa.array([1.5], pa.float32()), "double", [1.5]),
        (pa.array([0.1 + 0.2, float("nan"), 1e20]), "decimal(12,2)", [Decimal("0.30"), BAD, BAD]),
        (pa.array([Decimal("1.50"), Decimal("2.00")]), "long", [BAD, 2]),
        (pa.array([Decimal("1.505")]), "decimal(12,2)", [Decimal("1.50")]),
        (pa.array([1614806854099]), "timestamp", [MOMENT]),
        (pa.array([1614806854099.0, 0.5]), "timestamp", [MOMENT, BAD]),
        (pa.array([10**15]), "timestamp", [BAD]),
        (pa.array([1614806854099]), "date", [DAY]),
        (pa.array([True, False]), "boolean", [True, False]),
        (pa.array([True]), "string", [BAD]),
        (pa.array([True]), "long", [BAD]),
        (pa.array([1]), "boolean", [BAD]),
        (pa.array([DAY]), "date", [DAY]),
        (pa.array([DAY]), "string", [BAD]),
        (pa.array([DAY]), "timestamp", [BAD]),
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ns")), "timestamp", [MOMENT]),
        (pa.array([MOMENT], pa.timestamp("ms", "Europe/Berlin")), "timestamp", [MOMENT]),
        (pa.array([10**12, 10**15, -(10**18)], pa.timestamp("s")), "timestamp", [BAD] * 3),
        (
            pa.array([-1], pa.timestamp("ns")),
            "timestamp",
            [datetime(1969, 12, 31, 23, 59, 59, 999999, UTC)],
        ),
        (pa.array([MOMENT]), "date", [BAD]),
        (pa.array(["a", "", None]).dictionary_encode(), "string", ["a", None, None]),
        (pa.array(["1", "x"], pa.large_string()), "long", [1, BAD]),
        (pa.array(["1"], pa.string_view()), "long", [1]),
    ],
)
def test_typed_values(raw, kind, expected):
    converted, lost = convert_scalar(raw, scalar_type(kind))
    assert converted.type == scalar_type(kind)
    assert converted.to_pylist() == [None if value is BAD else value for value in expected]
    assert lost.tolist() == [value is BAD for value in expected]
