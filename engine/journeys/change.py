"""Commits changes of persons: rows added, copies masked, reasons logged; seen once published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa

from engine.catalog.records import Skip
from engine.definitions.model import Definitions
from engine.journeys import runs, staging, stitch_log, store
from engine.journeys.columns import DATASET, journey_schema
from engine.journeys.compact import covering, grown_buckets
from engine.journeys.copies import live
from engine.journeys.runs import Part, Progress
from engine.lake import delta
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
        basis: what the rows follow from, if finished slices of many rows shall outlive this process.
    """

    parts: Sequence[Part]
    dead: pl.DataFrame | None
    kind: stitch_log.Kind
    schema: pa.Schema | None = None
    basis: staging.Basis | None = None


def commit(
    home: Home,
    definitions: Definitions,
    name: str,
    versions: Versions,
    change: Change,
    progress: Progress | None = None,
) -> Versions:
    """Write and commit a change to a connection's stitch log and journeys; the commits come last."""
    schema = change.schema or journey_schema(definitions, name)
    files = store.files(home.journeys_path(name), versions.journeys)
    pieces = list(runs.slices(change.parts))
    task = _Task(files, schema, pieces, sum(part.adds.height for part in change.parts), progress)
    write = writer(files, task.rows, definitions.connections[name].buckets, alone=len(pieces) == 1)
    dead = change.dead if change.dead is not None and change.dead.height else None
    log = partial(_log_entries, home, name, versions.stitch_log, change.parts, change.kind)
    with ThreadPoolExecutor(1) as beside:
        entries = beside.submit(log)
        mask = beside.submit(write.mask, dead) if dead is not None else None
        basis = change.basis if len(pieces) > 1 else None
        written = _written(task, write) if basis is None else _kept(task, write, basis)
        written += mask.result() if mask is not None else []
        logged = beside.submit(_commit_entries, home, name, versions.stitch_log, entries.result())
        journeys = delta.commit(files.table, files.version, written) if written else files.version
        return replace(versions, journeys=journeys, stitch_log=logged.result())


@dataclass(frozen=True)
class _Task:
    """Rows to be written beside the files that are there, in pieces that fit into memory."""

    files: store.Files
    schema: pa.Schema
    pieces: Sequence[Sequence[Part]]
    rows: int
    progress: Progress | None

    @property
    def sequence(self) -> int:
        """The number of the commit to come."""
        return self.files.version + 1

    def report(self, written: Sequence[delta.NewFile]) -> None:
        """Tell how many rows are written."""
        if self.progress is not None:
            self.progress("journeys", sum(file.rows for file in written), self.rows)


def _written(task: _Task, write: Writer) -> list[delta.NewFile]:
    """Write rows piece by piece; return the files."""
    written: list[delta.NewFile] = []
    for piece in task.pieces:
        rows = runs.ordered(piece, task.schema)
        written += write.rows(task.files.table, task.sequence, rows) if rows.height else []
        task.report(written)
    return written


def _kept(task: _Task, write: Writer, basis: staging.Basis) -> list[delta.NewFile]:
    """Write rows piece by piece, but for pieces that are finished already; each is kept till the commit."""
    table = task.files.table
    staging.prepare(table, basis)
    written: list[delta.NewFile] = []
    for number, piece in enumerate(task.pieces):
        found = staging.finished(table, number)
        if found is None:
            found = staging.write(table, number, partial(_write_piece, piece, task.schema, write))
        written += found
        task.report(written)
    return staging.named(table, task.sequence, written)


def _write_piece(
    piece: Sequence[Part], schema: pa.Schema, write: Writer, folder: Path
) -> list[delta.NewFile]:
    rows = runs.ordered(piece, schema)
    return write.rows(folder, 0, rows) if rows.height else []


def commit_log(
    home: Home, name: str, version: int | None, parts: Sequence[Part], kind: stitch_log.Kind
) -> int | None:
    """Log the persons of stitched rows; return the log's version."""
    return _commit_entries(home, name, version, _log_entries(home, name, version, parts, kind))


def _log_entries(
    home: Home, name: str, version: int | None, parts: Sequence[Part], kind: stitch_log.Kind
) -> list[delta.NewFile]:
    if version is None:
        return []
    return log_entries(home.stitch_log_path(name), version + 1, parts, kind)


def _commit_entries(
    home: Home, name: str, version: int | None, entries: Sequence[delta.NewFile]
) -> int | None:
    if version is None or not entries:
        return version
    return delta.commit(home.stitch_log_path(name), version, entries)


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
    """How rows of a change, in journey order, and its mask become files.

    Attributes:
        rows: takes the folder to write to, the number of the commit, and the rows.
    """

    rows: Callable[[Path, int, pl.DataFrame], list[delta.NewFile]]
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
            lambda folder, number, found: runs.split_rows(folder, number, found, places),
            lambda dead: runs.split_mask(table, sequence, dead, places),
        )
    if empty:
        grown = grown_buckets(rows, buckets)
        return Writer(
            lambda folder, number, found: runs.write_base(folder, number, found, grown),
            lambda dead: [runs.write_mask(table, sequence, dead)],
        )
    return Writer(
        lambda folder, number, found: [runs.write_level0(folder, number, found)],
        lambda dead: [runs.write_mask(table, sequence, dead)],
    )
