"""Runs a planned report on this machine: chunks in threads, partial results merged at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.journeys.scan import Chunk, scan
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
    return answer(planned, _chunks(planned, home, world), world.definitions, cancellation)


def answer(
    planned: ReportPlan,
    chunks: Iterable[Chunk],
    definitions: Definitions,
    cancellation: Cancellation,
) -> pa.Table:
    """Evaluate a plan over chunks, however many and however cut, and merge."""
    work = _prepared(planned, cancellation)
    partials = _in_threads(work, chunks) or [_partials(work, empty_chunk(planned, definitions))]
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


def _chunks(planned: ReportPlan, home: Home, world: World) -> Iterator[Chunk]:
    return scan(
        home,
        planned.connection,
        world.journeys[planned.connection],
        planned.columns,
        start=planned.scan_start,
        end=planned.request.range.end,
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
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="report")


def _in_threads(work: Work, chunks: Iterable[Chunk]) -> list[Partials]:
    """Return the partial results of each chunk; nothing is under way any more when this returns or raises."""
    futures: list[Future[Partials]] = []
    try:
        for chunk in chunks:
            futures.append(_threads().submit(_partials, work, chunk))
        return [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


def _partials(work: Work, chunk: Chunk) -> Partials:
    work.cancellation.check()
    frame = Frame(work.plan, chunk, Statements(work.cancellation, work.lookups))
    return [step(frame) for step in work.steps]


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
