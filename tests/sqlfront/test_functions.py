"""Rewrites of PostgreSQL's spellings and functions, and where they must not fire."""

import pyarrow as pa
import pytest
from sqlglot import exp

from engine.errors import UnsupportedError, WaylineError
from sqlfront.dialect import parse
from sqlfront.functions import as_written, constants, to_duckdb
from sqlfront.functions.constants import elements, interval
from sqlfront.functions.numerals import read
from sqlfront.functions.patterns import is_of_number, may_be_of_interval
from sqlfront.problems import UnreadableValueError


def rewritten(expression):
    return to_duckdb(parse(f"select {expression}")[0].tree).selects[0].sql("duckdb")


UNTOUCHED = [
    "a LIKE 'b%'",
    "NOT a ILIKE 'b_'",
    "a LIKE 'b!%' ESCAPE '!'",
    "REGEXP_MATCHES(a, '^b')",
    "a = ANY(b)",
    "a[1]",
    "a || b",
    "[1, 2] || b",
    "DATE_TRUNC('MONTH', a)",
    "SUBSTRING(a, 2, 3)",
    "CAST('2024-01-05' AS DATE)",
    "CAST('7' AS INT)",
    "a / b",
    "INTERVAL '1' DAY",
    "a < b",
    "CAST(a AS TIMESTAMP)",
    "SUM(a) FILTER(WHERE b)",
    "SUM(a) OVER (ORDER BY b)",
    "ARRAY_AGG(a)",
    "ARRAY_AGG(DISTINCT a ORDER BY a DESC)",
    "COUNT(DISTINCT a)",
]


@pytest.mark.parametrize("expression", UNTOUCHED)
def test_what_duckdb_reads_alike_stays(expression):
    tree = exp.maybe_parse(expression, dialect="duckdb")
    assert to_duckdb(tree.copy()) == tree


CHANGED = [
    (r"a like 'b\_%'", r"a LIKE 'b\_%' ESCAPE '\'"),
    ("a like b", r"a LIKE b ESCAPE '\'"),
    ("a like any (array['x', 'y%'])", "(a LIKE 'x' OR a LIKE 'y%')"),
    ("a = any('{1,2}')", "a IN ('1', '2')"),
    ("a = any('{}')", "FALSE"),
    ("a similar to 'x%'", "REGEXP_FULL_MATCH(a, '(?s)(?:x.*)')"),
    (r"a ~ '\yb.'", r"REGEXP_MATCHES(a, '(?s)\bb.')"),
    ("interval '2 days'", "INTERVAL '2' DAYS"),
    ("substr(a, 2)", "SUBSTRING(a, 2)"),
    ("substr(a, 2, 3)", "SUBSTRING(a, 2, 3)"),
    ("date '2024-01-05'::text", "CAST((CAST('2024-01-05' AS DATE)) AS TEXT)"),
    ("to_char(a, 'yyyy-mm')", "STRFTIME(a, '%Y-%m')"),
    ('"lower"(a)', "LOWER(a)"),
    ("json_agg(a order by b)", "TO_JSON(LIST(a ORDER BY b))"),
    ("json_agg(a) filter (where b)", "TO_JSON((LIST(a) FILTER(WHERE b)))"),
    ("json_agg(a) over (order by b)", "TO_JSON((LIST(a) OVER (ORDER BY b)))"),
    ("array_agg(distinct a)", "ARRAY_AGG(DISTINCT a ORDER BY a)"),
    ("a = some (select b)", "a = ANY (SELECT b)"),
]


@pytest.mark.parametrize(("expression", "after"), CHANGED)
def test_what_duckdb_reads_otherwise_changes(expression, after):
    assert rewritten(expression) == after


