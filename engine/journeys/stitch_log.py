"""The stitch log: which person each row got, when and why. Entries are only ever added.

Journeys are derived from lake and log, so the log is what makes them rebuildable: live stitching
depends on the order of arrival, which nothing else remembers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from engine.journeys.columns import NAMESPACE, PERSON
from engine.lake import delta
from engine.lake.opened import file_actions

SCHEMA: Final = pa.schema(
    [
        pa.field("dataset", pa.int16()),
        pa.field("row", pa.int64()),
        pa.field("person", pa.string()),
        pa.field("namespace", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("sequence", pa.int64()),
        pa.field("logged_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""``dataset``: place in the connection; ``row``: the lake's row id; ``sequence``: the commit."""

_GROUP: Final = 1 << 18


class Kind(StrEnum):
    """Why a row got its person."""

    LIVE = "live"
    REPLAY = "replay"
    ERASURE = "erasure"


def write(log: Path, sequence: int, dataset: int, adds: pl.DataFrame, kind: Kind) -> delta.NewFile:
    """Write entries for the commit with this number; they count once it is made.

    Args:
        log: folder of the log.
        sequence: version that the commit will have.
        dataset: the dataset's place in the connection.
        adds: ``row, _person, _namespace``.
        kind: why the rows got their persons.
    """
    entries = adds.select(
        dataset=pl.lit(dataset, pl.Int16),
        row=pl.col("row"),
        person=pl.col(PERSON),
        namespace=pl.col(NAMESPACE),
        kind=pl.lit(kind.value),
        sequence=pl.lit(sequence, pl.Int64),
        logged_at=pl.lit(datetime.now(UTC), pl.Datetime("us", "UTC")),
    )
    return _write_entries(log, sequence, entries)


def purge(log: Path, version: int, persons: pl.DataFrame, rows: Mapping[int, pl.Series]) -> int:
    """Commit files without what they say of persons and of rows; return the new version.

    Args:
        log: folder of the log.
        version: its newest version.
        persons: ``namespace, person``: entries that gave a row to one of them go.
        rows: dataset's place in the connection → ids of rows all of whose entries go.
    """
    gone = pl.struct("namespace", "person").is_in(persons.select(pl.struct(pl.all())).to_series().implode())
    for dataset, ids in rows.items():
        gone |= (pl.col("dataset") == dataset) & pl.col("row").is_in(ids.implode())
    added: list[delta.NewFile] = []
    removed = [path for path in _files(log, version) if _any(log / path, gone)]
    for path in removed:
        left = pl.scan_parquet(log / path, glob=False).filter(~gone).collect()
        added += [_write_entries(log, version + 1, left)] if left.height else []
    return delta.commit(log, version, added, removed) if removed else version


def _any(path: Path, condition: pl.Expr) -> bool:
    return bool(pl.scan_parquet(path, glob=False).filter(condition).select(pl.len()).collect().item())


def _write_entries(log: Path, sequence: int, entries: pl.DataFrame) -> delta.NewFile:
    name = f"{sequence:012d}-{uuid.uuid4().hex[:12]}.parquet"
    return delta.write_file(log, name, entries, group=_GROUP)


def _files(log: Path, version: int) -> list[str]:
    return list(file_actions(log, version)["path"].to_pylist())


def latest(log: Path, version: int, dataset: int) -> pl.DataFrame:
    """Return what a version last says of a dataset's rows: ``row, _person, _namespace``."""
    return last_said(entries(log, version, dataset))


def last_said(entries: pl.LazyFrame) -> pl.DataFrame:
    """Return what entries last say of each row: ``row, _person, _namespace``."""
    return (
        entries.select(
            "row", "sequence", pl.col("person").alias(PERSON), pl.col("namespace").alias(NAMESPACE)
        )
        .sort("row", "sequence")
        .unique("row", keep="last", maintain_order=True)
        .select("row", PERSON, NAMESPACE)
        .collect()
    )


def entries(
    log: Path, version: int, dataset: int, *, since: int | None = None, until: int | None = None
) -> pl.LazyFrame:
    """Return what a version says of a dataset's rows (``SCHEMA``), in no order.

    Args:
        log: folder of the log.
        version: its version.
        dataset: the dataset's place in the connection.
        since: leave out entries that were logged at this instant in µs, or before.
        until: leave out entries that were logged after this instant.
    """
    logged = pl.col("logged_at").dt.timestamp("us")
    conditions = [pl.col("dataset") == dataset]
    conditions += [] if since is None else [logged > since]
    conditions += [] if until is None else [logged <= until]
    near = [
        path
        for path in paths(log, version)
        if (since is None or logged_between(path)[1] > since)
        and (until is None or logged_between(path)[0] <= until)
    ]
    if not near:
        return pl.LazyFrame(schema=pl.Schema(SCHEMA))
    return pl.scan_parquet(near, glob=False).filter(*conditions)


def paths(log: Path, version: int) -> list[Path]:
    """Return the files of a version, in no order."""
    # The library's URIs would be quoted, and a home may lie in any folder.
    return [log / path for path in _files(log, version)]


@lru_cache(maxsize=1 << 16)
def logged_between(path: Path) -> tuple[int, int]:
    """Return when the first and the last entry of a file was logged, in µs since the epoch."""
    moments = pl.read_parquet(path, columns=["logged_at"], glob=False)["logged_at"].dt.timestamp("us")
    return int(moments.min()), int(moments.max())  # type: ignore[arg-type]
