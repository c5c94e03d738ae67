"""Everything that takes part in the report's benchmark: homes, peers, and events that stream in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cached_property
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
from benchmarks.skewed import skewed_home
from benchmarks.stream import Stream
from engine.journeys.scan import Chunk, scan
from engine.world import Home
from wayline.generate import shop

RUNS: Final = 3
"""Commits that lie unmerged beside the base: two appended batches and a replay."""
_WARM_UP: Final = 0.25
_WARM_EVENTS_PER_SECOND: Final = 4_000_000
_STREAMED_BATCHES: Final = 100
_STREAMED_ROWS: Final = 1_000
_APPENDED_PER_DAY: Final = 48


class Stage:
    """Everything that takes part; each home and peer is built or opened when it is first asked for.

    Args:
        events: how many a quarter has, and the long history.
        seed: of the generated events.
        folder: for ClickHouse's files.
        stack: closes what was opened.
    """

    def __init__(self, events: int, seed: int, folder: Path, stack: ExitStack) -> None:
        self._events, self._seed, self._folder, self._stack = events, seed, folder, stack
        self._room = stack.enter_context(scratch())
        self.alone: list[Needed] = []
        """What reports in processes of their own needed, newest last."""
        self.warm_up = min(_WARM_UP, events / _WARM_EVENTS_PER_SECOND)
        """Seconds for which a question is asked before it is timed; hardly any at sizes for trying out."""
        self.warm: set[object] = set()
        """What was asked before."""

    @cached_property
    def home(self) -> Home:
        """The generated quarter."""
        return self._opened(bench_home(self._events, self._seed))

    @cached_property
    def skewed(self) -> Home:
        """The same with a person who has a tenth of all events."""
        return self._opened(skewed_home(self._events, self._seed))

    @cached_property
    def runs(self) -> Home:
        """The same with late logins and unmerged runs."""
        return self._closing(_with_runs(self._events, self._seed, self._room))

    @cached_property
    def long(self) -> Home:
        """A long history that ends in the same quarter as ``short``."""
        return self._opened(histories(self._events, self._seed).long)

    @cached_property
    def short(self) -> Home:
        """The last quarter of the long history."""
        return self._opened(histories(self._events, self._seed).short)

    @cached_property
    def streamed(self) -> Home:
        """A copy of ``home`` that ``stream`` writes to."""
        return self._closing(copy_home(self.home.root, self._room))

    @cached_property
    def stream(self) -> Stream:
        """Events that stream in; at rest."""
        stream = Stream(self.streamed, _streamed_batches(self._events, self._seed))
        self._stack.callback(stream.close)
        return stream

    @cached_property
    def database(self) -> duckdb.DuckDBPyConnection:
        """DuckDB with the rows of ``home``."""
        return self._stack.enter_context(duckdb_tables(peer_rows(_chunks(self.home))))

    @cached_property
    def runs_database(self) -> duckdb.DuckDBPyConnection:
        """DuckDB with the rows of ``runs``."""
        return self._stack.enter_context(floor_table(peer_rows(_chunks(self.runs))))

    @cached_property
    def clickhouse(self) -> ClickHouse:
        """ClickHouse with the rows of ``home``."""
        clickhouse = ClickHouse(self.database, self._folder)
        self._stack.callback(clickhouse.close)
        return clickhouse

    def _opened(self, folder: Path) -> Home:
        return self._closing(Home.open(folder))

    def _closing(self, home: Home) -> Home:
        self._stack.callback(home.close)
        return home


@contextmanager
def report_stage(events: int, seed: int, folder: Path) -> Iterator[Stage]:
    """Give a stage while the block runs."""
    with ExitStack() as stack:
        yield Stage(events, seed, folder, stack)


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
