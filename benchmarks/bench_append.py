"""A hundred small batches after the quarter, with the compaction that they bring about.

P7 compares a long history with a short one, and then the report on what has become of the long one with the
floor on the same rows. Each turn starts from a copy of the same home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest

from benchmarks.answers import Answer, Row, checksums
from benchmarks.flows import QUARTER_END, WEEK, append
from benchmarks.histories import QUARTERS, further_batches, histories
from benchmarks.home import CONNECTION
from benchmarks.journeys import peer_rows
from benchmarks.kept import copy_home, scratch
from benchmarks.pairs import Pair, Sense, compared
from benchmarks.peer_tables import floor_table, peer_sql
from benchmarks.reports import COLUMNS, answer, request
from engine.journeys.scan import scan
from engine.report.request import TimeRange
from engine.world import Home
from wayline.generate import shop

TURNS: Final = 3
RUNS_PER_TURN: Final = 3
_BATCHES: Final = 100
_FEWER: Final = 20
"""Batches for sizes that are for trying things out; still more than are left unmerged."""
_REAL_SIZE: Final = 1_000_000
_BATCHES_PER_DAY: Final = 10
_RECENT: Final = TimeRange(start=QUARTER_END - WEEK.days * shop.DAY)

PAIRS: Final = {
    "P7": Pair(
        "100 appended batches, 10 × the history ÷ 1 ×",
        "append.long",
        ("append.short",),
        1.3,
        Sense.COST,
        "channel",
    ),
    "P7.report": Pair("report after them ÷ plain GROUP BY", "report", ("floor",), 2.5, Sense.COST, ""),
}


@dataclass
class Stage:
    """Everything that takes part; ``appended`` is the copy that got its batches last."""

    homes: dict[str, Path]
    batches: list[Path]
    room: Path
    appended: dict[str, Home] = field(default_factory=dict)
    floor: duckdb.DuckDBPyConnection | None = None


@dataclass(frozen=True)
class Measurement:
    """One thing to time: its preparation, the run, its answer, and how often a turn runs it, warm or not."""

    prepare: Callable[[Stage], None]
    run: Callable[[Stage], Any]
    answer: Callable[[Stage], list[Row]]
    rounds: int
    warmup_rounds: int


def _copy(name: str, stage: Stage) -> None:
    if name in stage.appended:
        stage.appended.pop(name).close()
        stage.floor = None
    stage.appended[name] = copy_home(stage.homes[name], stage.room)


def _append_all(name: str, stage: Stage) -> None:
    for batch in stage.batches:
        append(stage.appended[name], batch)


def _recent(name: str, stage: Stage) -> list[Row]:
    return answer(request(span=_RECENT), stage.appended[name])


def _report(stage: Stage) -> list[Row]:
    return answer(request(), stage.appended["append.long"])


def _load_floor(stage: Stage) -> None:
    """Give the peer the rows that the long history has by now."""
    if stage.floor is None:
        home = stage.appended["append.long"]
        stage.floor = floor_table(
            peer_rows(scan(home, CONNECTION, home.current().journeys[CONNECTION], COLUMNS))
        )


def _floor(stage: Stage) -> list[Row]:
    assert stage.floor is not None
    return stage.floor.execute(peer_sql("floor")).fetchall()


def _ready(stage: Stage) -> None:
    """Prepare nothing."""


def _appending(name: str) -> Measurement:
    return Measurement(partial(_copy, name), partial(_append_all, name), partial(_recent, name), 1, 0)


MEASUREMENTS: Final = {
    "append.long": _appending("append.long"),
    "append.short": _appending("append.short"),
    "report": Measurement(_ready, _report, _report, RUNS_PER_TURN, 1),
    "floor": Measurement(_load_floor, _floor, _floor, RUNS_PER_TURN, 1),
}


@pytest.fixture(scope="module")
def stage(events: int, seed: int) -> Iterator[Stage]:
    """Build or open the homes and batches; append one batch beforehand, so that all code is loaded."""
    both = histories(events, seed)
    quarter = max(events // QUARTERS, 1)
    rows = max(quarter // (shop.DAYS * _BATCHES_PER_DAY), 10)
    batches = further_batches(quarter, seed, _BATCHES if events >= _REAL_SIZE else _FEWER, rows)
    with scratch() as room:
        stage = Stage({"append.long": both.long, "append.short": both.short}, batches, room)
        warm = copy_home(both.short, room)
        append(warm, batches[0])
        warm.close()
        yield stage
        for home in stage.appended.values():
            home.close()


def test_append(benchmark: Any, stage: Stage, turn: int, name: str) -> None:
    """Time one measurement in one turn."""
    measurement = MEASUREMENTS[name]
    measurement.prepare(stage)
    benchmark.pedantic(
        measurement.run,
        args=(stage,),
        warmup_rounds=measurement.warmup_rounds,
        rounds=measurement.rounds,
        iterations=1,
    )
    rows = measurement.answer(stage)
    benchmark.extra_info["measurement"] = name
    benchmark.extra_info["checksums"] = checksums(Answer(("channel",), rows), compared(PAIRS, name))
