"""The table of a connection's devices: one row per dataset and device, the newest commit's row wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from engine.lake import delta, keyed
from stitching import timeline
from stitching.names import LookUp

_RUN: Final = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("person", pa.string())])

SCHEMA: Final = pa.schema(
    [
        pa.field("dataset", pa.int16()),
        pa.field("hash", pa.int64()),
        pa.field("device", pa.string()),
        pa.field("known", pa.string()),
        pa.field("known_batch", pa.int64()),
        pa.field("known_time", pa.int64()),
        pa.field("runs", pa.list_(pa.field("element", _RUN))),
    ]
)
"""``hash`` is the device's; ``known_batch`` and ``known_time`` are where ``known`` was named."""

STATES: Final = pl.Schema(
    {
        "device": pl.String(),
        "known": pl.String(),
        "known_batch": pl.Int64(),
        "known_time": pl.Int64(),
        "runs": pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64, "person": pl.String})),
    }
)
"""What is known of devices of one dataset; ``known`` and ``runs`` are null once nothing is."""

_KEY: Final = ("dataset", "device")
_ORDER: Final = ("dataset", "hash")


def read(
    table: Path,
    version: int,
    dataset: int,
    devices: pl.Series | None = None,
    columns: Sequence[str] = tuple(STATES),
) -> pl.DataFrame:
    """Return what a version says of devices (``STATES``); of unknown ones nothing.

    Args:
        table: folder of the table.
        version: its version.
        dataset: the dataset's place in the connection.
        devices: distinct strings, none of them null; None is all that are known. Others whose hash is
            equal by chance may be returned with them.
        columns: the columns to return.
    """
    sources = keyed.files(table, version)
    if not sources or (devices is not None and not len(devices)):
        return pl.DataFrame(schema={name: STATES[name] for name in columns})
    asked = None if devices is None else keyed.hashes(devices)
    mine = pl.col("dataset") == dataset
    return keyed.find(table, sources, _KEY, columns, asked=asked, where=mine)


def known_before(table: Path, version: int, dataset: int, instant: int, *, events: int) -> LookUp:
    """Return what tells whom devices of a dataset had named last at or before an instant in µs.

    Args:
        table: folder of the table.
        version: its version.
        dataset: the dataset's place in the connection.
        instant: the instant.
        events: on about how many events it will be asked for: a table that has no more rows than that is
            read now, of a larger one what is then asked.
    """
    return keyed.look_up(
        table,
        keyed.files(table, version),
        text="device",
        answer=timeline.known_at(pl.col("runs"), instant),
        hashed=keyed.hashes,
        where=pl.col("dataset") == dataset,
        ahead=events,
    )


def commit(table: Path, version: int, states: Mapping[int, pl.DataFrame]) -> int:
    """Commit what changed, dataset → ``STATES``; return the new version, or the old one if nothing did.

    Raises:
        HomeError: somebody else wrote to the table.
    """
    rows = _rows(states)
    if not rows.height:
        return version
    rows, merged = keyed.taken_in(table, keyed.files(table, version), rows, _KEY, version + 1)
    written = keyed.write(table, "", version + 1, rows, _ORDER)
    return delta.commit(table, version, [written], [file.path for file in merged])


def purge(table: Path, version: int, states: Mapping[int, pl.DataFrame], names: Sequence[str]) -> int:
    """Commit what changed, so that no file of the new version holds some devices or persons; return it.

    If any did, all files are merged, and devices of which nothing is known go.

    Args:
        table: folder of the table.
        version: its newest version.
        states: as of ``commit``; without those devices and persons.
        names: the devices and persons.
    """
    sources = keyed.files(table, version)
    if not sources or not _holds(table, sources, names):
        return commit(table, version, states)
    fresh = _rows(states).with_columns(pl.lit(version + 1, pl.Int64).alias(keyed.SEQUENCE))
    rows = pl.concat([keyed.scan(table, sources).collect(), *([fresh] if fresh.width > 1 else [])])
    known = pl.col("known").is_not_null() | (pl.col("runs").list.len() > 0)
    left = keyed.newest(rows, _KEY).filter(known).select(SCHEMA.names)
    written = [keyed.write(table, "", version + 1, left, _ORDER)] if left.height else []
    return delta.commit(table, version, written, [file.path for file in sources])


def _holds(table: Path, sources: Sequence[keyed.KeyedFile], names: Sequence[str]) -> bool:
    """Return whether a file says something of devices or persons, be it outdated."""
    wanted = pl.Series(names, dtype=pl.String).implode()
    persons = pl.col("runs").list.eval(pl.element().struct.field("person").is_in(names)).list.any()
    held = pl.col("device").is_in(wanted) | pl.col("known").is_in(wanted) | persons.fill_null(False)
    return bool(keyed.scan(table, sources).filter(held).select(pl.len()).collect().item())


def overwrite(table: Path, states: Mapping[int, pl.DataFrame]) -> int:
    """Make the table anew, whatever it held, in one commit; return its version."""
    version = delta.create(table, SCHEMA, "dataset")
    delta.sweep(table, version)
    rows = _rows(states)
    written = [keyed.write(table, "", version + 1, rows, _ORDER)] if rows.height else []
    return delta.overwrite(table, version, SCHEMA, written)


def _rows(states: Mapping[int, pl.DataFrame]) -> pl.DataFrame:
    frames = [_numbered(dataset, found) for dataset, found in states.items()]
    return pl.concat(frames) if frames else pl.DataFrame()


def _numbered(dataset: int, states: pl.DataFrame) -> pl.DataFrame:
    told = states.with_columns(keyed.hashes(states["device"]), dataset=pl.lit(dataset, pl.Int16))
    return told.select(SCHEMA.names)
