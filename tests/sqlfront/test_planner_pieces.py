"""The small parts by themselves: rewrites and where they must not fire, time bounds, functions, literals."""

from datetime import datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from engine.dataview.components import data_view
from engine.errors import UnsupportedError
from sqlfront.dialect import parse
from sqlfront.functions import to_duckdb
from sqlfront.planner.casts import without_idle_casts
from sqlfront.planner.folding import idle_tables, next_period, period_start
from sqlfront.planner.rewrites import fold_identifiers, name_outputs, plain_limits, table_queries
from sqlfront.planner.timerange import range_terms
from sqlfront.planner.zones import in_view_zone
from sqlfront.trees import conjuncts, guarded, key, same
from tests.sqlfront.shop import DEFINITIONS

WEB = data_view(DEFINITIONS, "web")
BERLIN = data_view(DEFINITIONS, "web_berlin")


def tree(sql):
    return parse(sql)[0].tree


def expression(sql):
    return fold_identifiers(tree(f"select {sql}")).selects[0]


REWRITES = [
    (
        fold_identifiers,
        'select Channel, "Page", `A b` from Web',
        'SELECT "channel", "Page", "A b" FROM "web"',
    ),
    (fold_identifiers, "select 'Text', 1", "SELECT 'Text', 1"),
    (plain_limits, "select a from t limit all", "SELECT a FROM t"),
    (plain_limits, "select a from t limit null offset 0", "SELECT a FROM t"),
    (plain_limits, "select a from t fetch first 3 rows only", "SELECT a FROM t LIMIT 3"),
    (plain_limits, "select a from t limit 0", "SELECT a FROM t LIMIT 0"),
    (plain_limits, "select a from t limit 5 offset 1", "SELECT a FROM t LIMIT 5 OFFSET 1"),
    (name_outputs, "select sum(a), b as c from t", 'SELECT SUM(a) AS "sum", b AS c FROM t'),
    (name_outputs, "select *, t.* from t", "SELECT *, t.* FROM t"),
    (
        name_outputs,
        "select a from (select count(*) from t) u",
        'SELECT a AS "a" FROM (SELECT COUNT(*) AS "count" FROM t) AS u',
    ),
    (table_queries, "values (1, 2)", 'SELECT * FROM (VALUES (1, 2)) AS "values"("column1", "column2")'),
    (table_queries, "select * from (values (1)) v(a)", "SELECT * FROM (VALUES (1)) AS v(a)"),
    (to_duckdb, "select positive(a), negative(b), log1p(c)", "SELECT (a), -(b), LN(1 + (c))"),
    (to_duckdb, "select to_char(a, 'YYYY-MM-DD HH24:MI:SS')", "SELECT STRFTIME(a, '%Y-%m-%d %H:%M:%S')"),
    (
        to_duckdb,
        "select date_part('dow', a), extract('Y' from a)",
        "SELECT EXTRACT(DAYOFWEEK FROM a), EXTRACT(YEAR FROM a)",
    ),
    (
        to_duckdb,
        "select date_trunc('qoy', a), date_trunc('DOY', a), date_trunc('week', a)",
        "SELECT DATE_TRUNC('QUARTER', a), DATE_TRUNC('DAY', a), DATE_TRUNC('WEEK', a)",
    ),
    (to_duckdb, "select current_date, now()", "SELECT CAST(NOW() AS DATE), NOW()"),
    (to_duckdb, "select pg_catalog.lower(a), lower(b), t.c", "SELECT LOWER(a), LOWER(b), t.c"),
]


