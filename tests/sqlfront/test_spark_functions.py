"""Functions that come from Spark SQL, over datasets and data views; PostgreSQL's own keep their meaning."""

import pytest

from sqlfront.front import open_front
from sqlfront.functions.spark_dates import pattern
from sqlfront.gate import OwnersGate
from tests.sqlfront.purchases import answers, purchases_home


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    home = purchases_home(tmp_path_factory.mktemp("spark"))
    yield open_front(home, OwnersGate())
    home.close()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("to_utc_timestamp('2021-08-31','Asia/Seoul')", "2021-08-30 15:00:00"),
        ("to_utc_timestamp('2021-07-14 12:40:00.0','Asia/Seoul')", "2021-07-14 03:40:00"),
        ("from_utc_timestamp('2021-08-31 14:40:00.0','Asia/Seoul')", "2021-08-31 23:40:00"),
    ],
)
def test_ex_qs_tz_times_of_other_zones(front, written, expected):
    assert answers(front, f"SELECT {written}") == [(expected,)]


def test_ex_qs_tz_a_date_in_another_order_is_no_timestamp(front):
    assert answers(front, "SELECT CAST('07-29-2021' AS timestamp)")[:2] == ("E", "22007")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("date_format(timestamp '2024-03-05 07:08:09', 'yyyy-MM-dd''T''H:mm:ss')", "2024-03-05T7:08:09"),
        ("date_format('2024-03-05', 'EEEE d MMM yy, D')", "Tuesday 5 Mar 24, 65"),
        ("unix_timestamp('2024-03-05 00:00:01')", "1709596801"),
        ("unix_timestamp('05.03.2024', 'dd.MM.yyyy')", "1709596800"),
        ("unix_timestamp('tomorrow')", None),
        ("unix_timestamp() > 1700000000", "t"),
        ("from_unixtime(1709596801)", "2024-03-05 00:00:01"),
        ("from_unixtime(1709596801, 'yyyyMMdd')", "20240305"),
        ("to_date('2024-03-05', 'YYYY-MM-DD')", "2024-03-05"),
        ("date_add('2024-02-28', 2)", "2024-03-01"),
        ("date_sub(date '2024-03-01', 1)", "2024-02-29"),
        ("date_add(timestamp '2024-02-28 10:00', INTERVAL '2 hours')", "2024-02-28 12:00:00"),
        ("add_months('2024-01-31', 1)", "2024-02-29"),
        ("datediff('2024-03-05 23:00', '2024-03-01')", "4"),
        ("datediff('hour', timestamp '2024-01-01', timestamp '2024-01-02')", "24"),
        ("regexp_extract('foo12', '([a-z]+)([0-9]+)')", "foo"),
        ("regexp_extract('foo12', '([a-z]+)([0-9]+)', 2)", "12"),
        ("regexp_extract('foo', '([0-9]+)')", ""),
        ("regexp_replace('banana', 'a', 'o')", "bonana"),
        ("split('a1b2c', '[0-9]')", "{a,b,c}"),
        ("nvl(NULL, 1)", "1"),
        ("nvl2(NULL, 1, 2)", "2"),
        ("concat_ws('-', 'a', NULL, 'b')", "a-b"),
        ("""get_json_object('{"a":{"b":[1,2]}}', '$.a.b[1]')""", "2"),
        ("get_json_object('no json', '$.a')", None),
        ("""from_json('{"a":1,"b":["x"]}', 'a INT, b ARRAY<STRING>')""", "(1,{x})"),
        ("""from_json('{"a":', 'a INT')""", None),
        ("""from_json('[1,2]', 'ARRAY<INT>')""", "{1,2}"),
        ("to_json(struct(1 AS a, 'x' AS b))", '{"a":1,"b":"x"}'),
        ("named_struct('a', 1, 'b', ARRAY['x'])", "(1,{x})"),
        ("size(ARRAY[1,2])", "2"),
        ("size(map('a', 1, 'b', 2))", "2"),
        ("(SELECT size(m) FROM (SELECT map('a', 1, 'b', 2) AS m) s)", "2"),
        ("(SELECT size(m) FROM (SELECT ARRAY[1] AS m) s)", "1"),
        ("element_at(ARRAY[5,6], 1)", "5"),
        ("element_at(ARRAY[5,6], -1)", "6"),
        ("element_at(ARRAY[5,6], 3)", None),
        ("element_at(map('a', 1, 'b', 2), 'b')", "2"),
        ("element_at(map('a', 1), 'b')", None),
        ("isnull(NULL) AND NOT isnull(1)", "t"),
        ("isnotnull(1) AND NOT isnotnull(NULL)", "t"),
        ("array_contains(ARRAY[1,2], 2)", "t"),
        ("sort_array(ARRAY[3,1,NULL])", "{NULL,1,3}"),
        ("sort_array(ARRAY[3,1,NULL], false)", "{3,1,NULL}"),
        ("array_join(ARRAY['a','b'], '+')", "a+b"),
        ("array_max(ARRAY[1,3,2]) + array_min(ARRAY[1,3,2])", "4"),
        ("map('a', 1, 'b', 2)['b']", "2"),
        ("map_keys(map('a', 1, 'b', 2))", "{a,b}"),
        ("struct(struct(1 AS b) AS a).a.b", "1"),
        ("""from_json('{"a":[5]}', 'a ARRAY<INT>').a""", "{5}"),
        ("(split('a,b', ','))[1]", "a"),
        ("size(array_distinct(ARRAY[1,1,2]))", "2"),
        ("transform(ARRAY[5,6], x -> x * 2)", "{10,12}"),
        ("transform(ARRAY[5,6], (x, place) -> x + place)", "{5,7}"),
        ("filter(ARRAY[5,6], (x, place) -> place = 1)", "{6}"),
        ("aggregate(ARRAY[1,2], 10, (sum, x) -> sum + x)", "13"),
        ("aggregate(ARRAY[1,2], 0, (sum, x) -> sum + x, sum -> sum * 10)", "30"),
        ("sha2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ],
)
def test_functions(front, written, expected):
    assert answers(front, f"SELECT {written}") == [(expected,)]


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("date_format('2024-03-05', 'QQQ')", "0A000"),
        ("split('a,b', ',', 1)", "0A000"),
        ("sha2('a', 512)", "0A000"),
        ("from_json('{}', 'a WHAT')", "22P02"),
        ("from_json('{}', 'a INT; DROP TABLE')", "22P02"),
        ("get_json_object('{}')", "42883"),
        ("nvl2(1, 2) FROM (SELECT 3 AS z) AS t", "42883"),
        ("date_add('2024-03-05')", "42883"),
        ("element_at(ARRAY[1])", "42883"),
        ("isnull(1, 2) FROM (SELECT 1 AS z) AS t WHERE isnull()", "42883"),
        ("map('a')", "42883"),
        ("duckdb.struct(1)", "42883"),
        ("abs(x -> x + 1)", "0A000"),
        ("transform(ARRAY[1], x -> getenv('HOME'))", "42501"),
        ("filter(ARRAY['/etc/passwd'], x -> read_text(x) IS NOT NULL)", "42501"),
        ("aggregate(ARRAY[1], 0, (s, x) -> s, s -> getenv('HOME'))", "42501"),
        ("struct(read_text('/etc/passwd') AS a)", "42501"),
    ],
)
def test_what_is_refused(front, written, state):
    assert answers(front, f"SELECT {written}")[:2] == ("E", state)


