"""Compaction: merges level-0 runs and masks into one run, or into the base once there are many.

The rows that count stay the same, so answers do not change; memory stays at a slice of the hash
space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from engine.journeys import delta, lacking, runs, store
from engine.journeys.copies import live
from engine.journeys.order import journey_order
from engine.journeys.runs import Progress
from engine.journeys.store import Files

MAX_RUNS: Final = 16
"""More level-0 runs than this are merged."""
BASE_SHARE: Final = 4
"""Level 0 goes to the base once it has more than one row for this many in the base."""
ROWS_PER_BUCKET: Final = 2_000_000
"""Buckets double until they hold no more rows than this on average."""

_Ordered = Iterator[pl.DataFrame]


def compact(
    table: Path, version: int, schema: pa.Schema, buckets: int, progress: Progress | None = None
) -> int:
    """Merge what has piled up, if anything is due; return the table's version.

    Args:
        table: folder of the journey table.
        version: its newest version.
        schema: the connection's journey columns.
        buckets: the connection's initial number of buckets.
        progress: told how many rows are done.
    """
    files = store.files(table, version)
    if _base_is_due(files):
        return merge_into_base(files, schema, buckets, progress)
    if files.runs > MAX_RUNS:
        return merge_runs(files, schema, progress)
    return version


def merge_into_base(files: Files, schema: pa.Schema, buckets: int, progress: Progress | None = None) -> int:
    """Rewrite all live rows as base files and drop everything else; return the new version."""
    grown = grown_buckets(files.base_rows + files.level0_rows, buckets)
    most = min(grown, files.buckets) if files.base else grown

    def write(rows: pl.DataFrame) -> list[delta.NewFile]:
        return runs.write_base(files.table, files.version + 1, rows, grown)

    schema = lacking.common(files.table, (*files.base, *files.level0), schema)
    slices = _live_slices(files, schema, most, base=True, progress=progress)
    written = _written(slices, write)
    replaced = [file.path for file in (*files.base, *files.level0, *files.masks)]
    return delta.commit(files.table, files.version, written, replaced)


def merge_runs(files: Files, schema: pa.Schema, progress: Progress | None = None) -> int:
    """Rewrite level 0 as one run and one mask; return the new version."""
    sequence = files.version + 1
    schema = lacking.common(files.table, files.level0, schema)
    most = 1 << max(0, (files.level0_rows // runs.SLICE_ROWS).bit_length())

    def write(rows: pl.DataFrame) -> list[delta.NewFile]:
        return [runs.write_level0(files.table, sequence, rows)]

    written = _written(_live_slices(files, schema, most, base=False, progress=progress), write)
    if files.masks and files.base:
        every = [pl.scan_parquet(files.absolute(file), glob=False) for file in files.masks]
        written.append(runs.write_mask(files.table, sequence, pl.concat(every).unique().collect()))
    replaced = [file.path for file in (*files.level0, *files.masks)]
    return delta.commit(files.table, files.version, written, replaced)


def grown_buckets(rows: int, buckets: int) -> int:
    """Return how many buckets this many rows want: a power of two, at least ``buckets``."""
    while rows > buckets * ROWS_PER_BUCKET:
        buckets *= 2
    return buckets


def _base_is_due(files: Files) -> bool:
    if files.level0_rows * BASE_SHARE > files.base_rows:
        return True
    masked = sum(file.rows for file in files.masks)
    return masked * BASE_SHARE > files.base_rows and masked > 0


def _live_slices(
    files: Files, schema: pa.Schema, most: int, *, base: bool, progress: Progress | None
) -> _Ordered:
    columns = runs.polars_columns(schema)
    total = files.level0_rows + (files.base_rows if base else 0)
    ranges = runs.hash_ranges(total, most)
    for done, hashes in enumerate(ranges):
        if progress is not None:
            progress("compaction", done, len(ranges))
        found = live(files, columns, list(columns), hashes=hashes, base=base).collect()
        if found.height:
            yield found[journey_order(found)]


def _written(slices: _Ordered, write: Callable[[pl.DataFrame], list[delta.NewFile]]) -> list[delta.NewFile]:
    return [file for rows in slices for file in write(rows)]
