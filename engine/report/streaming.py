"""Streams single events: evaluates them piece by piece while their rows are read, so that none waits for all.

A piece is whole persons of a decoded chunk, as sessions and persisted values need them whole. Few pieces are
under way at a time, and no more are begun once nobody reads on: the first rows come early, a LIMIT costs what
it shows, and memory does not grow with the answer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, wait
from typing import Final

import numpy as np
import pyarrow as pa

from engine import memory
from engine.cancellation import Cancellation
from engine.journeys.chunks import gathered
from engine.journeys.scan import Chunk, Load
from engine.report.local import (
    Job,
    Partials,
    empty_chunk,
    evaluated_chunk,
    prepared,
    report_loads,
    report_threads,
)
from engine.report.plan import plan
from engine.report.request import ReportRequest
from engine.report.trace import Trace
from engine.world import Home, World

PIECE_ROWS: Final = 65_536
"""A piece has about this many events; more, if one person has. The first ones are smaller."""
_FIRST_ROWS: Final = 4_096
_GROWTH: Final = 4
_UNDER_WAY: Final = 3
_ALONE: Final = 2
"""So many pieces are waited for before the next begins: who reads only a few rows has them by then."""
_PARTS: Final = 4
"""A piece's rows are given in so many parts: DuckDB asks for more before it gives what it has."""
_POLL: Final = 0.02


class EventStream:
    """The rows of a row-level request, evaluated as they are read, once.

    Args:
        request: with ``row_level``.
        home: the home.
        world: the world to read, which the caller has pinned until the stream is closed.
        cancellation: ends it, at the next piece at the latest.

    Raises:
        WaylineError: a name is unknown, or a combination is not supported.
    """

    def __init__(self, request: ReportRequest, home: Home, world: World, cancellation: Cancellation) -> None:
        planned = plan(request, world.definitions)
        self._job = prepared(planned, cancellation, Trace(counting=False), home.datasets)
        self._schema = _rows(evaluated_chunk(self._job, empty_chunk(planned, world.definitions))).schema
        self._loads = report_loads(planned, home, world, cancellation)
        self._made = self._batches()
        self._reading = threading.Lock()
        self.ended = False
        self.error: Exception | None = None
        """What ended it early; whoever reads may only see that something did."""

    def reader(self) -> pa.RecordBatchReader:
        """Return its rows, which can be read once, in any thread."""
        return pa.RecordBatchReader.from_batches(self._schema, self._read())

    def close(self) -> None:
        """Begin nothing more, and wait for what is under way; whoever is reading still finds no more rows."""
        self.ended = True
        with self._reading:
            self._made.close()

    def _read(self) -> Iterator[pa.RecordBatch]:
        while True:
            with self._reading:
                batch = None if self.ended else next(self._made, None)
            if batch is None:
                return
            yield batch

    def _batches(self) -> Generator[pa.RecordBatch]:
        under_way: deque[Future[Partials]] = deque()
        try:
            for number, piece in enumerate(self._pieces()):
                if self.ended:
                    return
                under_way.append(report_threads().submit(evaluated_chunk, self._job, piece))
                if len(under_way) == _UNDER_WAY or number < _ALONE:
                    yield from self._finished(under_way.popleft())
            while under_way and not self.ended:
                yield from self._finished(under_way.popleft())
        except Exception as error:
            self.error = error
            raise
        finally:
            for future in under_way:
                future.cancel()
            wait(under_way)

    def _finished(self, future: Future[Partials]) -> list[pa.RecordBatch]:
        while not future.done():
            self._job.cancellation.check()
            if self.ended:
                return []
            wait([future], _POLL)
        rows = _rows(future.result())
        parts: list[pa.RecordBatch] = rows.to_batches(max(rows.num_rows // _PARTS, 1))
        return parts

    def _pieces(self) -> Iterator[Chunk]:
        wanted = _FIRST_ROWS
        for load in self._loads:
            chunk = _decoded(load, self._job)
            if chunk is None:
                continue
            for piece in pieces(chunk, wanted, PIECE_ROWS):
                yield piece
                wanted = PIECE_ROWS


def _rows(partials: Partials) -> pa.Table:
    """Return the rows of a piece: single events have one lane."""
    (table,) = partials
    return table


def _decoded(load: Load, job: Job) -> Chunk | None:
    # Nothing is held while pieces wait for who reads them: one slow reader must not keep others waiting.
    cancellation = job.cancellation
    with memory.decoding.taken(load.weight, cancellation.check, cancellation.share):
        return load.chunk(cancellation.check)


def pieces(chunk: Chunk, first: int, most: int) -> Iterator[Chunk]:
    """Cut a chunk into pieces of whole persons, each larger than the one before until they are large enough.

    Args:
        first: events of the first piece, or about as many.
        most: events of the largest; a person with more makes a piece of its own.
    """
    begin, wanted = 0, first
    while begin < chunk.persons:
        end = int(np.searchsorted(chunk.offsets, chunk.offsets[begin] + wanted, "right")) - 1
        end = min(max(end, begin + 1), chunk.persons)
        yield _cut(chunk, begin, end)
        begin, wanted = end, min(wanted * _GROWTH, most)


def _cut(chunk: Chunk, begin: int, end: int) -> Chunk:
    start, stop = int(chunk.offsets[begin]), int(chunk.offsets[end])
    rows = np.arange(start, stop, dtype=np.int32)
    columns = {name: gathered(column, rows) for name, column in chunk.columns.items()}
    kept = None if chunk.kept is None else chunk.kept[start:stop]
    return Chunk(chunk.offsets[begin : end + 1] - start, chunk.times[start:stop], columns, kept)