def test_aggregates_leave_out_nulls(front):
    columns = "collect_list(commerce.order.currency), collect_set(device), collect_list(tags[9])"
    assert answers(front, f"SELECT {columns} FROM purchases") == [("{EUR,USD}", "{x,y}", "{}")]


@pytest.mark.parametrize("function", ["collect_list", "collect_set"])
def test_lists_of_different_values(front, function):
    assert answers(front, f"SELECT {function}(DISTINCT device) FROM purchases") == [("{x,y}",)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT explode(map('a', 1, 'b', 2))", [("a", "1"), ("b", "2")]),
        ("SELECT posexplode(m) FROM (SELECT map('a', 1) AS m) s", [("0", "a", "1")]),
        (
            "SELECT k, v FROM sessions RIGHT JOIN (SELECT 1) s ON true LATERAL VIEW explode(map('a', 1)) e AS k, v",
            [("a", "1")],
        ),
    ],
)
def test_rows_of_maps(front, sql, expected):
    assert answers(front, sql) == expected


def test_percentiles(front):
    price = "commerce.order.priceTotal"
    asked = f"SELECT percentile({price}, 0.5), percentile_approx({price}, 0.5) FROM purchases"
    assert answers(front, asked) == [("15.25", "10.5")]


def test_counts_of_a_condition_and_means(front):
    asked = "SELECT count_if(device = 'y'), mean(commerce.order.priceTotal) FROM purchases"
    assert answers(front, asked) == [("2", "15.25")]


