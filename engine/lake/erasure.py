"""Rewrites lake files without some of their rows: one commit, the other rows keep their ids and order.

The new files are called like the old ones, with the erasure's name behind: it tells those of an
erasure that was never published, which the next writer removes.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from engine.definitions.model import DatasetDefinition
from engine.lake import event_ids
from engine.lake.commits import NO_HOOKS, require, settle
from engine.lake.files import write_rows
from engine.lake.schema import ROW
from engine.lake.table import LakeFile, latest_version

_TRANSACTION: Final = "wayline-erasure"
_PARTS: Final = 4
"""Parts of the name of a file that an erasure wrote: batch number, batch, part, erasure."""


def erase(
    table: Path,
    expected: int,
    dataset: DatasetDefinition,
    rows: Mapping[LakeFile, pl.Series],
    erasure: str,
) -> int:
    """Commit the removal of rows from a table whose newest version is ``expected``; return the next one.

    Args:
        table: folder of the dataset's table.
        expected: the version that the caller has seen.
        dataset: the dataset's definition.
        rows: live file → ids of the rows that go.
        erasure: names the erasure; letters and digits only.

    Raises:
        HomeError: somebody else wrote to the table.
    """
    written = [_rewritten(table, dataset, file, ids, erasure) for file, ids in rows.items()]
    delta, now = DeltaTable(table), time.time_ns() // 1_000_000
    require(table, delta.version() == expected)
    removed = [RemoveAction(Path(file.path).name, True, now) for file in rows]
    delta.create_write_transaction(
        [*(action for action in written if action is not None), *removed],
        mode="append",
        schema=delta.schema(),
        commit_properties=CommitProperties(
            custom_metadata={"erasure": erasure},
            app_transactions=[Transaction(_TRANSACTION, expected + 1)],
        ),
        post_commithook_properties=NO_HOOKS,
    )
    require(table, latest_version(table) == expected + 1)
    return settle(table, expected + 1)


def sweep(table: Path, published: Collection[str]) -> None:
    """Remove the files of erasures that were never published."""
    for path in table.glob("*.parquet"):
        parts = path.stem.split("-")
        if len(parts) == _PARTS and parts[-1] not in published:
            event_ids.remove(path)
            path.unlink()


def _rewritten(
    table: Path, dataset: DatasetDefinition, file: LakeFile, ids: pl.Series, erasure: str
) -> AddAction | None:
    """Write a file without rows; None if no row is left."""
    with pq.ParquetFile(file.path) as opened:
        rows = opened.read()
    gone = pc.is_in(rows[ROW], value_set=pa.array(ids.to_list(), pa.int64()))
    left = rows.filter(pc.invert(gone))
    name = "-".join([*Path(file.path).stem.split("-")[: _PARTS - 1], erasure])
    return write_rows(table, f"{name}.parquet", left, dataset) if left.num_rows else None
