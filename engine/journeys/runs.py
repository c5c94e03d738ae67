"""Writes rows that know their persons into journey files: a level-0 run, a new base, or a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from engine.journeys import store
from engine.journeys.columns import HASH_HIGH, NAMESPACE, PERSON, TIME
from engine.journeys.intake import Member, full_rows
from engine.journeys.order import bucket_bounds, buckets_of, hashed_and_ordered
from engine.lake import delta
from engine.lake.table import ROW, LakeFile

SLICE_ROWS: Final = 1 << 21
"""Rows that are in memory at once while journeys are written."""
FILE_ROWS: Final = 1 << 14
"""Neighbouring months share a base file until it has this many rows."""
_GROUP: Final = 1 << 20

Progress = Callable[[str, int, int], None]
"""Told (phase, done, total) now and then."""


@dataclass(frozen=True)
class Part:
    """Rows of one dataset on their way into journeys.

    Attributes:
        files: the lake files that hold them.
        adds: ``row, _person, _namespace``.
        rows: journeys that hold them already, whole; the lake is then not asked.
        whole: the rows themselves, in the order of ``adds``, with all columns but those of ``adds`` and
            the hash; nothing is then read.
    """

    member: Member
    files: Sequence[LakeFile]
    adds: pl.DataFrame
    rows: pl.LazyFrame | None = None
    whole: pl.DataFrame | None = None


def polars_columns(schema: pa.Schema) -> pl.Schema:
    """Return the Polars types of journey columns."""
    return pl.Schema(schema)


def ordered(pieces: Sequence[Part], schema: pa.Schema) -> pl.DataFrame:
    """Return the whole rows of a slice in journey order."""
    columns = polars_columns(schema)
    wanted = pl.Schema({name: kind for name, kind in columns.items() if not name.startswith("_hash_")})
    frames = [_whole(part, wanted) for part in pieces]
    rows = pl.concat([frame for frame in frames if frame.height] or frames[:1])
    return hashed_and_ordered(rows).select(list(columns))


def _whole(part: Part, columns: pl.Schema) -> pl.DataFrame:
    """Return a part's rows with their persons and all columns but the hash."""
    if part.whole is not None:
        return part.whole.with_columns(part.adds[PERSON], part.adds[NAMESPACE]).select(list(columns))
    if part.rows is None:
        return full_rows(part.member, part.files, part.adds, columns)
    adds = part.adds.select(pl.col("row").alias(ROW), PERSON, NAMESPACE)
    rows = part.rows.filter(pl.col(ROW).is_in(adds[ROW].implode())).drop(PERSON, NAMESPACE).collect()
    return rows.join(adds, on=ROW).select(list(columns))


def write_level0(
    table: Path, sequence: int, rows: pl.DataFrame, place: tuple[int, int] | None = None
) -> delta.NewFile:
    """Write rows in journey order as a level-0 file, a split one if a bucket is given."""
    path = store.level0_path(sequence, place)
    return delta.write_file(table, path, rows, group=rows.height, time_column=TIME)


def write_mask(
    table: Path, sequence: int, dead: pl.DataFrame, place: tuple[int, int] | None = None
) -> delta.NewFile:
    """Write a mask: ``store.MASK_ROW`` of copies that no longer count."""
    rows = dead.select(store.MASK_ROW).sort(HASH_HIGH)
    return delta.write_file(table, store.mask_path(sequence, place), rows, group=_GROUP, time_column=TIME)


def split_rows(
    table: Path, sequence: int, rows: pl.DataFrame, places: Sequence[tuple[int, int]]
) -> list[delta.NewFile]:
    """Write rows in journey order as one level-0 file per bucket that has any."""
    pieces = _pieces(rows, places)
    return [write_level0(table, sequence, piece, place) for place, piece in pieces]


def split_mask(
    table: Path, sequence: int, dead: pl.DataFrame, places: Sequence[tuple[int, int]]
) -> list[delta.NewFile]:
    """Write a mask per bucket that has any."""
    pieces = _pieces(dead.sort(HASH_HIGH), places)
    return [write_mask(table, sequence, piece, place) for place, piece in pieces]


def _pieces(
    rows: pl.DataFrame, places: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], pl.DataFrame]]:
    """Cut rows in the order of hashes along buckets; places without rows are left out."""
    highs = rows[HASH_HIGH].to_numpy()
    for place in places:
        first, last = bucket_bounds(*place)
        start, end = np.searchsorted(highs, first, "left"), np.searchsorted(highs, last, "right")
        if end > start:
            yield place, rows.slice(int(start), int(end - start))


def write_base(table: Path, sequence: int, rows: pl.DataFrame, buckets: int) -> list[delta.NewFile]:
    """Write rows in journey order as base files: per bucket, a month or several small ones."""
    written = []
    present = np.unique(buckets_of(rows[HASH_HIGH].to_numpy(), buckets)).tolist()
    for (bucket, _), piece in _pieces(rows, [(bucket, buckets) for bucket in present]):
        for month, epoch in _epochs(piece):
            path = store.base_path(sequence, bucket, buckets, month)
            written.append(delta.write_file(table, path, epoch, group=_GROUP, time_column=TIME))
    return written


def hash_ranges(rows: int, most: int) -> list[tuple[int, int]]:
    """Divide the hash space so that each part holds a slice of rows; at most ``most`` parts."""
    parts = 1
    while parts < most and rows > parts * SLICE_ROWS:
        parts *= 2
    return [bucket_bounds(part, parts) for part in range(parts)]


def _epochs(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Split a bucket's rows by month; months are put together until a file is worth its name."""
    moment = pl.col(TIME).cast(pl.Datetime("us"))
    months = rows.select(moment.dt.strftime("%Y-%m")).to_series()
    counts = months.value_counts().sort(TIME)
    names: list[str] = []
    gathered = 0
    for place, (month, count) in enumerate(counts.iter_rows()):
        names.append(month)
        gathered += count
        if gathered >= FILE_ROWS or place == counts.height - 1:
            yield names[0], rows if gathered == rows.height else rows.filter(months.is_in(names))
            names, gathered = [], 0


def slices(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Cut parts along their lake files into slices of bounded size; the same parts give the same slices."""
    pending: list[Part] = []
    room = SLICE_ROWS
    for part in parts:
        if part.whole is not None or part.rows is not None:
            yield from ([piece] for piece in _cut(part))
            continue
        for files in _file_groups(part):
            rows = min(sum(file.rows for file in files), part.adds.height)
            if pending and rows > room:
                yield pending
                pending, room = [], SLICE_ROWS
            pending.append(Part(part.member, files, part.adds))
            room -= rows
    if pending:
        yield pending


def _cut(part: Part) -> Iterator[Part]:
    """Cut a part that needs no lake files into slices."""
    for start in range(0, part.adds.height, SLICE_ROWS):
        whole = None if part.whole is None else part.whole.slice(start, SLICE_ROWS)
        yield replace(part, adds=part.adds.slice(start, SLICE_ROWS), whole=whole)


def _file_groups(part: Part) -> Iterator[list[LakeFile]]:
    if part.adds.height * 4 < SLICE_ROWS:
        if part.files:
            yield list(part.files)
        return
    group: list[LakeFile] = []
    for file in part.files:
        if group and sum(known.rows for known in group) + file.rows > SLICE_ROWS:
            yield group
            group = []
        group.append(file)
    if group:
        yield group
