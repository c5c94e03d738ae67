"""Runs a planned report on this machine: chunks in threads, partial results merged at the end.

Chunks are decoded by the threads that work on them, a few at a time, so memory does not grow with the data.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from engine import memory
from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.errors import CancelledError
from engine.journeys.columns import SYSTEM
from engine.journeys.scan import Chunk, Load, loads
from engine.journeys.store import files
from engine.report import answers
from engine.report.aggregate import PARTIALS, counted, merged
from engine.report.elements import relation_name
from engine.report.frame import Frame
from engine.report.learned import learned_credit
from engine.report.pipeline import Aggregation, Partial, aggregations, evaluated
from engine.report.plan import Kind, ReportPlan, plan
from engine.report.request import ReportRequest
from engine.report.sql import Statements
from engine.report.tally import total
from engine.report.trace import Trace
from engine.world import Home, World

Partials = list[Partial]
"""One partial result for each lane of a plan, in its order."""

_THREADS: Final = os.cpu_count() or 1
_POLL: Final = 0.02
"""Seconds between two looks at whether a question was cancelled."""

READ: Final = "read"
MERGE: Final = "merge"
"""The steps before and after those that each chunk goes through."""


@dataclass(frozen=True)
class Job:
    """What is done with each chunk, prepared once for all of them.

    Attributes:
        aggregations: of the lanes of the plan, in its order.
        lookups: tables that statements may join, by name.
    """

    plan: ReportPlan
    aggregations: tuple[Aggregation, ...]
    lookups: dict[str, pa.Table]
    cancellation: Cancellation
    trace: Trace


def run(
    request: ReportRequest, home: Home, world: World, cancellation: Cancellation, trace: Trace | None = None
) -> pa.Table:
    """Answer a request from one world.

    Args:
        trace: notes what each step takes; the answer is then worked out even if it is known already.

    Returns:
        A table with the request's dimensions and then its metrics; one row for each group, no order.

    Raises:
        WaylineError: a name is unknown, a combination is not supported, or the question was cancelled.
    """
    planned = plan(request, world.definitions)

    def find(trace: Trace) -> pa.Table:
        chunks = report_loads(planned, home, world, cancellation)
        return answer(planned, chunks, world.definitions, cancellation, trace, home.datasets)

    if trace is not None:
        folder = home.journeys_path(planned.connection)
        trace.buckets = len(files(folder, world.journeys[planned.connection]).places)
        return find(trace)
    return answers.known(planned, home, world, lambda: find(Trace(counting=False)))


def answer(
    planned: ReportPlan,
    chunks: Iterable[Load | Chunk],
    definitions: Definitions,
    cancellation: Cancellation,
    trace: Trace | None = None,
    stored: Path | None = None,
) -> pa.Table:
    """Evaluate a plan over chunks, however many and however cut, and merge.

    Args:
        stored: the folder of the datasets that look-ups may read.
    """
    job = prepared(planned, cancellation, trace or Trace(counting=False), stored)
    partials = _in_threads(job, chunks) or [evaluated_chunk(job, empty_chunk(planned, definitions))]
    with job.trace.step(MERGE) as made:
        merged_table = _merged(job, partials)
        made(merged_table)
    return merged_table


def _merged(job: Job, partials: list[Partials]) -> pa.Table:
    planned = job.plan
    if planned.request.row_level:
        return pa.concat_tables(tables[0] for tables in partials)
    if all(aggregation.tallied for aggregation in job.aggregations):
        return total(planned, [table for tables in partials for table in tables])
    statements = Statements(job.cancellation, job.lookups)
    return statements.run_named(PARTIALS, _all_partials(planned, partials, statements), merged(planned))


def empty_answer(request: ReportRequest, world: World) -> pa.Table:
    """Return a request's answer over no events: its names and types, and one row where nothing is grouped."""
    table = answer(plan(request, world.definitions), [], world.definitions, Cancellation())
    return table.cast(pa.schema([(field.name, field.type) for field in table.schema]))


def report_loads(planned: ReportPlan, home: Home, world: World, cancellation: Cancellation) -> list[Load]:
    """Return what a plan reads, in chunks to be decoded."""
    return loads(
        home,
        planned.connection,
        world.journeys[planned.connection],
        planned.columns,
        start=planned.scan_start,
        end=planned.scan_end,
        world=world,
        check=cancellation.check,
    )


def prepared(
    planned: ReportPlan, cancellation: Cancellation, trace: Trace, stored: Path | None = None
) -> Job:
    """Return what is done with each chunk of a plan; look-ups are read for it, from what is stored."""
    lookups = _lookup_tables(planned, Statements(cancellation, {}, stored))
    return Job(planned, aggregations(planned), lookups, cancellation, trace)


@lru_cache(maxsize=1)
def report_threads() -> ThreadPoolExecutor:
    """Return the process's threads for chunks: starting some anew would take as long as a chunk."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="report")


def _in_threads(job: Job, chunks: Iterable[Load | Chunk]) -> list[Partials]:
    """Return the partial results of each chunk, in their order.

    Nothing is under way any more when this returns or raises; only a cancelled question is left to the
    threads, which stop at their next step, so that it ends at once.
    """
    futures: list[Future[Partials | None]] = []
    patience: float | None = None
    try:
        for chunk in chunks:
            _wait(futures, job.cancellation, _THREADS)
            futures.append(report_threads().submit(_partials, job, chunk))
        _wait(futures, job.cancellation, 0)
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


def _partials(job: Job, chunk: Load | Chunk) -> Partials | None:
    """Decode a chunk if need be, and evaluate it; None if nobody in it counts."""
    check = job.cancellation.check
    check()
    if isinstance(chunk, Chunk):
        return evaluated_chunk(job, chunk)
    with memory.decoding.taken(chunk.weight, check, job.cancellation.share):
        with job.trace.step(READ) as made:
            decoded = chunk.chunk(check)
            if decoded is not None:
                made(decoded)
        return None if decoded is None else evaluated_chunk(job, decoded)


def evaluated_chunk(job: Job, chunk: Chunk) -> Partials:
    """Take a decoded chunk through all steps."""
    frame = Frame(job.plan, chunk, Statements(job.cancellation, job.lookups))
    return evaluated(frame, job.aggregations, job.trace)


def _lookup_tables(planned: ReportPlan, statements: Statements) -> dict[str, pa.Table]:
    return {relation_name(lookup): statements.fetch(lookup.relation) for lookup in planned.request.lookups}


def _all_partials(planned: ReportPlan, partials: list[Partials], statements: Statements) -> pa.Table:
    tables: list[pa.Table] = []
    for lane, *found in zip(planned.lanes, *partials, strict=True):
        if lane.kind is Kind.SETS:
            found = learned_credit(planned, lane, found, statements)
        if lane.kind is Kind.DISTINCT:
            values = pa.concat_tables(found)
            found = [statements.run_named(PARTIALS, values, counted(planned, lane.metrics[0]))]
        tables += found
    return pa.concat_tables(tables, promote_options="default")


def empty_chunk(planned: ReportPlan, definitions: Definitions) -> Chunk:
    """Return a chunk of no events with the types that a plan's columns have."""
    connection = definitions.connections[planned.connection]
    types = dict(SYSTEM)
    for dataset in connection.datasets:
        leaves = definitions.datasets[dataset].leaves()
        types |= {path: field.arrow() for path, field in leaves.items()}
    columns = {name: pa.array([], types[name]) for name in planned.columns}
    return Chunk(np.zeros(1, np.int64), np.zeros(0, np.int64), columns)
