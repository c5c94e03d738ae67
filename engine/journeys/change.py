"""Commits changes of persons: rows added, copies masked, reasons logged; seen once published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from engine.catalog.records import Skip
from engine.definitions.model import Definitions
from engine.journeys import delta, runs, stitch_log, store
from engine.journeys.columns import DATASET, HASH_HIGH, journey_schema
from engine.journeys.compact import compact
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
        dead: masks of the copies that no longer count (``_dataset, _row, _hash_high``), or None.
        kind: why, for the log.
    """

    parts: Sequence[Part]
    dead: pl.DataFrame | None
    kind: stitch_log.Kind


def commit(
    home: Home,
    definitions: Definitions,
    name: str,
    versions: Versions,
    change: Change,
    progress: Progress | None = None,
) -> Versions:
    """Write and commit a change to a connection's stitch log and journeys; compact if due."""
    log = commit_log(home, name, versions.stitch_log, change.parts, change.kind)
    schema = journey_schema(definitions, name)
    buckets = definitions.connections[name].buckets
    table = home.journeys_path(name)
    files = store.files(table, versions.journeys)
    written = _write_rows(files, schema, change.parts, buckets, progress)
    if change.dead is not None and change.dead.height:
        written.append(runs.write_mask(table, versions.journeys + 1, change.dead))
    if not written:
        return replace(versions, stitch_log=log)
    journeys = delta.commit(table, versions.journeys, written)
    compacted = compact(table, journeys, schema, buckets, progress)
    return replace(versions, journeys=compacted, stitch_log=log)


def commit_log(
    home: Home, name: str, version: int | None, parts: Sequence[Part], kind: stitch_log.Kind
) -> int | None:
    """Log the persons of stitched rows; return the log's version."""
    if version is None:
        return None
    log = home.stitch_log_path(name)
    entries = [
        stitch_log.write(log, version + 1, part.member.index, part.adds, kind)
        for part in parts
        if part.member.stitching is not None and part.adds.height
    ]
    return delta.commit(log, version, entries) if entries else version


def masks_of(files: store.Files, schema: pa.Schema, dataset: int, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the masks that take rows (``row, time``) of a dataset out of the journeys."""
    columns = runs.polars_columns(schema)
    if not rows.height:
        return pl.DataFrame(schema={column: columns[column] for column in store.MASK_COLUMNS})
    low, high = rows.select(low=pl.min("time"), high=pl.max("time")).row(0)
    wanted = pl.col(ROW).is_in(rows["row"].implode()) & (pl.col(DATASET) == dataset)
    found = live(files, columns, store.MASK_COLUMNS, where=wanted, start=low, end=high + 1)
    return found.select(DATASET, ROW, HASH_HIGH).collect()


def _write_rows(
    files: store.Files,
    schema: pa.Schema,
    parts: Sequence[Part],
    buckets: int,
    progress: Progress | None,
) -> list[delta.NewFile]:
    sequence = files.version + 1
    total = sum(part.adds.height for part in parts)
    first = not files.base and not files.level0 and not files.masks and total <= runs.SLICE_ROWS
    written: list[delta.NewFile] = []
    for rows in runs.ordered_slices(parts, schema, progress):
        if first:
            written += runs.write_base(files.table, sequence, rows, buckets)
        else:
            written.append(runs.write_level0(files.table, sequence, rows))
    return written
