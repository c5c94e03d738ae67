"""Runs a planned report on this machine: chunks in threads, partial results merged at the end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pyarrow as pa

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.journeys.scan import Chunk, scan
from engine.report.aggregate import PARTIALS, counted, merged, partial, relation_name
from engine.report.frame import Frame
from engine.report.lanes import lane_rows
from engine.report.plan import Kind, ReportPlan, plan
from engine.report.request import ReportRequest
from engine.report.sql import Statements
from engine.world import Home, World

Partials = list[pa.Table]
"""One partial result for each lane of a plan, in its order."""


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
    lookups = _lookup_tables(planned, cancellation)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        futures = [threads.submit(_partials, planned, chunk, lookups, cancellation) for chunk in chunks]
        partials = [future.result() for future in futures]
    if not partials:
        partials = [_partials(planned, empty_chunk(planned, definitions), lookups, cancellation)]
    statements = Statements(cancellation, {})
    if planned.request.row_level:
        return pa.concat_tables(tables[0] for tables in partials)
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
    )


def _partials(
    planned: ReportPlan,
    chunk: Chunk,
    lookups: dict[str, pa.Table],
    cancellation: Cancellation,
) -> Partials:
    cancellation.check()
    statements = Statements(cancellation, lookups)
    frame = Frame(planned, chunk, statements)
    return [statements.run(lane_rows(frame, lane), partial(planned, lane)) for lane in planned.lanes]


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


@lru_cache(maxsize=1)
def _no_events() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(1, np.int64), np.zeros(0, np.int64)


def empty_chunk(planned: ReportPlan, definitions: Definitions) -> Chunk:
    """Return a chunk of no events with the types that a plan's columns have."""
    connection = definitions.connections[planned.connection]
    types: dict[str, pa.DataType] = {"_person": pa.string()}
    for dataset in connection.datasets:
        leaves = definitions.datasets[dataset].leaves()
        types |= {path: field.arrow() for path, field in leaves.items()}
    offsets, times = _no_events()
    return Chunk(offsets, times, {name: pa.array([], types[name]) for name in planned.columns})
