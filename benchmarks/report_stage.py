"""Everything that takes part in the report's benchmark: homes, peers, and events that stream in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import duckdb

from benchmarks.flows import append, replay, unmerged_runs
from benchmarks.histories import further_batches, histories, late_home
from benchmarks.home import CONNECTION, bench_home
from benchmarks.journeys import peer_rows
from benchmarks.kept import copy_home, scratch
from benchmarks.memory import Needed
from benchmarks.peer_tables import ClickHouse, duckdb_tables, floor_table
from benchmarks.reports import COLUMNS
from benchmarks.stream import Stream
from engine.journeys.scan import Chunk, scan
from engine.world import Home
from wayline.generate import shop

RUNS: Final = 3
"""Commits that lie unmerged beside the base: two appended batches and a replay."""
_STREAMED_BATCHES: Final = 100
_STREAMED_ROWS: Final = 1_000
_APPENDED_PER_DAY: Final = 48


@dataclass(frozen=True)
class Stage:
    """Everything that takes part.

    Attributes:
        home: the generated quarter.
        runs: the same with late logins and unmerged runs.
        long: a long history that ends in the same quarter as ``short``.
        streamed: a copy of ``home`` that ``stream`` writes to.
        database: DuckDB with the rows of ``home``.
        runs_database: DuckDB with the rows of ``runs``.
        alone: what reports in processes of their own needed, newest last.
    """

    home: Home
    runs: Home
    long: Home
    short: Home
    streamed: Home
    stream: Stream
    database: duckdb.DuckDBPyConnection
    runs_database: duckdb.DuckDBPyConnection
    clickhouse: ClickHouse
    alone: list[Needed] = field(default_factory=list)


@contextmanager
def report_stage(events: int, seed: int, folder: Path) -> Iterator[Stage]:
    """Build or open the homes and load the peers from their journeys, while the block runs.

    Args:
        events: how many a quarter has, and the long history.
        seed: of the generated events.
        folder: for ClickHouse's files.
    """
    with ExitStack() as stack:
        room = stack.enter_context(scratch())
        both = histories(events, seed)
        home, long, short = (
            _closing(stack, Home.open(path)) for path in (bench_home(events, seed), both.long, both.short)
        )
        runs = _closing(stack, _with_runs(events, seed, room))
        streamed = _closing(stack, copy_home(home.root, room))
        stream = Stream(streamed, _streamed_batches(events, seed))
        stack.callback(stream.close)
        database = stack.enter_context(duckdb_tables(peer_rows(_chunks(home))))
        runs_database = stack.enter_context(floor_table(peer_rows(_chunks(runs))))
        clickhouse = ClickHouse(database, folder)
        stack.callback(clickhouse.close)
        yield Stage(home, runs, long, short, streamed, stream, database, runs_database, clickhouse)


def _closing(stack: ExitStack, home: Home) -> Home:
    stack.callback(home.close)
    return home


def _chunks(home: Home) -> Iterator[Chunk]:
    return scan(home, CONNECTION, home.current().journeys[CONNECTION], COLUMNS)


def _with_runs(events: int, seed: int, room: Path) -> Home:
    """Return a home with two half hours of further events and a replay of a day, none of them merged."""
    home = copy_home(late_home(events, seed), room)
    rows = max(events // (shop.DAYS * _APPENDED_PER_DAY), 10)
    for batch in further_batches(events, seed, RUNS - 1, rows):
        append(home, batch)
    replay(home, timedelta(days=1))
    if unmerged_runs(home) != RUNS:
        raise ValueError(f"{unmerged_runs(home)} runs are unmerged, not {RUNS}")
    return home


def _streamed_batches(events: int, seed: int) -> Path:
    """Return a folder of batches; at sizes for trying things out they are smaller."""
    rows = min(_STREAMED_ROWS, max(events // 200, 10))
    return further_batches(events, seed, _STREAMED_BATCHES, rows)[0].parent
