"""Planned statements as queries: parameters, types, streaming, cancelling, explaining, following worlds."""

import gc
import threading
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from engine.cancellation import Cancellation
from engine.errors import CancelledError, WaylineError
from engine.report.pipeline import STEPS


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        ("select $1::bigint, $2::text, cast($3 as date)", [pa.int64(), pa.string(), pa.date32()]),
        ("select sum(revenue) from web where channel = $1", [pa.string()]),
        ('select sum(revenue) from web where daterange >= $1 and "timestamp" < $2', [pa.timestamp("us")] * 2),
        ("select channel from web group by 1 having sum(revenue) > $1 limit $2", [pa.float64(), pa.int64()]),
        ("select channel from web group by 1 having count(*) > $1", [pa.int64()]),
        ("select count(*) from web where page is null and channel in ($1, $2)", [pa.string()] * 2),
        ("select count(*) from channels where rate between $1 and $2", [pa.float64()] * 2),
        ("select count(*) from channels where region = any($1)", [pa.list_(pa.string())]),
        ("select $2, $1", [pa.string()] * 2),
        ("select $1 + 1", [pa.int32()]),
        ("select 1 where $1", [pa.bool_()]),
    ],
)
def test_parameter_types_are_inferred(sql, types, query):
    assert list(query(sql).parameters) == types


def test_the_clients_types_win(query):
    planned = query(
        "select sum(revenue) from web where channel = $1 and daterange >= $2", [None, pa.date32()]
    )
    assert list(planned.parameters) == [pa.string(), pa.date32()]


@pytest.mark.parametrize(
    ("sql", "values", "same"),
    [
        (
            "select channel, sum(orders) from web where channel = $1 group by 1",
            ["Email"],
            "select channel, sum(orders) from web where channel = 'Email' group by 1",
        ),
        (
            "select sum(orders) from web where channel = $1 and page = $2",
            ["Email", "pay"],
            "select sum(orders) from web where channel = 'Email' and page = 'pay'",
        ),
        (
            "select sum(orders) from web where daterange between $1 and $2",
            [date(2024, 1, 3), datetime(2024, 1, 9)],
            "select sum(orders) from web where daterange between '2024-01-03' and '2024-01-09'",
        ),
        (
            "select sum(case when page = $1 then orders end) from web",
            ["pay"],
            "select sum(case when page = 'pay' then orders end) from web",
        ),
        (
            "select channel, sum(orders) * $1 from web group by 1 order by 1 limit $2",
            [3, 2],
            "select channel, sum(orders) * 3 from web group by 1 order by 1 limit 2",
        ),
        (
            "select channel, sum(orders) from web where channel = any($1) group by 1",
            [["Email", "Social"]],
            "select channel, sum(orders) from web where channel in ('Email', 'Social') group by 1",
        ),
        (
            "select channel, sum(orders) from web where page = any($1) group by 1",
            [["pay", None]],
            "select channel, sum(orders) from web where page in ('pay') group by 1",
        ),
        ("select sum(orders) from web where channel = $1", [None], "select sum(orders) from web where false"),
        ("select count(*) from web where 1 = $1", [2], "select 0"),
        (
            "select region from channels where rate > $1 order by 1",
            [1.0],
            "select region from channels where rate > 1.0 order by 1",
        ),
        (
            "select lower(channel) || $1 as c from web where daterangeday = $2 order by 1",
            ["!", date(2024, 1, 4)],
            "select lower(channel) || '!' as c from web where daterangeday = '2024-01-04' order by 1",
        ),
    ],
)
def test_values_take_the_place_of_parameters(sql, values, same, ask):
    assert sorted(ask(sql, *values), key=str) == sorted(ask(same), key=str)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.bool_(), True),
        (pa.int64(), -(2**62)),
        (pa.float64(), -1.5),
        (pa.float64(), float("inf")),
        (pa.decimal128(12, 2), Decimal("-3.25")),
        (pa.string(), 'it\'s; -- \\ $1 "x" ü'),
        (pa.binary(), b"\x00\xff'"),
        (pa.date32(), date(2024, 2, 29)),
        (pa.timestamp("us"), datetime(2024, 2, 29, 1, 2, 3, 4)),
        (pa.list_(pa.int64()), [1, None, 3]),
        (pa.string(), None),
    ],
)
def test_values_arrive_as_they_were(kind, value, ask):
    assert ask("select $1", value, types=[kind]) == [(value,)]


@pytest.mark.parametrize("number", ["0", "65536", "9e", "99999999999999999999"])
def test_numbers_that_no_parameter_can_have(number, query):
    with pytest.raises(WaylineError) as caught:
        query(f"select ${number}")
    assert caught.value.sqlstate == "42P02"


def test_a_missing_value_is_an_error(query):
    with pytest.raises(WaylineError) as caught:
        query("select $1::int").run((), Cancellation())
    assert caught.value.sqlstate == "42P02"


