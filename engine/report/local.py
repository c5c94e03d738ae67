"""Runs a planned report on this machine: chunks in threads, partial results merged at the end.

Chunks are decoded by the threads that work on them, a few at a time, so memory does not grow with the data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from engine import memory
from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.errors import CancelledError
from engine.journeys.scan import Chunk, Load, loads
from engine.report.aggregate import PARTIALS, counted, merged, partial, relation_name
from engine.report.frame import Frame
from engine.report.lanes import lane_rows
from engine.report.plan import Kind, Lane, ReportPlan, plan
from engine.report.request import ReportRequest
from engine.report.sql import Statements
from engine.report.tally import tallied_dimension, tally, total
from engine.world import Home, World

Partials = list[pa.Table]
"""One partial result for each lane of a plan, in its order."""

_THREADS: Final = os.cpu_count() or 1
_POLL: Final = 0.02
"""Seconds between two looks at whether a question was cancelled."""


@dataclass(frozen=True)
class Work:
    """What is done with each chunk, prepared once for all of them.

    Attributes:
        steps: make the partial result of each lane of the plan, in its order.
        lookups: tables that statements may join, by name.
    """

    plan: ReportPlan
    steps: tuple[Callable[[Frame], pa.Table], ...]
    lookups: dict[str, pa.Table]
    cancellation: Cancellation


def run(request: ReportRequest, home: Home, world: World, cancellation: Cancellation) -> pa.Table:
    """Answer a request from one world.

    Returns:
        A table with the request's dimensions and then its metrics; one row for each group, no order.

    Raises:
        WaylineError: a name is unknown, a combination is not supported, or the question was cancelled.
    """
    planned = plan(request, world.definitions)
    return answer(planned, _loads(planned, home, world), world.definitions, cancellation)


def answer(
    planned: ReportPlan,
    chunks: Iterable[Load | Chunk],
    definitions: Definitions,
    cancellation: Cancellation,
) -> pa.Table:
    """Evaluate a plan over chunks, however many and however cut, and merge."""
    work = _prepared(planned, cancellation)
    partials = _in_threads(work, chunks) or [_evaluated(work, empty_chunk(planned, definitions))]
    if planned.request.row_level:
        return pa.concat_tables(tables[0] for tables in partials)
    if all(tallied_dimension(planned, lane) for lane in planned.lanes):
        return total(planned, [table for tables in partials for table in tables])
    statements = Statements(cancellation, {})
    return statements.run_named(PARTIALS, _all_partials(planned, partials, statements), merged(planned))


def result_schema(request: ReportRequest, world: World) -> pa.Schema:
    """Return the names and types of a request's answer, without reading any data."""
    planned = plan(request, world.definitions)
    schema = answer(planned, [], world.definitions, Cancellation()).schema
    return pa.schema([(field.name, field.type) for field in schema])


def _loads(planned: ReportPlan, home: Home, world: World) -> list[Load]:
    return loads(
        home,
        planned.connection,
        world.journeys[planned.connection],
        planned.columns,
        start=planned.scan_start,
        end=planned.scan_end,
        world=world,
    )


def _prepared(planned: ReportPlan, cancellation: Cancellation) -> Work:
    steps = tuple(_step(planned, lane) for lane in planned.lanes)
    return Work(planned, steps, _lookup_tables(planned, cancellation), cancellation)


def _step(planned: ReportPlan, lane: Lane) -> Callable[[Frame], pa.Table]:
    """Choose how a lane becomes a partial result: added up right away, or by a statement over its rows."""
    dimension = tallied_dimension(planned, lane)
    if dimension is not None:
        return lambda frame: tally(frame, lane, dimension)
    text = partial(planned, lane).sql("duckdb")
    return lambda frame: frame.statements.run(lane_rows(frame, lane), text)


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    """The process's threads for chunks: starting some for each question would take as long as a chunk."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="report")


def _in_threads(work: Work, chunks: Iterable[Load | Chunk]) -> list[Partials]:
    """Return the partial results of each chunk, in their order.

    Nothing is under way any more when this returns or raises; only a cancelled question is left to the
    threads, which stop at their next step, so that it ends at once.
    """
    futures: list[Future[Partials | None]] = []
    patience: float | None = None
    try:
        for chunk in chunks:
            _wait(futures, work.cancellation, _THREADS)
            futures.append(_threads().submit(_partials, work, chunk))
        _wait(futures, work.cancellation, 0)
        return [found for future in futures if (found := future.result()) is not None]
    except CancelledError:
        patience = 0
        raise
    finally:
        for future in futures:
            future.cancel()
        wait(futures, patience)


def _wait(futures: Sequence[Future[Partials | None]], cancellation: Cancellation, most: int) -> None:
    """Wait until at most so many chunks are under way; what a chunk raised is raised here."""
    while True:
        cancellation.check()
        under_way = [future for future in futures if not future.done()]
        for future in futures:
            if future.done():
                future.result()
        if len(under_way) <= most:
            return
        wait(under_way, _POLL, FIRST_COMPLETED)


def _partials(work: Work, chunk: Load | Chunk) -> Partials | None:
    """Decode a chunk if need be, and evaluate it; None if nobody in it counts."""
    check = work.cancellation.check
    check()
    if isinstance(chunk, Chunk):
        return _evaluated(work, chunk)
    with memory.decoding.taken(chunk.weight, check):
        decoded = chunk.chunk(check)
        return None if decoded is None else _evaluated(work, decoded)


def _evaluated(work: Work, chunk: Chunk) -> Partials:
    frame = Frame(work.plan, chunk, Statements(work.cancellation, work.lookups))
    found = []
    for step in work.steps:
        work.cancellation.check()
        found.append(step(frame))
    return found


def _lookup_tables(planned: ReportPlan, cancellation: Cancellation) -> dict[str, pa.Table]:
    statements = Statements(cancellation, {})
    return {relation_name(lookup): statements.fetch(lookup.relation) for lookup in planned.request.lookups}


def _all_partials(planned: ReportPlan, partials: list[Partials], statements: Statements) -> pa.Table:
    tables: list[pa.Table] = []
    for lane, *found in zip(planned.lanes, *partials, strict=True):
        if lane.kind is Kind.DISTINCT:
            values = pa.concat_tables(found)
            found = [statements.run_named(PARTIALS, values, counted(planned, lane.metrics[0]))]
        tables += found
    return pa.concat_tables(tables, promote_options="default")


def empty_chunk(planned: ReportPlan, definitions: Definitions) -> Chunk:
    """Return a chunk of no events with the types that a plan's columns have."""
    connection = definitions.connections[planned.connection]
    types: dict[str, pa.DataType] = {"_person": pa.string()}
    for dataset in connection.datasets:
        leaves = definitions.datasets[dataset].leaves()
        types |= {path: field.arrow() for path, field in leaves.items()}
    columns = {name: pa.array([], types[name]) for name in planned.columns}
    return Chunk(np.zeros(1, np.int64), np.zeros(0, np.int64), columns)
