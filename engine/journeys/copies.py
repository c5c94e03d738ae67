"""Reads the copies of rows that count: those of base and level-0 files that no later mask names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import polars as pl

from engine.journeys import store
from engine.journeys.columns import HASH_HIGH, TIME
from engine.journeys.store import Files, JourneyFile


def live(
    files: Files,
    columns: pl.Schema,
    wanted: Sequence[str],
    *,
    where: pl.Expr | None = None,
    start: int | None = None,
    end: int | None = None,
    hashes: tuple[int, int] | None = None,
    sources: Sequence[JourneyFile] | None = None,
) -> pl.LazyFrame:
    """Return the live copies, in an order that depends on the arguments but not on ``wanted``.

    Args:
        files: the files of a version.
        columns: all columns of the table; every file must hold those that are asked (see ``lacking``).
        wanted: the columns to return.
        where: condition on columns of the table.
        start: leave out files that end before this time in µs; rows outside may remain.
        end: leave out files that start at or after this time, likewise.
        hashes: first and last ``_hash_high`` of the rows to return.
        sources: the base and level-0 files to read; None reads all.
    """
    conditions = [] if where is None else [where]
    if hashes is not None:
        conditions.append(pl.col(HASH_HIGH).is_between(*hashes))
    every = [*files.base, *files.level0] if sources is None else sources
    near = [file for file in every if file.overlaps(start, end) and file.meets(hashes)]
    read = {*wanted, *store.MASK_COLUMNS, *(name for asked in conditions for name in asked.meta.root_names())}
    schema = pl.Schema({name: columns[name] for name in sorted(read)})
    frames = []
    for members, later in _by_masks(near, files.masks):
        rows = _rows(files, members, schema).filter(*conditions)
        if later:
            dead = masked(files, later, columns, hashes)
            rows = rows.join(dead, on=store.MASK_COLUMNS, how="anti", maintain_order="left")
        frames.append(rows.select(wanted))
    return pl.concat(frames) if frames else pl.LazyFrame(schema={name: columns[name] for name in wanted})


def masked(
    files: Files,
    masks: Sequence[JourneyFile],
    columns: pl.Schema,
    hashes: tuple[int, int] | None = None,
) -> pl.LazyFrame:
    """Return what masks name (``store.MASK_ROW``), each once; a time that none of them knows is NULL."""
    schema = {name: columns[name] for name in store.MASK_ROW}
    if not masks:
        return pl.LazyFrame(schema=schema)
    rows = _rows(files, masks, pl.Schema(schema), missing="insert")
    if hashes is not None:
        rows = rows.filter(pl.col(HASH_HIGH).is_between(*hashes))
    return rows.group_by(store.MASK_COLUMNS).agg(pl.col(TIME).max())


def _rows(
    files: Files,
    members: Sequence[JourneyFile],
    columns: pl.Schema,
    missing: Literal["insert", "raise"] = "raise",
) -> pl.LazyFrame:
    return pl.scan_parquet(
        [files.absolute(file) for file in members],
        schema=columns,
        missing_columns=missing,
        extra_columns="ignore",
        glob=False,
    )


def _by_masks(
    sources: Sequence[JourneyFile], masks: Sequence[JourneyFile]
) -> Iterator[tuple[list[JourneyFile], tuple[JourneyFile, ...]]]:
    """Put the files together that the same masks may hit."""
    groups: dict[tuple[JourneyFile, ...], list[JourneyFile]] = {}
    for file in sources:
        groups.setdefault(tuple(mask for mask in masks if _may_hit(mask, file)), []).append(file)
    for later, members in groups.items():
        yield members, later


def _may_hit(mask: JourneyFile, file: JourneyFile) -> bool:
    if mask.sequence <= file.sequence or not mask.meets(file.hashes):
        return False
    if mask.min_time is None or mask.max_time is None:
        return True
    return file.overlaps(mask.min_time, mask.max_time + 1)
