"""Single events are evaluated while they are read: the same rows, no more work than is asked for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.errors import CancelledError, WaylineError
from engine.journeys.scan import Chunk
from engine.report import streaming
from engine.report.request import DimensionColumn, ReportRequest
from sqlfront.execution import read_once

SQL = [
    'select "timestamp", channel, revenue, visits from web',
    "select * from web",
    "select upper(channel), revenue from web where page = 'Home' or product = 'a'",
    "select channel, revenue from web order by revenue desc nulls last, channel limit 7",
    "select w.channel, c.region from web w left join channels c on c.channel = w.channel",
    "select channel from web union all select channel from web_berlin",
    "select product, row_number() over (order by revenue, product) from web",
    "select revenue from web where channel = 'nowhere'",
]


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(streaming, "_FIRST_ROWS", 3)
    monkeypatch.setattr(streaming, "PIECE_ROWS", 5)


@pytest.fixture
def evaluations(monkeypatch):
    """How many pieces were evaluated."""
    done: list[int] = []
    evaluate = streaming.evaluated_chunk

    def counting(job, chunk):
        done.append(chunk.rows)
        return evaluate(job, chunk)

    monkeypatch.setattr(streaming, "evaluated_chunk", counting)
    return done


def rows_of(reader):
    return sorted(map(str, reader.read_all().to_pylist()))


@pytest.mark.parametrize("sql", SQL)
def test_a_stream_has_the_rows_of_the_whole(sql, query, monkeypatch, small_pieces, evaluations):
    streamed = rows_of(query(sql).run([], Cancellation()))
    assert evaluations
    monkeypatch.setattr("sqlfront.execution.read_once", lambda *_: False)
    evaluations.clear()
    assert rows_of(query(sql).run([], Cancellation())) == streamed
    assert not evaluations


def test_a_limit_costs_what_it_shows(query, small_pieces, evaluations):
    everything = query("select channel from web").run([], Cancellation()).read_all().num_rows
    whole = len(evaluations)
    evaluations.clear()
    assert query("select channel from web limit 2").run([], Cancellation()).read_all().num_rows == 2
    assert everything > 100
    assert len(evaluations) < whole / 2


def test_whoever_stops_reading_ends_the_work(home, small_pieces, evaluations):
    channel = DimensionColumn("channel", exp.column("channel", quoted=True))
    request = ReportRequest("web", dimensions=(channel,), row_level=True)
    streaming.EventStream(request, home, home.current(), Cancellation()).reader().read_all()
    whole = len(evaluations)
    evaluations.clear()
    stream = streaming.EventStream(request, home, home.current(), Cancellation())
    assert stream.reader().read_next_batch().num_rows
    stream.close()
    assert len(evaluations) < whole / 2


def test_the_first_rows_cost_the_first_piece(home, small_pieces, evaluations):
    channel = DimensionColumn("channel", exp.column("channel", quoted=True))
    request = ReportRequest("web", dimensions=(channel,), row_level=True)
    stream = streaming.EventStream(request, home, home.current(), Cancellation())
    assert stream.reader().read_next_batch().num_rows
    assert [rows for rows in evaluations if rows] == evaluations[-1:]
    stream.close()


def test_a_stream_is_closed_while_somebody_reads(home, small_pieces, monkeypatch):
    channel = DimensionColumn("channel", exp.column("channel", quoted=True))
    request = ReportRequest("web", dimensions=(channel,), row_level=True)
    stream = streaming.EventStream(request, home, home.current(), Cancellation())
    begun, may_end, evaluate = threading.Event(), threading.Event(), streaming.evaluated_chunk

    def waiting(job, chunk):
        begun.set()
        may_end.wait()
        return evaluate(job, chunk)

    monkeypatch.setattr(streaming, "evaluated_chunk", waiting)
    with ThreadPoolExecutor(2) as threads:
        reading = threads.submit(stream.reader().read_all)
        begun.wait()
        closing = threads.submit(stream.close)
        while not stream.ended:
            closing.running()
        may_end.set()
        closing.result()
        rows = reading.result().num_rows
    whole = streaming.EventStream(request, home, home.current(), Cancellation()).reader().read_all()
    assert rows < whole.num_rows


def test_a_cancel_ends_a_stream(query, small_pieces, monkeypatch):
    cancellation = Cancellation()
    evaluate = streaming.evaluated_chunk

    def cancelling(job, chunk):
        if chunk.rows:
            cancellation.cancel()
        return evaluate(job, chunk)

    monkeypatch.setattr(streaming, "evaluated_chunk", cancelling)
    with pytest.raises(CancelledError):
        query("select channel from web").run([], cancellation).read_all()


def test_an_error_of_a_piece_is_the_statements(query, small_pieces, monkeypatch):
    evaluate = streaming.evaluated_chunk

    def failing(job, chunk):
        if chunk.rows:
            raise WaylineError("the third wheel came off", hint="Put it on again.")
        return evaluate(job, chunk)

    monkeypatch.setattr(streaming, "evaluated_chunk", failing)
    with pytest.raises(WaylineError, match="third wheel") as caught:
        query("select channel from web").run([], Cancellation()).read_all()
    assert caught.value.hint == "Put it on again."


@pytest.mark.parametrize(
    "sql",
    [
        "select a from r",
        "select x.a from (select a from r where b > 1) x order by 1 limit 3",
        "select r.a from r join s on r.a = s.a",
        "select a from r union all select a from s",
    ],
)
def test_what_is_read_front_to_back_is_streamed(sql):
    assert read_once(sqlglot.parse_one(sql, dialect="duckdb"), "r")


@pytest.mark.parametrize(
    "sql",
    [
        "select a from r union all select b from r",
        "select r.a from r join r t on r.a = t.b",
        "with x as (select a from r) select * from x, x y",
        "select a from s where a in (select a from r)",
        "select (select max(a) from r) from s",
        "select a from s where exists (select 1 from r where r.a = s.a)",
        "select a from s",
    ],
)
def test_what_may_be_read_twice_is_not(sql):
    assert not read_once(sqlglot.parse_one(sql, dialect="duckdb"), "r")


@given(
    st.lists(st.integers(1, 9), max_size=12),
    st.integers(1, 10),
    st.integers(1, 10),
    st.booleans(),
)
def test_pieces_hold_whole_persons_and_all_of_them(sizes, first, most, masked):
    offsets = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))).astype(np.int64)
    rows = int(offsets[-1])
    texts = pa.array([f"t{row % 4}" if row % 3 else None for row in range(rows)], pa.string())
    lists = pa.array([[row] * (row % 3) for row in range(rows)], pa.list_(pa.int64()))
    kept = np.arange(rows, dtype=np.uint8) % 2 if masked else None
    columns = {"text": texts.dictionary_encode(), "list": lists}
    cut = list(streaming.pieces(Chunk(offsets, np.arange(rows), columns, kept), first, most))
    assert np.concatenate([np.empty(0), *(piece.times for piece in cut)]).tolist() == list(range(rows))
    assert [size for piece in cut for size in np.diff(piece.offsets).tolist()] == sizes
    for place, piece in enumerate(cut):
        assert piece.offsets[0] == 0
        assert piece.persons == 1 or piece.rows <= (most if place else first)
    for name, column in columns.items():
        assert [value for piece in cut for value in piece.columns[name].to_pylist()] == column.to_pylist()
    if masked:
        assert [flag for piece in cut for flag in piece.kept.tolist()] == kept.tolist()
