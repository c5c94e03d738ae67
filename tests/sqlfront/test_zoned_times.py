"""Times of day with a zone leave DuckDB as texts; queries without them stay as they are."""

import logging

import duckdb
import pytest
from sqlglot import parse_one

from sqlfront.trees import render
from sqlfront.wire.types import pg_name
from sqlfront.zoned_times import with_zoned_times_as_text


@pytest.fixture
def sendable():
    database = duckdb.connect()

    def run(sql):
        query = parse_one(sql, read="duckdb")
        return query, with_zoned_times_as_text(query, database.sql(sql).types)

    yield run
    database.close()


@pytest.mark.parametrize(
    "sql", ["SELECT TIME '12:00'", "SELECT TIMESTAMPTZ '2024-01-01 12:00+02', 'x', NULL"]
)
def test_a_query_without_them_stays(sendable, sql):
    query, changed = sendable(sql)
    assert changed is query


def test_they_are_texts_wherever_they_are(sendable):
    _, changed = sendable("SELECT x, [x] AS x, {'a': x} AS s, 1 AS n FROM (SELECT TIMETZ '12:00:00+02' AS x)")
    (row,) = duckdb.sql(render(changed)).fetchall()
    assert row == ("12:00:00+02", ["12:00:00+02"], {"a": "12:00:00+02"}, 1)


def test_rows_stay_in_their_order(ask):
    rows = ask(
        "SELECT t::timetz FROM (VALUES ('09:00:00+00'), ('10:00:00+00'), ('09:30:00-01')) v (t) ORDER BY t::timetz DESC"
    )
    assert rows == [("09:30:00-01",), ("10:00:00+00",), ("09:00:00+00",)]


def test_they_are_told_as_timetz(query):
    columns = query("SELECT '12:00+02'::timetz AS a, ARRAY['12:00'::timetz] AS b, '12:00'::time AS c").columns
    assert [pg_name(column.type) for column in columns] == ["timetz", "_timetz", "time"]


def test_parts_of_instants_leave_no_remarks_in_the_log(ask, caplog):
    with caplog.at_level(logging.WARNING):
        assert ask("SELECT extract(hour FROM timestamptz '2024-01-01 10:00+02')") == [(8,)]
    assert not caplog.records
