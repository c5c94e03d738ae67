"""Datasets as Delta tables: create, evolve, and list the files of a version.

A batch is one commit and a snapshot is a version, so any Delta reader sees what wayline sees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema
from deltalake.transaction import create_table_with_add_actions

from engine.lake.commits import NO_HOOKS, settle
from engine.lake.delta import latest_version
from engine.lake.opened import file_actions, identity
from engine.lake.schema import ROW, physical_schema

__all__ = [
    "ROW",
    "LakeFile",
    "added_files",
    "batch_files",
    "commits",
    "create",
    "evolve",
    "files",
    "latest_version",
    "removed_files",
    "replace",
]

_STATISTICS: Final = "delta.dataSkippingStatsColumns"


@dataclass(frozen=True)
class LakeFile:
    """One Parquet file of a dataset.

    Attributes:
        path: absolute path.
        batch: id of the batch that wrote it.
        min_time: earliest timestamp in µs UTC; None if no row has a timestamp.
        max_time: latest timestamp in µs UTC, likewise.
    """

    path: str
    rows: int
    batch: str
    min_time: int | None
    max_time: int | None

    @property
    def number(self) -> int:
        """Number of the batch."""
        return int(Path(self.path).name.partition("-")[0])


def create(table: Path, schema: pa.Schema, *, timestamp: str | None = None) -> int:
    """Create a dataset's table and return its version; an existing table is left as it is.

    Args:
        table: folder of the table.
        schema: the dataset's own columns; the row id is added.
        timestamp: dotted path of the event time, the only column with statistics.
    """
    configuration = _configuration(timestamp)
    table.mkdir(parents=True, exist_ok=True)
    made = DeltaTable.create(table, physical_schema(schema), mode="ignore", configuration=configuration)
    return made.version()


def _configuration(timestamp: str | None) -> dict[str, str | None]:
    # No writer may add statistics on identities: the log would keep them after an erasure. And none
    # may drop old commits from the log: worlds that are pinned or kept for long need them.
    return {_STATISTICS: timestamp or ROW, "delta.enableExpiredLogCleanup": "false"}


def replace(table: Path, schema: pa.Schema, *, timestamp: str | None = None) -> int:
    """Make a dataset's table empty and of another schema; return its version.

    A table that is there gets a commit, so that older worlds can still read what it held before.
    """
    if not DeltaTable.is_deltatable(str(table)):
        return create(table, schema, timestamp=timestamp)
    create_table_with_add_actions(
        str(table),
        Schema.from_arrow(physical_schema(schema)),
        [],
        mode="overwrite",
        configuration=_configuration(timestamp),
    )
    return settle(table, latest_version(table))


def evolve(table: Path, schema: pa.Schema) -> int:
    """Add the columns and nested fields that the table lacks; return its version."""
    current = DeltaTable(table)
    present = pa.schema(current.schema().to_arrow())
    lacking = [field for field in schema if _lacks(present, field)]
    if not lacking:
        return latest_version(table)
    fields = list(Schema.from_arrow(pa.schema(lacking)).fields)
    current.alter.add_columns(fields, post_commithook_properties=NO_HOOKS)
    return settle(table, latest_version(table))


def _lacks(present: pa.Schema | pa.StructType, wanted: pa.Field) -> bool:
    if present.get_field_index(wanted.name) < 0:
        return True
    old, new = _element(present.field(wanted.name).type), _element(wanted.type)
    return pa.types.is_struct(new) and any(_lacks(old, child) for child in new)


def _element(inner: pa.DataType) -> pa.DataType:
    return inner.value_type if pa.types.is_list(inner) else inner


def files(table: Path, version: int) -> tuple[LakeFile, ...]:
    """Return the live files of a version, in the order in which they were written."""
    return _files(table, version, identity(table))


@lru_cache(maxsize=256)
def _files(table: Path, version: int, _: tuple[int, int]) -> tuple[LakeFile, ...]:
    actions = file_actions(table, version)
    found = [
        LakeFile(str(table / path), rows, _batch_of(path), earliest, latest)
        for path, rows, earliest, latest in zip(
            actions["path"].to_pylist(),
            actions["num_records"].to_pylist(),
            _times(actions, "min."),
            _times(actions, "max."),
            strict=True,
        )
    ]
    return tuple(sorted(found, key=lambda file: Path(file.path).name))


def added_files(table: Path, after: int, upto: int) -> tuple[LakeFile, ...]:
    """Return the files that came after one version and are live in another, in commit order."""
    known = {file.path for file in files(table, after)}
    return tuple(file for file in files(table, upto) if file.path not in known)


def removed_files(table: Path, after: int, upto: int) -> tuple[LakeFile, ...]:
    """Return the files of one version that are no longer live in a later one."""
    kept = {file.path for file in files(table, upto)}
    return tuple(file for file in files(table, after) if file.path not in kept)


def commits(table: Path, after: int, upto: int) -> tuple[tuple[int, Mapping[str, Any]], ...]:
    """Return (version, commit information) of the commits after a version, in order."""
    found = []
    for version in range(after + 1, upto + 1):
        log = table / "_delta_log" / f"{version:020d}.json"
        for line in log.read_text().splitlines():
            information = json.loads(line).get("commitInfo")
            if information is not None:
                found.append((version, information))
    return tuple(found)


def file_name(number: int, batch_id: str, part: int) -> str:
    """Return the name of a batch's file; names sort in commit order."""
    return f"{number:08d}-{batch_id}-{part:05d}.parquet"


def batch_files(table: Path) -> dict[int, list[str]]:
    """Return batch number → absolute paths of its files, in order, of whatever lies in the folder.

    A row id names its batch, so this finds a row's file without a version; a batch that was reverted
    is found for as long as its files are there.
    """
    found: dict[int, list[str]] = {}
    for name in sorted(path.name for path in table.iterdir()):
        if name.endswith(".parquet"):
            found.setdefault(int(name.split("-")[0]), []).append(str(table / name))
    return found


def _batch_of(path: str) -> str:
    return Path(path).name.split("-")[1]


def _times(actions: pa.Table, prefix: str) -> list[int | None]:
    for name in actions.column_names:
        moments = actions[name]
        if name.startswith(prefix) and pa.types.is_temporal(moments.type):
            return _microseconds(moments)
    return [None] * len(actions)


def _microseconds(moments: pa.ChunkedArray) -> list[int | None]:
    stamps = moments.cast(pa.timestamp("us"))
    return list(pc.cast(stamps, pa.int64()).to_pylist())
