"""The report: revenue, orders and session starts by channel, last touch, 30-day lookback, 30-minute sessions.

P1 compares with the plainest GROUP BY of the same columns, also with unmerged runs, and P13 while events
stream in; P2 compares with the best SQL for the same answer, P3 linear attribution with last touch, P12
memory with what is read, and P14 a long history with a short one. All measurements take turns, so that a busy
spell hits every side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, Final

import pytest

from benchmarks.answers import Answer, Row, checksums
from benchmarks.flows import QUARTER_END
from benchmarks.memory import decoded_bytes, report_alone
from benchmarks.pairs import Pair, Sense, Unit, compared
from benchmarks.peer_tables import peer_sql
from benchmarks.report_stage import Stage, report_stage
from benchmarks.reports import EVERYTHING, answer, request
from benchmarks.stream import SECONDS
from engine.report.request import TimeRange
from engine.world import World
from wayline.generate import shop

TURNS: Final = 5
RUNS_PER_TURN: Final = 3
LAST_WEEK: Final = TimeRange(QUARTER_END - 7 * shop.DAY, QUARTER_END)
STREAMED: Final = TimeRange(start=QUARTER_END + shop.DAY)
"""Where streamed events lie: at least a day after all others."""

PAIRS: Final = {
    "P1": Pair("report ÷ plain GROUP BY", "ours.last", ("floor",), 2.0, Sense.COST, ""),
    "P1.last7": Pair("the last 7 of 90 days", "ours.last7", ("floor.last7",), 2.0, Sense.COST, ""),
    "P1.runs": Pair("with 3 unmerged runs", "ours.runs", ("floor.runs",), 2.0, Sense.COST, ""),
    "P2.duckdb": Pair(
        "best SQL in DuckDB ÷ report",
        "ours.last",
        ("duckdb.asof", "duckdb.filtered"),
        15.0,
        Sense.GAIN,
        "channel",
    ),
    "P2.duckdb.windows": Pair(
        "plain windows, rows in order of time", "ours.last", ("duckdb.windows",), 25.0, Sense.GAIN, "channel"
    ),
    "P2.chdb": Pair("best SQL in ClickHouse ÷ report", "ours.last", ("chdb",), 15.0, Sense.GAIN, "channel"),
    "P3.linear": Pair("linear ÷ last touch", "ours.linear", ("ours.last",), 3.0, Sense.COST, ""),
    "P3.linear.day": Pair(
        "linear ÷ last touch, by day", "ours.linear.day", ("ours.last.day",), 3.0, Sense.COST, "day"
    ),
    "P12": Pair(
        "memory of a report ÷ columns that it reads",
        "alone.memory",
        ("decoded",),
        3.0,
        Sense.COST,
        "channel",
        Unit.BYTES,
    ),
    "P12.limit": Pair(
        "half as much memory as data: it ends; time ÷ unlimited",
        "alone.limited",
        ("alone.seconds",),
        20.0,
        Sense.COST,
        "channel",
    ),
    "P13": Pair("while 1,000 events/s stream in", "ours.streaming", ("floor",), 3.0, Sense.COST, ""),
    "P13.rate": Pair(
        "seconds from one streamed batch to the next", "stream", ("clock",), 1.1, Sense.COST, ""
    ),
    "P14": Pair(
        "last 7 days, 10 × older history ÷ 1 ×", "last7.long", ("last7.short",), 1.2, Sense.COST, "channel"
    ),
}


@dataclass(frozen=True)
class Taken:
    """What a turn has come to: an answer, and what was measured if that is not the time of the runs."""

    rows: list[Row]
    values: list[float] | None = None


@dataclass(frozen=True)
class Measurement:
    """One thing to measure.

    Attributes:
        keys: name the answer's leading columns.
        take: takes the measurement with pytest-benchmark.
    """

    keys: tuple[str, ...]
    take: Callable[[Any, Stage], Taken]


def _timed(ask: Callable[[Stage], list[Row]], benchmark: Any, stage: Stage) -> Taken:
    """Time warm runs."""
    rounds = RUNS_PER_TURN
    return Taken(benchmark.pedantic(ask, args=(stage,), warmup_rounds=1, rounds=rounds, iterations=1))


def _our(suffix: str = "", *keys: str, span: TimeRange = EVERYTHING, home: str = "home") -> Measurement:
    keys = keys or ("channel",)
    asked, home_of = request(keys, suffix, span), attrgetter(home)
    return Measurement(keys, partial(_timed, lambda stage: answer(asked, home_of(stage))))


def _duckdb(name: str, database: str = "database", **parameters: Any) -> Measurement:
    sql, database_of = peer_sql(name, parameters), attrgetter(database)
    return Measurement(
        ("channel",), partial(_timed, lambda stage: database_of(stage).execute(sql).fetchall())
    )


def _clickhouse(name: str) -> Measurement:
    sql = peer_sql(name)
    return Measurement(("channel",), partial(_timed, lambda stage: stage.clickhouse.query(sql)))


def _streaming(benchmark: Any, stage: Stage) -> Taken:
    """Time one report in each of several worlds that nobody has asked yet, just as they come.

    What has streamed in so far is taken from the answer afterwards, so that it can be compared.
    """
    home = stage.streamed

    def ask() -> tuple[World, list[Row]]:
        world = home.current()
        return world, answer(request(), home, world)

    stage.stream.go_on()
    world, rows = benchmark.pedantic(
        ask, setup=stage.stream.wait, warmup_rounds=1, rounds=RUNS_PER_TURN, iterations=1
    )
    stage.stream.rest()
    streamed = answer(request(span=STREAMED), home, world)
    return Taken([*rows, *(_negative(row) for row in streamed)])


def _negative(row: Row) -> Row:
    return (row[0], *(-(number or 0) for number in row[1:]))


def _stream(benchmark: Any, stage: Stage) -> Taken:
    """Time from one streamed batch to the next, while nobody asks anything."""
    stage.stream.go_on()
    benchmark.pedantic(stage.stream.wait, warmup_rounds=1, rounds=RUNS_PER_TURN, iterations=1)
    stage.stream.rest()
    return _clock(benchmark, stage, measured=True)


def _clock(benchmark: Any, stage: Stage, *, measured: bool = False) -> Taken:
    """Say what the time between two batches should be; there is no answer to compare."""
    if not measured:
        benchmark.pedantic(lambda: None)
    return Taken([("batch", 1)], None if measured else [SECONDS])


def _alone(benchmark: Any, stage: Stage) -> Taken:
    """Ask the report in a process of its own: how much memory beyond idle it needed."""
    needed = benchmark.pedantic(report_alone, args=(stage.home.root,))
    stage.alone.append(needed)
    return Taken(needed.rows, [needed.peak - needed.idle])


def _alone_seconds(benchmark: Any, stage: Stage) -> Taken:
    """How long that report took."""
    benchmark.pedantic(lambda: None)
    return Taken(stage.alone[-1].rows, [stage.alone[-1].seconds])


def _alone_limited(benchmark: Any, stage: Stage) -> Taken:
    """Ask it again with half as much memory as the columns need: how long it takes."""
    needed = benchmark.pedantic(report_alone, args=(stage.home.root, decoded_bytes(stage.home) // 2))
    return Taken(needed.rows, [needed.seconds])


def _decoded(benchmark: Any, stage: Stage) -> Taken:
    """Say how many bytes the report's columns are, decoded."""
    rows = benchmark.pedantic(answer, args=(request(), stage.home))
    return Taken(rows, [decoded_bytes(stage.home)])