@pytest.mark.parametrize(("rewrite", "before", "after"), REWRITES)
def test_rewrites(rewrite, before, after):
    assert rewrite(tree(before)).sql("duckdb") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cast(channel as text)", '"channel"'),
        ("lower(channel::varchar)", 'LOWER("channel")'),
        ("cast(daterangeday as timestamp)", '"daterangeday"'),
        ("revenue::double precision", '"revenue"'),
        ("cast(daterangeday as date)", 'CAST("daterangeday" AS DATE)'),
        ("cast(channel as varchar(3))", 'CAST("channel" AS TEXT(3))'),
        ("cast(revenue as integer)", 'CAST("revenue" AS INT)'),
        ("cast(lower(channel) as text)", 'CAST(LOWER("channel") AS TEXT)'),
        ("cast('x' as text)", "CAST('x' AS TEXT)"),
    ],
)
def test_idle_casts_go_and_others_stay(before, after):
    assert without_idle_casts(expression(before), WEB).sql("duckdb") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("now()", "(NOW() AT TIME ZONE 'Europe/Berlin')"),
        ("'2024-01-01 00:00:00'", "'2024-01-01 00:00:00'"),
        ("'2024-01-01'", "'2024-01-01'"),
        ("'2024-01-01 +00'", "'2024-01-01'"),
        ("date '2024-01-01 +02'", "CAST('2024-01-01' AS DATE)"),
        (
            "'2024-01-01 00:00:00+02'",
            "(CAST('2024-01-01 00:00:00+02' AS TIMESTAMPTZ) AT TIME ZONE 'Europe/Berlin')",
        ),
        ("'2024-01-01'::timestamptz", "CAST('2024-01-01' AS TIMESTAMP)"),
        ("'a +00'", "'a +00'"),
        ("'12:00+01'", "'12:00+01'"),
        ("timestamp at time zone 'UTC'", "\"timestamp\" AT TIME ZONE 'UTC'"),
    ],
)
def test_instants_become_local_and_nothing_else_does(before, after):
    node = to_duckdb(expression(before))
    once = in_view_zone(node, BERLIN)
    assert once.sql("duckdb") == after
    assert in_view_zone(once, BERLIN).sql("duckdb") == after


@pytest.mark.parametrize(
    "term",
    [
        "channel = '2024-01-01'",
        "daterange <> '2024-01-01'",
        "daterange in ('2024-01-01')",
        "daterange is null",
        "daterange < daterangeday",
        "daterange >= '2024-01-01' or channel = 'x'",
        "extract(year from daterange) = 2024",
        "daterange + interval '1 day' > '2024-01-01'",
        "not (daterange between '2024-01-01' and '2024-01-02')",
        "not (daterange = '2024-01-01')",
        "to_char(daterange, 'YYYY') = '2024'",
        "cast(daterange as text) > '2024'",
        "date_trunc('decade', \"timestamp\") >= '2020-01-01'",
        "timestamp between channel and '2024-01-01'",
    ],
)
def test_terms_that_are_no_range(term):
    assert range_terms(expression(term.replace("timestamp between", '"timestamp" between')), WEB) is None


@pytest.mark.parametrize(
    ("term", "bounds"),
    [
        ("daterange >= '2024-01-01'", [(True, (("day", "ceiling"),))]),
        ("'2024-01-01' > daterange", [(False, (("day", "ceiling"),))]),
        ("daterangeweek = date '2024-01-01'", [(True, (("week", "ceiling"),)), (False, (("week", "next"),))]),
        ("not daterangehour > '2024-01-01'", [(False, (("hour", "next"),))]),
        ("date(\"timestamp\") <= '2024-01-01'", [(False, (("day", "next"), ("microsecond", "ceiling")))]),
        ("cast(daterangehour as date) > '2024-01-01'", [(True, (("day", "next"), ("hour", "ceiling")))]),
        (
            "date_trunc('month', daterangeday) < '2024-02-01'",
            [(False, (("month", "ceiling"), ("day", "ceiling")))],
        ),
    ],
)
def test_terms_that_are_bounds(term, bounds):
    found = range_terms(expression(term), WEB)
    assert [(bound.is_start, bound.steps) for bound in found] == bounds


MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))
PERIODS = {
    "second": "date_trunc('second', x)",
    "minute": "date_trunc('minute', x)",
    "5 minutes": "time_bucket(interval 5 minute, x)",
    "15 minutes": "time_bucket(interval 15 minute, x)",
    "30 minutes": "time_bucket(interval 30 minute, x)",
    "hour": "date_trunc('hour', x)",
    "day": "date_trunc('day', x)",
    "week": "date_trunc('week', x)",
    "month": "date_trunc('month', x)",
    "quarter": "date_trunc('quarter', x)",
    "year": "date_trunc('year', x)",
}


@settings(max_examples=50, deadline=None)
@given(moment=MOMENTS, period=st.sampled_from(sorted(PERIODS)))
def test_periods_are_duckdbs(moment, period):
    start = period_start(moment, period)
    sql = f"select cast({PERIODS[period]} as timestamp) from (select cast(? as timestamp) as x)"
    with duckdb.connect() as database:
        assert database.execute(sql, [moment]).fetchone()[0] == start
    assert start <= moment < next_period(start, period)
    assert period_start(next_period(start, period), period) == next_period(start, period)
    assert next_period(period_start(start - timedelta(microseconds=1), period), period) == start


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["timestamp", "daterange", "daterangehour", "daterangemonth"]),
    operator=st.sampled_from(["=", "<", "<=", ">", ">="]),
    bound=st.datetimes(datetime(2023, 12, 25), datetime(2024, 4, 10)).map(
        lambda at: at.replace(second=0, microsecond=0)
    ),
    whole=st.booleans(),
)
def test_ranges_select_what_the_comparison_says(name, operator, bound, whole, ask, plain):
    at = bound.replace(hour=0, minute=0) if whole else bound
    condition = f"\"{name}\" {operator} timestamp '{at}'"
    assert ask(f"select count(*) from web where {condition}") == plain(
        f"select count(*) from web where {condition}"
    )


