"""The report: revenue, orders and session starts by channel, last touch, 30-day lookback, 30-minute sessions.

P1 compares with the plainest GROUP BY of the same columns, also with unmerged runs, and P13 while events
stream in; P2 compares with the best SQL for the same answer, P3 every other model with last touch, P4 data
in which one person has a tenth of all events with data without, P12 memory with what is read, and P14 a long
history with a short one. ``sql.…`` has the best SQL for every model, ``first`` how long a fresh process takes
to answer, and ``cancel`` how long a report goes on that was cancelled. All measurements take turns, so that a
busy spell hits every side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final

import pytest

from benchmarks.answers import Answer, Row, checksums
from benchmarks.asks import Ask, duckdb, ours, peer
from benchmarks.cancelled import slowest_cancel
from benchmarks.flows import QUARTER_END
from benchmarks.fresh import first_answer
from benchmarks.memory import decoded_bytes, report_alone
from benchmarks.pairs import Pair, Sense, Unit, compared
from benchmarks.questions import (
    QUESTIONS,
    Question,
    asked_of_peers,
    beside_last_touch,
    beside_no_skew,
    beside_sql,
)
from benchmarks.report_stage import Stage, report_stage
from benchmarks.reports import answer, request
from benchmarks.stream import SECONDS
from engine.report.request import TimeRange
from engine.world import World
from wayline.generate import shop

TURNS: Final = 5
RUNS_PER_TURN: Final = 5
LAST_WEEK: Final = TimeRange(QUARTER_END - 7 * shop.DAY, QUARTER_END)
PATIENCE: Final = 2.0
"""Seconds that a fresh process may take to answer at 2 million events."""
MOMENT: Final = 0.1
"""Seconds that a report may go on after it was cancelled."""
STREAMED: Final = TimeRange(start=QUARTER_END + shop.DAY)
"""Where streamed events lie: at least a day after all others."""

PAIRS: Final = {
    "P1": Pair("report ÷ plain GROUP BY", "ours.last", ("floor",), 2.0, Sense.COST, ""),
    "P1.last7": Pair("the last 7 of 90 days", "ours.last7", ("floor.last7",), 2.0, Sense.COST, ""),
    "P1.runs": Pair("with 3 unmerged runs", "ours.runs", ("floor.runs",), 2.0, Sense.COST, ""),
    "P2.duckdb": Pair(
        "best SQL in DuckDB ÷ report",
        "ours.last",
        ("duckdb_asof.last", "duckdb_filtered.last"),
        15.0,
        Sense.GAIN,
        "channel",
    ),
    "P2.duckdb.windows": Pair(
        "plain windows, rows in order of time", "ours.last", ("duckdb_windows",), 25.0, Sense.GAIN, "channel"
    ),
    "P2.chdb": Pair(
        "best SQL in ClickHouse ÷ report", "ours.last", ("chdb_last.last",), 15.0, Sense.GAIN, "channel"
    ),
    **beside_last_touch(),
    **beside_no_skew(),
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
        "seconds from one streamed batch to the next", "stream", ("clock",), 1.1, Sense.COST, None
    ),
    "P14": Pair(
        "last 7 days, 10 × older history ÷ 1 ×", "last7.long", ("last7.short",), 1.2, Sense.COST, "channel"
    ),
    "first": Pair(
        "opening a home and the first report ÷ 2 s", "fresh", ("two seconds",), 1.0, Sense.COST, None
    ),
    "first.process": Pair(
        "the same with Python's start and end ÷ 2 s", "fresh.process", ("two seconds",), 1.0, Sense.COST, None
    ),
    "cancel": Pair(
        "from a cancel to the end of a report ÷ 0.1 s", "cancel", ("a moment",), 1.0, Sense.COST, None
    ),
    **beside_sql(),
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


def _timed(ask: Ask, benchmark: Any, stage: Stage) -> list[Row]:
    """Time runs that follow others of the same kind at once, on us and peers alike.

    What took its turn before leaves threads that still spin and caches full of its own data.
    """
    until = perf_counter() + stage.warm_up
    while perf_counter() < until:
        ask(stage)
    rows: list[Row] = benchmark.pedantic(ask, args=(stage,), rounds=RUNS_PER_TURN, iterations=1)
    return rows


def _timed_once(ask: Ask, benchmark: Any, stage: Stage) -> list[Row]:
    """Time one run, warm since an untimed run before it in the first turn; long statements get no more."""
    warmup_rounds = 0 if ask in stage.warm else 1
    stage.warm.add(ask)
    rows: list[Row] = benchmark.pedantic(
        ask, args=(stage,), warmup_rounds=warmup_rounds, rounds=1, iterations=1
    )
    return rows


def _asked(
    ask: Ask, keys: tuple[str, ...] = ("channel",), timed: Callable[..., list[Row]] = _timed
) -> Measurement:
    return Measurement(keys, lambda benchmark, stage: Taken(timed(ask, benchmark, stage)))


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
    """Time from one streamed batch to the next, while nobody asks anything; there is no answer to compare."""
    stage.stream.go_on()
    benchmark.pedantic(stage.stream.wait, warmup_rounds=1, rounds=RUNS_PER_TURN, iterations=1)
    stage.stream.rest()
    return Taken([])


def _alone(benchmark: Any, stage: Stage) -> Taken:
    """Ask the report in a process of its own: how much memory beyond idle it needed."""
    needed = benchmark.pedantic(report_alone, args=(stage.home.root,))
    stage.alone.append(needed)
    return Taken(needed.rows, [needed.peak - needed.idle])


def _alone_seconds(benchmark: Any, stage: Stage) -> Taken:
    """How long that report took; ask it if it was not asked."""
    needed = benchmark.pedantic(lambda: stage.alone[-1] if stage.alone else report_alone(stage.home.root))
    return Taken(needed.rows, [needed.seconds])


def _alone_limited(benchmark: Any, stage: Stage) -> Taken:
    """Ask it again with half as much memory as the columns need: how long it takes."""
    needed = benchmark.pedantic(report_alone, args=(stage.home.root, decoded_bytes(stage.home) // 2))
    return Taken(needed.rows, [needed.seconds])


def _decoded(benchmark: Any, stage: Stage) -> Taken:
    """Say how many bytes the report's columns are, decoded."""
    rows = benchmark.pedantic(answer, args=(request(), stage.home))
    return Taken(rows, [decoded_bytes(stage.home)])


