"""What DuckDB says of an error, as clients see it: of their statement, and of nothing else."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from sqlfront.problems import errors_as_ours, from_duckdb
from sqlfront.wording import in_our_words


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Could not convert string 'a' to INT64", 'invalid input syntax for type bigint: "a"'),
        (
            "No function matches the given name and argument types 'substring(INTEGER_LITERAL, VARCHAR)'. You",
            "function substring(integer, text) does not exist",
        ),
        (
            "No function matches the given name and argument types '+(INTEGER[], STRING_LITERAL)'. You might",
            "operator does not exist: integer[] + unknown",
        ),
        (
            "No function matches the given name and argument types '-(VARCHAR)'.",
            "operator does not exist: - text",
        ),
        (
            "No function matches the given name and argument types 'abs(TIMESTAMP WITH TIME ZONE, DECIMAL(2,1))'.",
            "function abs(timestamp with time zone, numeric) does not exist",
        ),
        ("Overflow in addition of INT32 (2147483647 + 1)!", "integer out of range"),
        (
            "Unimplemented type for cast (DECIMAL(2,1) -> DATE)",
            "cannot cast type numeric to date",
        ),
        (
            'Could not choose a best candidate function for the function call "abs(STRING_LITERAL)". In order to',
            "function abs(unknown) is not unique",
        ),
        ("Subquery returns 2 columns - expected 1", "subquery must return only one column"),
        ('column "_report_1"."x" is odd', 'column "x" is odd'),
        ('Cannot read "/home/ann/wayline/datasets/web/1.parquet" now', 'Cannot read "a file" now'),
        ("try SET threads=4", "try a setting"),
        ("Time out of range: 25:1:1.0", "Time out of range: 25:1:1.0"),
        ("1/2/3 is not a date, a/b either", "1/2/3 is not a date, a/b either"),
        ("report_1 and _reports stay", "report_1 and _reports stay"),
    ],
)
def test_messages_speak_of_the_statement(said, told):
    assert in_our_words(said) == told


@pytest.mark.parametrize(
    ("error", "sqlstate"),
    [
        (duckdb.IOException('IO Error: Cannot open file "/srv/home/1.parquet": No such file'), "58000"),
        (duckdb.InternalException("INTERNAL Error: Attempted to access index 7 at /src/x.cpp"), "58000"),
        (duckdb.OutOfMemoryException("Out of Memory Error: SET memory_limit='1GB' in /srv/tmp"), "53200"),
    ],
)
def test_what_concerns_the_server_is_not_told(error, sqlstate):
    told = from_duckdb(error)
    assert told.sqlstate == sqlstate
    assert "/" not in str(told) and "SET" not in f"{told} {told.hint}"


def test_errors_of_rows_on_their_way_are_those_of_duckdb():
    with duckdb.connect() as database:
        for sql, sqlstate in (
            ("SELECT error('a text has at most 3 bytes') FROM range(3)", "54000"),
            ("SELECT CAST('x' || i AS INT) FROM range(3) r(i)", "22P02"),
            ("SELECT regexp_matches('a', '(' || i) FROM range(3) r(i)", "2201B"),
        ):
            with pytest.raises(Exception) as caught, errors_as_ours():
                database.sql(sql).to_arrow_reader(10).read_all()
            assert caught.value.sqlstate == sqlstate


def test_what_is_not_of_duckdb_stays_as_it_is():
    with pytest.raises(OSError, match="the disk is full"), errors_as_ours():
        raise OSError("the disk is full")
    with pytest.raises(pa.ArrowInvalid), errors_as_ours():
        pa.array([1, "a"])
