"""Lake files on their way into a table: how they are written, and what the Delta log may know of them."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from engine.definitions.model import DatasetDefinition
from engine.lake import event_ids
from engine.lake.commits import sync_file
from engine.lake.schema import string_columns

_ROWS_PER_GROUP: Final = 1 << 17
_EPOCH: Final = datetime(1970, 1, 1)


def write_rows(table: Path, name: str, rows: pa.Table, dataset: DatasetDefinition) -> AddAction:
    """Write rows as a lake file of a dataset, safe on the disk; return what commits it.

    Args:
        table: folder of the dataset's table.
        name: name of the new file.
        rows: columns of the dataset and the row id, in the order in which they shall lie.
        dataset: the dataset's definition; only its timestamp gets statistics.
    """
    path = table / name
    pq.write_table(
        rows,
        path,
        compression="zstd",
        row_group_size=_ROWS_PER_GROUP,
        use_dictionary=string_columns(rows.schema),
        write_statistics=[dataset.timestamp] if dataset.timestamp else False,
    )
    sync_file(path)
    if dataset.event_id is not None and has_column(rows, dataset.event_id):
        event_ids.write(path, dataset.event_id, pl.Series(column(rows, dataset.event_id)))
    statistics = json.dumps(_statistics(rows, dataset.timestamp))
    now = time.time_ns() // 1_000_000
    return AddAction(name, path.stat().st_size, {}, now, True, statistics)


def column(rows: pa.Table, path: str) -> pa.ChunkedArray:
    """Return a field by its dotted path."""
    first, *rest = path.split(".")
    found = rows[first]
    return pc.struct_field(found, rest) if rest else found


def has_column(rows: pa.Table, path: str) -> bool:
    """Return whether rows have a field; files may be older than a field."""
    fields: Any = rows.schema
    for name in path.split("."):
        place = fields.get_field_index(name)
        if place < 0:
            return False
        fields = fields.field(place).type
    return True


def _statistics(rows: pa.Table, timestamp: str | None) -> dict[str, Any]:
    statistics: dict[str, Any] = {"numRecords": rows.num_rows}
    if timestamp is None:
        return statistics
    bounds = pc.min_max(column(rows, timestamp))
    if bounds["min"].is_valid:
        statistics["minValues"] = _nested(timestamp, bounds["min"])
        statistics["maxValues"] = _nested(timestamp, bounds["max"])
    return statistics


def _nested(path: str, bound: pa.Scalar) -> dict[str, Any]:
    value: Any
    if pa.types.is_timestamp(bound.type):
        moment = _EPOCH + timedelta(microseconds=bound.value)
        value = f"{moment.isoformat(timespec='microseconds')}Z"
    else:
        value = bound.as_py().isoformat()
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)
