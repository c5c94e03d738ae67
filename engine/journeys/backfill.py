"""Backfill: copies fields that data views use into the base files that lack them, a slice at a time.

Answers do not change: until a file holds a field, the lake is read for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import polars as pl
import pyarrow as pa

from engine.journeys import lacking, runs
from engine.journeys.cache import Cache
from engine.journeys.columns import DATASET
from engine.journeys.copies import live
from engine.journeys.lacking import Lake
from engine.journeys.order import journey_order
from engine.journeys.runs import Progress
from engine.journeys.store import Files, JourneyFile
from engine.lake import delta
from engine.lake.table import ROW

_KEPT: Final = 512 << 20


def lagging(files: Files, schema: pa.Schema) -> list[JourneyFile]:
    """Return the base files that lack columns of a schema, oldest events first."""
    wanted = frozenset(schema.names)
    found = [file for file in files.base if not wanted <= lacking.held(files.table, file.path)]
    # Files of one time read the same lake files.
    return sorted(found, key=lambda file: (file.min_time or 0, file.path))


def backfill(
    files: Files,
    schema: pa.Schema,
    lake: Lake,
    progress: Progress | None = None,
    *,
    most: int = runs.SLICE_ROWS,
) -> int | None:
    """Rewrite base files that lack columns, in one commit; return the version, None if none lacks any.

    Rows that masks have killed are left out, so masks have nothing to say to the new files.

    Args:
        files: the newest version's files.
        schema: the connection's journey columns.
        lake: where the columns are read.
        progress: told how many rows of the slice are done.
        most: rows to rewrite at most; at least one file is.
    """
    due = lagging(files, schema)
    if not due:
        return None
    chosen = list(_first(due, most))
    kept, done = Cache(lambda: _KEPT), 0
    written: list[delta.NewFile] = []
    for file in chosen:
        rows = _completed(files, file, schema, lake, kept)
        if rows.height:
            written += runs.write_base(files.table, files.version + 1, rows, file.buckets)
        done += file.rows
        if progress is not None:
            progress("fields", done, sum(chosen_file.rows for chosen_file in chosen))
    return delta.commit(files.table, files.version, written, [file.path for file in chosen])


def _first(due: Sequence[JourneyFile], most: int) -> Iterator[JourneyFile]:
    rows = 0
    for file in due:
        rows += file.rows
        if rows > most and rows > file.rows:
            return
        yield file


def _completed(files: Files, file: JourneyFile, schema: pa.Schema, lake: Lake, kept: Cache) -> pl.DataFrame:
    """Return a base file's live rows in journey order, with every column of the schema."""
    held = lacking.common(files.table, [file], schema)
    alone = replace(files, base=(file,), level0=())
    found = live(alone, runs.polars_columns(held), held.names).collect()
    rows = found[journey_order(found)]
    located = lacking.locate(lake, rows[DATASET].to_numpy(), rows[ROW].to_numpy(), kept)
    added = {
        field.name: lacking.values_at(located, field.name, field.type, kept)
        for field in schema
        if field.name not in held.names
    }
    new = pl.from_arrow(pa.table(added))
    assert isinstance(new, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return rows.hstack(new).select(schema.names)
