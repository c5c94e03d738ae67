"""Reads the copies of rows that count: those of base and level-0 files that no later mask names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import polars as pl

from engine.journeys import store
from engine.journeys.columns import DATASET, HASH_HIGH
from engine.journeys.order import bucket_bounds
from engine.journeys.store import Files, JourneyFile
from engine.lake.table import ROW

_MASKED = "_masked"


def live(
    files: Files,
    columns: pl.Schema,
    wanted: Sequence[str],
    *,
    where: pl.Expr | None = None,
    start: int | None = None,
    end: int | None = None,
    hashes: tuple[int, int] | None = None,
    base: bool = True,
) -> pl.LazyFrame:
    """Return the live copies, in no order.

    Args:
        files: the files of a version.
        columns: all columns of the table; every file must hold those that are asked (see ``lacking``).
        wanted: the columns to return.
        where: condition on columns of the table.
        start: leave out files that end before this time in µs; rows outside may remain.
        end: leave out files that start at or after this time, likewise.
        hashes: first and last ``_hash_high`` of the rows to return.
        base: read base files; otherwise level 0 alone.
    """
    sources = [*(files.base if base else ()), *files.level0]
    frames = []
    for sequence, members in _commits(sources):
        near = [file for file in members if file.overlaps(start, end) and _within(file, hashes)]
        if near:
            frames.append(_copies(files, near, sequence, columns, wanted, where, hashes))
    if not frames:
        return pl.LazyFrame(schema={name: columns[name] for name in wanted})
    return pl.concat(frames)


def masks(files: Files, hashes: tuple[int, int] | None = None) -> pl.LazyFrame | None:
    """Return mask columns and ``_masked`` (commit of the last mask); None without masks."""
    if not files.masks:
        return None
    frames = []
    for sequence, members in _commits(files.masks):
        scanned = pl.scan_parquet([files.absolute(file) for file in members], glob=False)
        frames.append(scanned.with_columns(pl.lit(sequence, pl.Int64).alias(_MASKED)))
    every = pl.concat(frames)
    if hashes is not None:
        every = every.filter(pl.col(HASH_HIGH).is_between(*hashes))
    return every.group_by(store.MASK_COLUMNS).agg(pl.col(_MASKED).max())


def _commits(sources: Sequence[JourneyFile]) -> Iterator[tuple[int, list[JourneyFile]]]:
    ordered = sorted(sources, key=lambda file: file.sequence)
    for sequence, members in groupby(ordered, key=lambda file: file.sequence):
        yield sequence, list(members)


def _within(file: JourneyFile, hashes: tuple[int, int] | None) -> bool:
    if hashes is None or file.kind is not store.Kind.BASE:
        return True
    first, last = bucket_bounds(file.bucket, file.buckets)
    return first <= hashes[1] and last >= hashes[0]


def _copies(
    files: Files,
    near: Sequence[JourneyFile],
    sequence: int,
    columns: pl.Schema,
    wanted: Sequence[str],
    where: pl.Expr | None,
    hashes: tuple[int, int] | None,
) -> pl.LazyFrame:
    read = {*wanted, *store.MASK_COLUMNS, *(() if where is None else where.meta.root_names())}
    rows = pl.scan_parquet(
        [files.absolute(file) for file in near],
        schema=pl.Schema({name: columns[name] for name in sorted(read)}),
        missing_columns="raise",
        extra_columns="ignore",
        glob=False,
    )
    if hashes is not None:
        rows = rows.filter(pl.col(HASH_HIGH).is_between(*hashes))
    if where is not None:
        rows = rows.filter(where)
    dead = masks(files, hashes)
    if dead is None:
        return rows.select(wanted)
    later = dead.filter(pl.col(_MASKED) > sequence).select(DATASET, ROW, HASH_HIGH)
    return rows.join(later, on=[DATASET, ROW, HASH_HIGH], how="anti").select(wanted)
