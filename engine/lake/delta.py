"""Commits to Delta tables of what is derived from the lake: exact, checked, never on a stale state.

The name of a file says for which commit it was written, so what no world knows is found by its name.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    RemoveAction,
    Transaction,
    create_table_with_add_actions,
)
from polars.exceptions import PolarsError

from engine.errors import HomeError
from engine.lake.commits import NO_HOOKS, require, settle, sync_file
from engine.lake.log import needed_files
from engine.lake.opened import opened

_STATISTICS: Final = "delta.dataSkippingStatsColumns"
_APPLICATION: Final = "wayline"


@dataclass(frozen=True)
class NewFile:
    """A Parquet file that is written but not committed.

    Attributes:
        path: relative to the table.
        times: smallest and largest value of the named column, if statistics are kept of one.
    """

    path: str
    rows: int
    size: int
    times: tuple[str, int, int] | None = None


def unique_name(sequence: int) -> str:
    """Return a new name, without folder and suffix, for a file of the commit with this number."""
    return f"{sequence:012d}-{uuid.uuid4().hex[:12]}"


def sequence_of(path: str) -> int:
    """Return the number in a file's name: the version of the commit that it was written for."""
    return int(path.rpartition("/")[2].split("-")[-2])


def sweep(table: Path, version: int, folders: Iterable[str] = ("",)) -> int:
    """Remove files written for commits after a version, which no published world knows.

    Returns:
        The number of files removed.
    """
    removed = 0
    for folder in folders:
        # Names alone: every change of a home looks at all its files, so objects per file would tell.
        for place, inner, names in os.walk(table / folder):
            inner[:] = [name for name in inner if not name.startswith("_")]
            for name in names:
                if name.endswith(".parquet") and sequence_of(name) > version:
                    Path(place, name).unlink()
                    removed += 1
    return removed


def create(table: Path, schema: pa.Schema, statistics: str) -> int:
    """Create an empty table; one that exists is left as it is. Return the version.

    Args:
        table: folder of the table.
        schema: its columns.
        statistics: the one column whose bounds the log keeps; never an identity.
    """
    table.mkdir(parents=True, exist_ok=True)
    configuration: Mapping[str, str | None] = {
        _STATISTICS: statistics,
        # Worlds that are pinned or kept for long need old commits.
        "delta.enableExpiredLogCleanup": "false",
    }
    DeltaTable.create(table, schema, mode="ignore", configuration=configuration)
    return latest_version(table)


def latest_version(table: Path) -> int:
    """Return the newest version of a table: the last commit in its log."""
    return max(int(path.stem) for path in (table / "_delta_log").glob("*.json"))


def write_file(
    table: Path, path: str, rows: pl.DataFrame, *, group: int, time_column: str | None = None
) -> NewFile:
    """Write rows to a new file of a table: LZ4, no column statistics, safe on disk.

    Args:
        table: folder of the table.
        path: where to write, relative to the table.
        rows: at least one row.
        group: rows per row group.
        time_column: the int64 column whose bounds go to the Delta log, if it has no NULL.

    Raises:
        HomeError: the disk does not take it.
    """
    target = table / path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        rows.write_parquet(target, compression="lz4", statistics=False, row_group_size=group)
        sync_file(target)
    except (OSError, PolarsError) as error:
        target.unlink(missing_ok=True)
        reason = str(error).partition("\n")[0]
        raise HomeError(
            f"cannot write {target}: {reason}",
            hint="Check permissions and free space, and run the command again.",
        ) from None
    times = None if time_column is None else _bounds(rows[time_column])
    return NewFile(path, rows.height, target.stat().st_size, times)


def _bounds(moments: pl.Series) -> tuple[str, int, int] | None:
    """Return name, smallest and largest value of a column; None if any is unknown."""
    if moments.null_count():
        return None
    return (moments.name, int(moments.min()), int(moments.max()))  # type: ignore[arg-type]


def commit(
    table: Path,
    expected: int,
    added: Sequence[NewFile],
    removed: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Commit files to a table whose newest version is ``expected``; return the next version.

    Args:
        table: folder of the table.
        expected: the version that the change is based on.
        added: files to add.
        removed: paths of live files to remove, relative to the table.
        metadata: goes to the commit's information; never an identity.

    Raises:
        HomeError: somebody else wrote to the table, or a file to remove is not live.
    """
    now = time.time_ns() // 1_000_000
    actions: list[AddAction | RemoveAction] = [_add(file, now) for file in added]
    actions += [RemoveAction(path, True, now) for path in removed]
    transaction = Transaction(_APPLICATION, expected + 1)
    with opened(table) as delta:
        require(table, delta.version() == expected)
        # Delta itself takes a transaction again, and the removal of a file that is not there.
        require(table, (delta.transaction_version(_APPLICATION) or 0) <= expected)
        if removed:
            live = set(pa.table(delta.get_add_actions())["path"].to_pylist())
            require(table, live.issuperset(removed))
        delta.create_write_transaction(
            actions,
            mode="append",
            schema=delta.schema(),
            commit_properties=CommitProperties(dict(metadata or {}), app_transactions=[transaction]),
            post_commithook_properties=NO_HOOKS,
        )
    return _confirm(table, expected + 1)


def overwrite(table: Path, expected: int, schema: pa.Schema, added: Sequence[NewFile]) -> int:
    """Replace schema and all files of a table in one commit; return the next version."""
    current = DeltaTable(table)
    require(table, current.version() == expected)
    now = time.time_ns() // 1_000_000
    create_table_with_add_actions(
        str(table),
        Schema.from_arrow(schema),
        [_add(file, now) for file in added],
        mode="overwrite",
        configuration=current.metadata().configuration,
        post_commithook_properties=NO_HOOKS,
    )
    return _confirm(table, expected + 1)


def add_columns(table: Path, expected: int, schema: pa.Schema) -> int:
    """Add the columns that the table lacks; return the version, ``expected`` if there are none."""
    delta = DeltaTable(table)
    require(table, delta.version() == expected)
    present = {field.name for field in delta.schema().fields}
    missing = [field for field in Schema.from_arrow(schema).fields if field.name not in present]
    if not missing:
        return expected
    delta.alter.add_columns(missing, post_commithook_properties=NO_HOOKS)
    return _confirm(table, expected + 1)


def restore(table: Path, version: int) -> int:
    """Commit the state of an older version as the newest; return the resulting version."""
    delta = DeltaTable(table)
    newest = int(delta.version())
    if newest == version:
        return version
    delta.restore(version, post_commithook_properties=NO_HOOKS)
    return _confirm(table, newest + 1)


def drop_between(table: Path, before: int, after: int) -> None:
    """Remove files that came and went between two versions, of which no world knows the ones between."""
    kept = needed_files(table, [before, after])
    for name in needed_files(table, range(before, after + 1)) - kept:
        (table / name).unlink()


def _add(file: NewFile, now: int) -> AddAction:
    statistics: dict[str, Any] = {"numRecords": file.rows}
    if file.times is not None:
        name, earliest, latest = file.times
        statistics["minValues"] = {name: earliest}
        statistics["maxValues"] = {name: latest}
    return AddAction(file.path, file.size, {}, now, True, json.dumps(statistics))


def _confirm(table: Path, expected: int) -> int:
    require(table, latest_version(table) == expected)
    return settle(table, expected)