@pytest.mark.parametrize(
    ("sql", "idle"),
    [
        ("select * from _report_1 limit 0", {"_report_1"}),
        ("select * from _report_1 where false", {"_report_1"}),
        ("select * from _report_1 where 1 = 0 and a > 1", {"_report_1"}),
        ("select count(*) from (select * from _report_1 limit 0) t, _report_2", {"_report_1"}),
        ("select * from _report_1 union all select * from _report_2 where false", {"_report_2"}),
        ("select * from _report_1 limit 1", set()),
        ("select * from _report_1 where 1 = 1", set()),
        ("select * from _report_1 where 1 = 0 or a > 1", set()),
        ("select * from (select * from _report_1 limit 0) a, _report_1 b", set()),
    ],
)
def test_tables_whose_rows_cannot_matter(sql, idle):
    names = ["_report_1", "_report_2"] if "_report_2" in sql else ["_report_1"]
    assert idle_tables(tree(sql), names) == idle


FUNCTIONS = [
    ("to_char(timestamp '2024-03-05 17:04:05.123', 'YYYY-MM-DD HH24:MI:SS.MS')", "2024-03-05 17:04:05.123"),
    ("to_char(date '2024-03-05', 'FMDay, DD Mon \"of\" YYYY')", "Tuesday, 05 Mar of 2024"),
    ("to_char(date '2024-03-05', 'Month|DY|Q|D|IW')", "March    |TUE|1|3|10"),
    ("to_char(date '2024-03-05', 'month YY%')", "march     24%"),
    ("to_date('05/03/2024', 'DD/MM/YYYY')::text", "2024-03-05"),
    ("to_timestamp('2024-03-05 10:11', 'YYYY-MM-DD HH24:MI')::text", "2024-03-05 10:11:00"),
    ("date_part('week', date '2024-03-05')::text", "10"),
    ("log1p(0)::text || negative(2)::text || square(3)::text", "0.0-29.0"),
    ("btrim('xax', 'x') || initcap('ab cd') || strpos('abc', 'c')::text", "aAb Cd3"),
    ("(7 / 2)::text || (-7 / 2)::text || div(7, 2)::int::text", "3-33"),
    ("nullif('a', 'a') is null and coalesce(null, 'b') = 'b'", True),
    ("split_part('a,b', ',', 2) || left('abc', 1) || right('abc', 1) || reverse('ab')", "bacba"),
    ("date_trunc('week', timestamp '2024-03-05 10:00:00')::text", "2024-03-04 00:00:00"),
    ("substring('hello' from 2 for 3) || position('l' in 'hello')::text", "ell3"),
    ("regexp_replace('aab', 'a', 'x', 'g') || md5('')", "xxbd41d8cd98f00b204e9800998ecf8427e"),
]


@pytest.mark.parametrize(("call", "result"), FUNCTIONS)
def test_functions_behave_as_in_postgresql(call, result, ask):
    assert ask(f"select {call}") == [(result,)]


@pytest.mark.parametrize("call", ["to_char(1.5, '999.9')", "to_char(now(), channel)"])
def test_what_to_char_cannot_do(call):
    with pytest.raises(UnsupportedError):
        to_duckdb(tree(f"select {call} from web"))


def test_trees_compare_without_parentheses():
    assert same(expression("((a) + (b))"), expression("a + b"))
    assert not same(expression("(a + b) * c"), expression("a + b * c"))
    assert key(expression("lower((a))")) == expression("lower(a)")


def test_conjuncts_are_split_through_parentheses_but_not_through_or():
    parts = conjuncts(expression("((a = 1 and b = 2) and (c = 3 or d = 4))"))
    assert [part.sql() for part in parts] == ['"a" = 1', '"b" = 2', '"c" = 3 OR "d" = 4']


def test_only_what_needs_parentheses_gets_them():
    assert isinstance(guarded(expression("a + b")), exp.Paren)
    assert isinstance(guarded(expression("not a")), exp.Paren)
    assert not isinstance(guarded(expression("lower(a)")), exp.Paren)
    assert not isinstance(guarded(expression("a")), exp.Paren)
