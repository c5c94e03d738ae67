"""The rows of journeys as plain Arrow tables, for peers to load and for answers to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from benchmarks.home import CONNECTION
from engine.journeys.columns import TIME
from engine.journeys.scan import Chunk, scan
from engine.report.request import TimeRange
from engine.world import Home

EVERYTHING = TimeRange()


def stored_columns(home: Home) -> list[str]:
    """Return the columns of the newest world's journeys."""
    version = home.current().journeys[CONNECTION]
    return [field.name for field in DeltaTable(home.journeys_path(CONNECTION), version).schema().fields]


def journey_rows(home: Home, columns: Sequence[str], span: TimeRange = EVERYTHING) -> Iterator[pa.Table]:
    """Yield the rows of the newest world's journeys with event time in a span, and their time."""
    version = home.current().journeys[CONNECTION]
    wanted = [name for name in columns if name != TIME]
    for chunk in scan(home, CONNECTION, version, wanted, start=span.start, end=span.end):
        inside = _counting(chunk)
        inside &= True if span.start is None else chunk.times >= span.start
        inside &= True if span.end is None else chunk.times < span.end
        columns_by_name = {name: chunk.columns[name] for name in wanted}
        yield pa.table({TIME: pa.array(np.asarray(chunk.times)), **columns_by_name}).filter(pa.array(inside))


def peer_rows(chunks: Iterable[Chunk]) -> Iterator[pa.Table]:
    """Turn journey chunks into tables of the report's peers; persons are numbered as they come."""
    persons = 0
    for chunk in chunks:
        count = len(chunk.offsets) - 1
        person = np.repeat(np.arange(persons, persons + count, dtype=np.int32), np.diff(chunk.offsets))
        persons += count
        rows = pa.table(
            {
                "person": person,
                "ts": pa.array(np.asarray(chunk.times)).cast(pa.timestamp("us")),
                "channel": chunk.columns["channel"].cast(pa.string()),
                "revenue": chunk.columns["revenue"],
                "orders": chunk.columns["orders"],
            }
        )
        inside = _counting(chunk)
        yield rows if inside.all() else rows.filter(pa.array(inside))


def _counting(chunk: Chunk) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which rows count: a chunk may hold persons whom another chunk of the same scan has anew."""
    kept = getattr(chunk, "kept", None)
    return np.ones(len(chunk.times), np.bool_) if kept is None else np.asarray(kept).astype(np.bool_)