MEASUREMENTS: Final = {
    "ours.last": _our(),
    "floor": _duckdb("floor"),
    "ours.linear": _our("_linear"),
    "duckdb.asof": _duckdb("duckdb_asof"),
    "duckdb.filtered": _duckdb("duckdb_filtered"),
    "ours.last7": _our(span=LAST_WEEK),
    "floor.last7": _duckdb("floor_range", start=LAST_WEEK.start, end=LAST_WEEK.end),
    "ours.runs": _our(home="runs"),
    "floor.runs": _duckdb("floor", database="runs_database"),
    "duckdb.windows": _duckdb("duckdb_windows"),
    "ours.last.day": _our("", "channel", "day"),
    "ours.linear.day": _our("_linear", "channel", "day"),
    "chdb": _clickhouse("chdb"),
    "last7.long": _our(span=LAST_WEEK, home="long"),
    "last7.short": _our(span=LAST_WEEK, home="short"),
    "ours.streaming": Measurement(("channel",), _streaming),
    "stream": Measurement(("channel",), _stream),
    "clock": Measurement(("channel",), _clock),
    "alone.memory": Measurement(("channel",), _alone),
    "alone.seconds": Measurement(("channel",), _alone_seconds),
    "alone.limited": Measurement(("channel",), _alone_limited),
    "decoded": Measurement(("channel",), _decoded),
}


@pytest.fixture(scope="module")
def stage(events: int, seed: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Build or open the homes and load the peers."""
    with report_stage(events, seed, tmp_path_factory.mktemp("peers")) as found:
        yield found


def test_report(benchmark: Any, stage: Stage, turn: int, name: str) -> None:
    """Take one measurement in one turn."""
    measurement = MEASUREMENTS[name]
    taken = measurement.take(benchmark, stage)
    benchmark.extra_info["measurement"] = name
    benchmark.extra_info["values"] = taken.values
    answered = Answer(measurement.keys, taken.rows)
    benchmark.extra_info["checksums"] = checksums(answered, compared(PAIRS, name))