def test_lists_over_windows(front):
    asked = "SELECT collect_list(device) OVER (ORDER BY at) FROM purchases ORDER BY at"
    assert answers(front, asked) == [("{x}",), ("{x,y}",), ("{x,y,y}",)]
    refused = answers(front, "SELECT collect_set(device) OVER () FROM purchases")
    assert refused[:2] == ("E", "0A000")


def test_functions_of_elements_read_columns_as_well(front):
    asked = "SELECT transform(items, i -> struct(i.sku AS s, device AS d)) FROM purchases ORDER BY at LIMIT 1"
    assert answers(front, asked) == [('{"(hat,x)","(shoe,x)"}',)]


@pytest.mark.parametrize("call", ["percentile(1)", "nvl2(1, 2)", "add_months(at)", "to_utc_timestamp(at)"])
def test_too_few_arguments_are_refused(front, call):
    assert answers(front, f"SELECT {call} FROM purchases")[:2] == ("E", "42883")


def test_over_data_views(front):
    grouped = (
        "SELECT nvl(currency, '-'), date_format(timestamp, 'yyyyMMdd'), SUM(revenue) FROM shop GROUP BY 1, 2"
    )
    assert sorted(answers(front, grouped)) == [
        ("-", "20240106", None),
        ("EUR", "20240105", "10.5"),
        ("USD", "20240105", "20"),
    ]
    lists = "SELECT collect_set(currency), percentile(revenue, 0.5) FROM shop"
    assert answers(front, lists) == [("{EUR,USD}", "15.25")]


def test_arrows_of_json_are_no_functions_of_elements(front):
    source = """(SELECT '{"a":"b","c":{"d":1}}'::json AS j) AS t"""
    columns = "upper(j -> 'a'), coalesce(j ->> 'b', 'x'), coalesce(j -> 'c' ->> 'd', 'y')"
    assert answers(front, f"SELECT {columns} FROM {source}") == [('"B"', "x", "1")]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("yyyy-MM-dd'T'HH:mm", "%Y-%m-%dT%H:%M"), ("d''MM", "%-d'%m"), ("SSS%", "%g%%")],
)
def test_patterns_of_dates(written, expected):
    assert pattern(written) == expected


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("date()", "42883"),
        ("1.5::date", "42846"),
        ("factorial(-1)", "22003"),
        ("json_build_object(1)", "22023"),
        ("(SELECT 1, 2)", "42601"),
        ("array_join()", "42883"),
        ("2147483647 + 1", "22003"),
    ],
)
def test_errors_have_the_codes_and_words_of_postgresql(front, written, state):
    refused = answers(front, f"SELECT {written}")
    assert refused[:2] == ("E", state)
    assert not any(word in refused[2] for word in ("Macro", "INT32", "DECIMAL", "Unimplemented"))
