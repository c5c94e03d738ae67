"""The table of a connection's devices: one row per dataset and device, the newest commit's row wins.

Few files, by size in tiers: a commit takes in the files before it that are no larger than what it
brings, so a row is rewritten a few times at most and a look-up opens a few files.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from engine.journeys import delta, store
from engine.lake.hashes import text_hashes

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

_GROUP: Final = 1 << 16
_KEY: Final = ("dataset", "device")
_FEW: Final = 8


@dataclass(frozen=True)
class DeviceFile:
    """A file of the table.

    Attributes:
        path: relative to the table.
    """

    path: str
    rows: int


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
    sources = files(table, version)
    if not sources or (devices is not None and not len(devices)):
        return pl.DataFrame(schema={name: STATES[name] for name in columns})
    wanted = dict.fromkeys(["dataset", "hash", "device", *columns, "sequence"])
    rows = _scan(table, sources).filter(pl.col("dataset") == dataset).select(*wanted)
    if devices is None:
        return _newest(rows.collect()).select(*columns)
    asked = pl.col("hash").is_in(pl.Series(text_hashes(devices).view(np.int64)).implode())
    few = len(devices) * _FEW < sum(file.rows for file in sources)
    # Looking for many while reading costs more than reading everything.
    found = rows.filter(asked).collect() if few else rows.collect().filter(asked)
    return _newest(found).select(*columns)


def commit(table: Path, version: int, states: Mapping[int, pl.DataFrame]) -> int:
    """Commit what changed, dataset → ``STATES``; return the new version, or the old one if nothing did.

    Raises:
        HomeError: somebody else wrote to the table.
    """
    rows = _rows(states)
    if not rows.height:
        return version
    merged = _tier(files(table, version), rows.height)
    if merged:
        old = _scan(table, merged).collect()
        fresh = rows.with_columns(sequence=pl.lit(version + 1, pl.Int64))
        rows = _newest(pl.concat([old, fresh])).select(SCHEMA.names)
    return delta.commit(table, version, [_write(table, version + 1, rows)], [file.path for file in merged])


def purge(table: Path, version: int, states: Mapping[int, pl.DataFrame]) -> int:
    """Commit what changed so that the new version's files hold nothing else; return it.

    All files are merged, and devices of which nothing is known go, as does what was known before.
    """
    sources = files(table, version)
    told = [_scan(table, sources).collect()] if sources else []
    rows = _rows(states)
    if rows.height:
        told.append(rows.with_columns(sequence=pl.lit(version + 1, pl.Int64)))
    if not told:
        return version
    known = pl.col("known").is_not_null() | (pl.col("runs").list.len() > 0)
    left = _newest(pl.concat(told)).filter(known).select(SCHEMA.names)
    written = [_write(table, version + 1, left)] if left.height else []
    return delta.commit(table, version, written, [file.path for file in sources])


def overwrite(table: Path, states: Mapping[int, pl.DataFrame]) -> int:
    """Make the table anew, whatever it held, in one commit; return its version."""
    version = delta.create(table, SCHEMA, "dataset")
    delta.sweep(table, version)
    rows = _rows(states)
    written = [_write(table, version + 1, rows)] if rows.height else []
    return delta.overwrite(table, version, SCHEMA, written)


def _rows(states: Mapping[int, pl.DataFrame]) -> pl.DataFrame:
    frames = [_numbered(dataset, found) for dataset, found in states.items()]
    return pl.concat(frames) if frames else pl.DataFrame()


def _numbered(dataset: int, states: pl.DataFrame) -> pl.DataFrame:
    hashes = pl.Series(text_hashes(states["device"]).view(np.int64))
    told = states.with_columns(dataset=pl.lit(dataset, pl.Int16), hash=hashes)
    return told.select(SCHEMA.names)


def _write(table: Path, sequence: int, rows: pl.DataFrame) -> delta.NewFile:
    name = f"{sequence:012d}-{uuid.uuid4().hex[:12]}.parquet"
    return delta.write_file(table, name, rows.sort("dataset", "hash"), group=_GROUP)


def _tier(sources: Sequence[DeviceFile], rows: int) -> list[DeviceFile]:
    """Return the newest files, in the order of commits, that a commit of so many rows takes in."""
    taken: list[DeviceFile] = []
    for file in reversed(sources):
        if file.rows > rows:
            break
        rows += file.rows
        taken.append(file)
    return taken[::-1]


def _scan(table: Path, sources: Iterable[DeviceFile]) -> pl.LazyFrame:
    """Return the files' rows with ``sequence``, the number of the commit that wrote them."""
    frames = [
        pl.scan_parquet(table / file.path, glob=False).with_columns(
            sequence=pl.lit(store.sequence_of(file.path), pl.Int64)
        )
        for file in sources
    ]
    return pl.concat(frames)


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out what a later commit says anew; rows come in the order of commits."""
    again = rows["hash"].is_duplicated()
    if not again.any():
        return rows
    return pl.concat([rows.filter(~again), rows.filter(again).unique(_KEY, keep="last")])


@lru_cache(maxsize=64)
def files(table: Path, version: int) -> tuple[DeviceFile, ...]:
    """Return the files of a version in the order of commits."""
    actions = pa.table(DeltaTable(table, version=version).get_add_actions())
    found = map(DeviceFile, actions["path"].to_pylist(), actions["num_records"].to_pylist())
    return tuple(sorted(found, key=lambda file: file.path))
