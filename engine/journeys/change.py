"""Commits changes of persons: rows added, copies masked, reasons logged; seen once published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pyarrow as pa

from engine.catalog.records import Skip
from engine.definitions.model import Definitions
from engine.journeys import delta, runs, stitch_log, store
from engine.journeys.columns import DATASET, journey_schema
from engine.journeys.compact import covering, grown_buckets
from engine.journeys.copies import live
from engine.journeys.runs import Part, Progress
from engine.lake.table import ROW
from engine.world import Home, World


@dataclass(frozen=True)
class Versions:
    """Where a connection's tables stand.

    Attributes:
        stitch_log: None if nothing in the connection is stitched.
        devices: None likewise, and in a home that does not have them yet.
    """

    journeys: int
    stitch_log: int | None
    devices: int | None = None


def versions_of(world: World, name: str) -> Versions:
    """Return where a connection's tables stand in a world."""
    return Versions(world.journeys[name], world.stitch_logs.get(name), world.devices.get(name))


@dataclass(frozen=True)
class Outcome:
    """What was committed and must be published.

    Attributes:
        skips: rows that the connection did not take.
    """

    versions: Versions
    skips: tuple[Skip, ...] = ()


@dataclass(frozen=True)
class Change:
    """Rows that get a (new) person.

    Attributes:
        parts: the rows, per dataset.
        dead: what masks the copies that no longer count (``store.MASK_ROW``), or None.
        kind: why, for the log.
        schema: the columns that the rows bring; None if they bring all that journeys hold.
    """

    parts: Sequence[Part]
    dead: pl.DataFrame | None
    kind: stitch_log.Kind
    schema: pa.Schema | None = None


def commit(
    home: Home,
    definitions: Definitions,
    name: str,
    versions: Versions,
    change: Change,
    progress: Progress | None = None,
) -> Versions:
    """Write and commit a change to a connection's stitch log and journeys."""
    schema = change.schema or journey_schema(definitions, name)
    buckets = definitions.connections[name].buckets
    table = home.journeys_path(name)
    files = store.files(table, versions.journeys)
    alone = len(list(runs.slices(change.parts))) == 1
    write = writer(files, sum(part.adds.height for part in change.parts), buckets, alone=alone)
    dead = change.dead if change.dead is not None and change.dead.height else None
    with ThreadPoolExecutor(1) as beside:
        log = beside.submit(commit_log, home, name, versions.stitch_log, change.parts, change.kind)
        mask = beside.submit(write.mask, dead) if dead is not None else None
        slices = runs.ordered_slices(change.parts, schema, progress)
        written = [file for rows in slices for file in write.rows(rows)]
        written += mask.result() if mask is not None else []
        logged = log.result()
    journeys = delta.commit(table, files.version, written) if written else files.version
    return replace(versions, journeys=journeys, stitch_log=logged)


def commit_log(
    home: Home, name: str, version: int | None, parts: Sequence[Part], kind: stitch_log.Kind
) -> int | None:
    """Log the persons of stitched rows; return the log's version."""
    if version is None:
        return None
    log = home.stitch_log_path(name)
    entries = log_entries(log, version + 1, parts, kind)
    return delta.commit(log, version, entries) if entries else version


def log_entries(
    log: Path, sequence: int, parts: Sequence[Part], kind: stitch_log.Kind
) -> list[delta.NewFile]:
    """Write what the log shall say of the persons of stitched rows, for the commit with this number."""
    return [
        stitch_log.write(log, sequence, part.member.index, part.adds, kind)
        for part in parts
        if part.member.stitching is not None and part.adds.height
    ]


def masks_of(files: store.Files, schema: pa.Schema, dataset: int, rows: pl.DataFrame) -> pl.DataFrame:
    """Return what masks rows (``row, time``) of a dataset: ``store.MASK_ROW`` of their live copies."""
    columns = runs.polars_columns(schema)
    if not rows.height:
        return pl.DataFrame(schema={column: columns[column] for column in store.MASK_ROW})
    low, high = rows.select(low=pl.min("time"), high=pl.max("time")).row(0)
    wanted = pl.col(ROW).is_in(rows["row"].implode()) & (pl.col(DATASET) == dataset)
    return live(files, columns, store.MASK_ROW, where=wanted, start=low, end=high + 1).collect()


@dataclass(frozen=True)
class Writer:
    """How rows of a change, in journey order, and its mask become files."""

    rows: Callable[[pl.DataFrame], list[delta.NewFile]]
    mask: Callable[[pl.DataFrame], list[delta.NewFile]]


def writer(files: store.Files, rows: int, buckets: int, *, alone: bool) -> Writer:
    """Choose the files of a change: unsplit ones, unless nothing is there that forbids others.

    The first rows are the base, or where they are many split at once, as are others if no file is
    unsplit: they take the way into the base bucket by bucket, within the memory of a slice.

    Args:
        files: the files before the change.
        rows: number of rows that it brings.
        buckets: the connection's initial number of buckets.
        alone: whether one slice holds them all; two would be base files of one bucket and month.
    """
    table, sequence = files.table, files.version + 1
    empty = not files.places and not files.unsplit
    many = rows > runs.SLICE_ROWS or (empty and not alone)
    if many and not files.unsplit:
        places = covering(files.places, grown_buckets(rows, buckets) if empty else buckets)
        return Writer(
            lambda found: runs.split_rows(table, sequence, found, places),
            lambda dead: runs.split_mask(table, sequence, dead, places),
        )
    if empty:
        grown = grown_buckets(rows, buckets)
        return Writer(
            lambda found: runs.write_base(table, sequence, found, grown),
            lambda dead: [runs.write_mask(table, sequence, dead)],
        )
    return Writer(
        lambda found: [runs.write_level0(table, sequence, found)],
        lambda dead: [runs.write_mask(table, sequence, dead)],
    )