@pytest.mark.parametrize(
    ("sql", "types"),
    [
        (
            "select channel, sum(revenue), sum(orders), count(*), sum(visitors), max(daterangeday) from web group by 1",
            [pa.string(), pa.float64(), pa.int64(), pa.int64(), pa.int64(), pa.timestamp("us")],
        ),
        (
            "select avg(orders), min(orders), count(distinct page), sum(credited) from web",
            [pa.float64(), pa.int32(), pa.int64(), pa.float64()],
        ),
        (
            "select null, now(), 'a', 1.5, current_date, true",
            [
                pa.string(),
                pa.timestamp("us", tz="UTC"),
                pa.string(),
                pa.decimal128(2, 1),
                pa.date32(),
                pa.bool_(),
            ],
        ),
        (
            "select * from events limit 0",
            [pa.timestamp("us", tz="UTC"), *[pa.string()] * 5, pa.float64(), pa.int32()],
        ),
    ],
)
def test_columns_are_known_before_running_and_hold(sql, types, query):
    planned = query(sql)
    assert [column.type for column in planned.columns] == types
    assert planned.run((), Cancellation()).schema.types == types


def test_a_query_runs_again_and_again_also_at_once(query):
    planned = query("select channel, sum(revenue) from web where channel = $1 group by 1")
    answers = {}

    def run(channel):
        answers[channel] = planned.run([channel], Cancellation()).read_all().to_pylist()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("Email", "Social", "Direct", "Search")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: rows[0]["channel"] for name, rows in answers.items()} == {name: name for name in answers}


def test_large_answers_stream(query):
    reader = query("select g from generate_series(1, 1000000) as t(g)").run((), Cancellation())
    first = reader.read_next_batch()
    assert 0 < first.num_rows < 1_000_000
    assert first.num_rows + sum(batch.num_rows for batch in reader) == 1_000_000


def test_a_cancelled_query_stops(query):
    planned = query(
        "select count(*) from generate_series(1, 100000000) a(x), generate_series(1, 100000) b(y)"
    )
    cancellation = Cancellation()
    threading.Timer(0.2, cancellation.cancel).start()
    with pytest.raises(CancelledError):
        planned.run((), cancellation).read_all()


def test_an_answer_left_unread_lets_go_of_its_world(query, home):
    reader = query("select g from generate_series(1, 1000000) as t(g)").run((), Cancellation())
    reader.read_next_batch()
    del reader
    gc.collect()
    assert query("select 1").run((), Cancellation()).read_all().num_rows == 1


def test_errors_while_streaming_are_ours(query):
    planned = query("select (case when g > 5 then 'x' else '1' end)::int from generate_series(1, 10) as t(g)")
    with pytest.raises(WaylineError) as caught:
        planned.run((), Cancellation()).read_all()
    assert caught.value.sqlstate.startswith("22")


def test_equal_statements_are_planned_once(query, monkeypatch):
    query("select sum(orders) + 41 from web")
    monkeypatch.setattr("sqlfront.answer.prepare", None)
    assert query("select sum(orders) + 41 from web").columns


def test_explain_says_how_terms_are_read(ask):
    lines = [
        line
        for (line,) in ask(
            "explain select channel, sum(credited) from web where daterange between '2024-01-01' and '2024-01-31'"
            " and page = 'pay' and channel <> 'Email' and 1 = 1 group by channel order by 2 desc"
        )
    ]
    text = "\n".join(lines)
    for part in (
        "term \"daterange\" BETWEEN '2024-01-01' AND '2024-01-31': the report's range",
        "term \"page\" = 'pay': an event segment",
        "term \"channel\" <> 'Email': a filter on the result's rows",
        "term 1 = 1: a constant",
        "range: 2024-01-01 00:00:00 up to 2024-02-01 00:00:00, not included (UTC)",
        "group channel",
        "last touch",
        "Rest of the statement:",
        "ORDER BY",
    ):
        assert part in text, text


def test_explain_analyze_says_what_each_step_took(ask):
    lines = [line for (line,) in ask("explain analyze select page, sum(orders) from web group by 1")]
    steps = [line for line in lines if " ms)" in line]
    names = [line.split()[0] for line in steps]
    order = ["read", *(step.name for step in STEPS), "merge"]
    assert names == [name for name in order if name in names]
    assert {"read", "attribution", "aggregation", "merge"} <= set(names)
    assert "1 chunk, " in steps[0] and " rows, " in steps[0]
    assert not any(" ms)" in line for (line,) in ask("explain select page, sum(orders) from web group by 1"))


def test_explain_of_an_empty_range_runs_nothing(ask):
    lines = ask(
        "explain select count(*) from web where daterange > '2024-02-01' and daterange < '2024-01-01'"
    )
    assert any("empty" in line for (line,) in lines)


def test_explain_of_nested_questions_names_all_reports(ask):
    lines = ask("explain select sum(orders) from web where page in (select page from web group by 1 limit 1)")
    assert [line for (line,) in lines if line.startswith("_report_")] == [
        '_report_1: data view "web"',
        '_report_2: data view "web"',
    ]