def _fresh(benchmark: Any, stage: Stage, part: str) -> Taken:
    """Ask the report in a fresh process: how long it took, as a part of that is called in ``First``."""
    found = benchmark.pedantic(first_answer, args=(stage.home.root,), warmup_rounds=1, rounds=1)
    return Taken(found.rows, [getattr(found, part)])


def _cancel(benchmark: Any, stage: Stage) -> Taken:
    """Cancel the slowest kind of report at many moments: the longest that it went on."""
    asked = request(Question("time_decay", "hour"))
    return Taken([], [benchmark.pedantic(slowest_cancel, args=(asked, stage.home))])


def _constant(benchmark: Any, stage: Stage, seconds: float) -> Taken:
    """Say what is promised in seconds; there is no answer to compare."""
    benchmark.pedantic(lambda: None)
    return Taken([], [seconds])


MEASUREMENTS: Final = {
    "floor": _asked(duckdb("floor")),
    **{
        f"{side}.{question.name}": _asked(ours(question, home=home), question.keys)
        for question in QUESTIONS
        for side, home in (("ours", "home"), ("skewed", "skewed"))
    },
    "ours.last7": _asked(ours(span=LAST_WEEK)),
    "floor.last7": _asked(duckdb("floor_range", start=LAST_WEEK.start, end=LAST_WEEK.end)),
    "ours.runs": _asked(ours(home="runs")),
    "floor.runs": _asked(duckdb("floor", database="runs_database")),
    "duckdb_windows": _asked(duckdb("duckdb_windows")),
    **{
        formulation.name(question): _asked(peer(question, formulation), question.keys, _timed_once)
        for question, formulation in asked_of_peers()
    },
    "last7.long": _asked(ours(span=LAST_WEEK, home="long")),
    "last7.short": _asked(ours(span=LAST_WEEK, home="short")),
    "ours.streaming": Measurement(("channel",), _streaming),
    "stream": Measurement(("channel",), _stream),
    "clock": Measurement(("channel",), partial(_constant, seconds=SECONDS)),
    "alone.memory": Measurement(("channel",), _alone),
    "alone.seconds": Measurement(("channel",), _alone_seconds),
    "alone.limited": Measurement(("channel",), _alone_limited),
    "decoded": Measurement(("channel",), _decoded),
    "fresh": Measurement(("channel",), partial(_fresh, part="seconds")),
    "fresh.process": Measurement(("channel",), partial(_fresh, part="process")),
    "cancel": Measurement(("channel",), _cancel),
    "a moment": Measurement(("channel",), partial(_constant, seconds=MOMENT)),
    "two seconds": Measurement(("channel",), partial(_constant, seconds=PATIENCE)),
}


@pytest.fixture(scope="module")
def stage(events: int, seed: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give homes and peers as they are needed."""
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
