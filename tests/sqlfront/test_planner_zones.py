"""Times on a data view are wall-clock times in its zone, instants where a literal says so (docs/semantics.md)."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest


def count(ask, condition, *values, types=()):
    return ask(f"select count(*) from web_berlin where {condition}", *values, types=types)[0][0]


@pytest.mark.parametrize(
    ("local", "instants"),
    [
        ("\"timestamp\" >= '2024-01-10 10:00:00'", "\"timestamp\" >= '2024-01-10 09:00:00Z'"),
        ("\"timestamp\" >= '2024-01-10 10:00:00'", "\"timestamp\" >= timestamp '2024-01-10 10:00:00+01'"),
        (
            "\"timestamp\" >= '2024-01-10 10:00:00'",
            "\"timestamp\" >= '2024-01-10T09:00:00+00:00'::timestamptz",
        ),
        ("\"timestamp\" < date '2024-01-10'", "\"timestamp\" < '2024-01-09 23:00:00+00'"),
        ("daterange <= '2024-01-10'", "\"timestamp\" < '2024-01-10 23:00:00+00'"),
        (
            "daterangeday = date '2024-01-10'",
            "\"timestamp\" between '2024-01-09 23:00:00+00' and '2024-01-10 22:59:59.999999+00'",
        ),
        ("daterange >= '2024-01-10 +00'", "daterange >= '2024-01-10'"),
        (
            "\"timestamp\" >= '2024-01-10 10:00:00' or channel = 'x'",
            "\"timestamp\" >= '2024-01-10 09:00:00+00' or channel = 'x'",
        ),
        ('"timestamp" >= now()', "\"timestamp\" >= current_timestamp - interval '1 second'"),
        ("daterange >= current_date - 100000", "1 = 1"),
        (
            "daterangeday in (date '2024-01-10', '2024-01-11')",
            "daterange between '2024-01-10' and '2024-01-11'",
        ),
    ],
)
def test_readings_agree(local, instants, ask):
    assert count(ask, local) == count(ask, instants)


def test_days_are_the_views_days(ask, plain):
    ours = dict(ask("select daterangeday, count(*) from web_berlin group by 1"))
    theirs = dict(
        plain("select date_trunc('day', timestamp + interval 1 hour), count(*) from web group by 1")
    )
    assert {day: n for day, n in ours.items() if day < datetime(2024, 3, 31)} == {
        datetime(day.year, day.month, day.day): n
        for day, n in theirs.items()
        if datetime(day.year, day.month, day.day) < datetime(2024, 3, 31)
    }


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.timestamp("us"), datetime(2024, 1, 10, 10)),
        (pa.timestamp("us", tz="UTC"), datetime(2024, 1, 10, 9, tzinfo=UTC)),
        (pa.timestamp("us", tz="UTC"), datetime(2024, 1, 10, 11, tzinfo=timezone(timedelta(hours=2)))),
        (pa.string(), "2024-01-10 10:00:00"),
        (pa.string(), "2024-01-10 09:00:00+00"),
    ],
)
def test_parameters_are_read_in_the_views_zone(kind, value, ask):
    expected = count(ask, "\"timestamp\" >= '2024-01-10 10:00:00'")
    assert count(ask, '"timestamp" >= $1', value, types=[kind]) == expected
    assert count(ask, "\"timestamp\" >= $1 or channel = 'x'", value, types=[kind]) == expected


def test_datasets_are_in_utc(ask):
    rows = ask("select min(ts), count(*) filter (where ts >= '2024-01-10 10:00:00') from events")
    assert rows[0][0].utcoffset() == timedelta(0)
    again = ask("select count(*) from events where ts >= timestamptz '2024-01-10 11:00:00+01'")
    assert rows[0][1] == again[0][0]