@pytest.mark.parametrize(
    ("expression", "type_of", "after"),
    [
        ("CAST(a AS TEXT)", pa.string(), "CAST(a AS TEXT)"),
        ("CAST(a AS TEXT)", pa.timestamp("us"), "CAST(a AS TEXT)"),
        ("a || 'x'", pa.int64(), "a || 'x'"),
        ("CONCAT(a, 'x')", pa.string(), "CONCAT(a, 'x')"),
        ("ROUND(a, 2)", pa.float64(), "ROUND(a, 2)"),
        ("SUM(a)", pa.int64(), "SUM(a)"),
        ("a || b", None, "a || b"),
        ("CAST(a AS VARCHAR(3))", pa.string(), "LEFT(CAST(a AS TEXT), 3)"),
    ],
)
def test_texts_that_are_alike_stay(expression, type_of, after):
    tree = exp.maybe_parse(expression, dialect="postgres")
    assert as_written(tree, lambda column: type_of).sql("duckdb") == after


@pytest.mark.parametrize(
    ("pattern", "number", "timed"),
    [("FM999.00", True, False), ("YYYY-MM-01", False, False), ("HH24:MI", False, True), ("MI", False, True)],
)
def test_patterns_are_told_apart(pattern, number, timed):
    assert (is_of_number(pattern), may_be_of_interval(pattern)) == (number, timed)


def test_patterns_of_numbers_are_read():
    form = read("FM$9,990.00 EUR")
    assert (form.whole, form.decimals, form.before, form.after) == ("9,990", "00", "$", " EUR")
    assert form.is_short
    with pytest.raises(UnsupportedError):
        read("9-9")


def test_texts_of_intervals_and_arrays():
    assert interval("1 mon -2 days 03:00").sql("duckdb") == (
        "CAST('1 months -2 days 10800000000 microseconds' AS INTERVAL)"
    )
    assert elements('{a,"b,c",NULL,""}') == ["a", "b,c", None, ""]


@pytest.mark.parametrize(
    ("expression", "sqlstate"),
    [
        ("'1.5'::int", "22P02"),
        ("regexp_match(a, '(?=x)')", "0A000"),
        ("encode(a, 'rot13')", "0A000"),
        ("to_char(a, b)", "0A000"),
        ("to_char(a)", "42883"),
        ("format('%5s', a)", "0A000"),
        ("a like any (b)", "0A000"),
    ],
)
def test_what_cannot_be_rewritten_is_refused(expression, sqlstate):
    with pytest.raises(WaylineError) as caught:
        rewritten(expression)
    assert caught.value.sqlstate == sqlstate


def test_views_answer_with_postgresqls_functions(ask):
    [(day, share)] = ask(
        "select to_char(min(timestamp), 'YYYY-MM-DD'), to_char(sum(revenue), 'FM999,999,990.00') from web"
    )
    [(expected, revenue)] = ask("select min(timestamp), sum(revenue) from web")
    assert day == f"{expected:%Y-%m-%d}"
    assert share == f"{revenue:,.2f}"


def test_expressions_in_reports_and_over_them_agree(ask):
    inside = ask("select substr(channel, -1, 4), sum(orders) from web group by 1 order by 1")
    outside = ask(
        "select substr(c, -1, 4), sum(o) from (select channel c, sum(orders) o from web group by 1) x"
        " group by 1 order by 1"
    )
    assert [(key, int(total or 0)) for key, total in inside] == [
        (key, int(total or 0)) for key, total in outside
    ]


def test_like_escapes_in_segments_of_statements(ask):
    assert ask(r"select count(*) from web where channel like 'E\mail'") == ask(
        "select count(*) from web where channel = 'Email'"
    )


@pytest.mark.parametrize(
    "expression",
    [
        "concat_ws('-', a, b)",
        "initcap(initcap(concat(a, b)))",
        "format('%s/%s', substring(a from '[a-m]+'), b)",
        "string_agg(concat(a, b), ',') filter (where concat(a, b, c) ilike '%')",
        "rank() over (partition by concat_ws('-', a, b) order by concat(a, c))",
    ],
)
def test_texts_in_texts_are_written_once(expression):
    written = as_written(to_duckdb(parse(f"select {expression}")[0].tree)).sql("duckdb")
    assert len(written) < 6000


@pytest.mark.parametrize(("text", "hint"), [("1.5", "Cast to numeric first."), ("abc", None), ("", None)])
def test_a_text_that_is_no_whole_number_gets_a_remedy_only_if_it_is_a_number(text, hint):
    with pytest.raises(UnreadableValueError) as raised:
        constants.read(text, exp.DataType.build("int"))
    assert raised.value.hint == hint
