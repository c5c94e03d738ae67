"""Decodes parts of a base, and newer runs, as they lie in their files; what is decoded is cached.

The cache knows it by the names of the files, so nothing that comes later makes it stale.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine import memory
from engine.journeys import cache, lacking, overlay
from engine.journeys.columns import HASH_HIGH, HASH_LOW, TIME
from engine.journeys.lacking import Lake
from engine.journeys.order import bucket_bounds
from engine.journeys.overlay import Keys, Numbers, Rows
from engine.journeys.present import Present, present
from engine.journeys.store import JourneyFile

TARGET_ROWS: Final = 1_000_000
"""A chunk has at least this many rows where the data allows."""
SPLIT_ROWS: Final = 200_000
"""With this many rows there are at least two chunks, for two threads."""

STRINGS: Final = pa.dictionary(pa.int32(), pa.string())
"""How strings are decoded."""
_KEY_BYTES: Final = 40
"""Per row, while keys are made: hashes, times, and the order of the rows."""


@dataclass(frozen=True)
class Table:
    """A journey table as a scan asks it.

    Attributes:
        folder: where it lies.
        schema: every column that may be asked, whether files hold it or not.
        lake: where a column is read that a file lacks.
        hold: keeps files there that are not the table's own, as long as it lives.
    """

    folder: Path
    schema: pa.Schema
    lake: Lake
    hold: object | None = None

    def kind(self, name: str) -> pa.DataType:
        """Return the type as which a column is decoded."""
        kind = self.schema.field(name).type
        return STRINGS if pa.types.is_string(kind) else kind


@dataclass(frozen=True)
class _Laid:
    """How the rows of files lie: their keys, and the order that puts them there; None if they have it."""

    keys: Keys
    order: Rows | None

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + (0 if self.order is None else self.order.nbytes)


class Part:
    """Files whose rows together are some persons' in one piece: a part of a base, or one newer run.

    Args:
        table: the journey table.
        files: each in journey order; their months do not overlap where their hashes do.
    """

    def __init__(self, table: Table, files: Sequence[JourneyFile]) -> None:
        self._table = table
        self._files = sorted(files, key=lambda file: (file.hashes, file.min_time or 0))
        self.key = (str(table.folder), tuple(file.path for file in self._files))

    def keys(self) -> Keys:
        """Return persons and times of the rows in journey order."""
        return self._laid().keys

    def column(self, name: str) -> pa.Array:
        """Return a column in journey order; strings as a dictionary with int32 indices."""
        return cache.columns.get((self.key, "column", name), lambda: self._make_column(name), held)

    def present(self, name: str) -> Present:
        """Return a column in journey order without its NULLs."""
        key = (self.key, "present", name)
        return cache.columns.get(key, lambda: present(self.column(name), self.keys().times), held)

    def at(self, name: str, rows: Rows, *, keep: bool = True) -> pa.Array:
        """Return a column on some rows; without ``keep``, the whole of it is not left in the cache."""
        whole = self.column(name) if keep else self._make_column(name)
        return gathered(whole, rows)

    def sequences(self, rows: Rows) -> Numbers:
        """Return for some rows the commit that wrote their copy."""
        ends = np.cumsum([file.rows for file in self._files])
        order = self._laid().order
        files = np.searchsorted(ends, rows if order is None else order[rows], side="right")
        return np.array([file.sequence for file in self._files], np.int64)[files]

    def touches(self, hashes: tuple[int, int]) -> bool:
        """Return whether it may have rows of some hashes."""
        return bool(within(self._files, hashes))

    def weight(self, names: Iterable[str]) -> int:
        """Return about how many bytes it takes to decode some columns, and to work with them."""
        return sum(
            file.rows * _KEY_BYTES + 2 * _bytes(self._table.folder, file.path, tuple(names))
            for file in self._files
        )

    def _laid(self) -> _Laid:
        return cache.columns.get((self.key, "laid"), self._make_laid, held)

    def _make_laid(self) -> _Laid:
        highs, lows = (self._read_base(name).to_numpy() for name in (HASH_HIGH, HASH_LOW))
        order = None if len(self._files) == 1 else overlay.epoch_order(highs, lows)
        if order is not None:
            highs, lows = highs[order], lows[order]
        offsets = overlay.person_offsets(highs, lows)
        highs, lows = highs[offsets[:-1]], lows[offsets[:-1]]
        times = self._read_base(TIME).to_numpy()
        return _Laid(Keys(highs, lows, times if order is None else times[order], offsets), order)

    def _make_column(self, name: str) -> pa.Array:
        order, column = self._laid().order, self._read_base(name)
        return column if order is None else column.take(pa.array(order))

    def _read_base(self, name: str) -> pa.Array:
        kind = self._table.kind(name)
        return joined([_read(self._table, file.path, name, kind) for file in self._files], kind)


def parts(table: Table, base: Sequence[JourneyFile], names: Sequence[str]) -> list[Part]:
    """Divide the persons of a base into parts for chunks: whole buckets, evenly.

    Only the base decides, so that its parts are the same ones whatever lies over it; and the memory, where
    the columns wanted are too much for it.
    """
    most = min((file.buckets for file in base), default=1)
    count = chunk_count(sum(file.rows for file in base), most)
    weight = Part(table, base).weight(names) * (os.cpu_count() or 1)
    while count < most and weight > count * memory.decoding_budget():
        count *= 2
    members = ([file for file in base if file.meets(bounds)] for bounds in divided(count))
    return [Part(table, files) for files in members if files]


def chunk_count(rows: int, most: int) -> int:
    """Return into how many chunks this many rows go: a power of two, not more than ``most``."""
    count = 1
    while count < most and (rows >= 2 * count * TARGET_ROWS or (count == 1 and rows >= SPLIT_ROWS)):
        count *= 2
    return count


def divided(count: int) -> list[tuple[int, int]]:
    """Return first and last ``_hash_high`` of equal parts of the hash space."""
    return [bucket_bounds(part, count) for part in range(count)]


def within(files: Iterable[JourneyFile], hashes: tuple[int, int]) -> tuple[JourneyFile, ...]:
    """Return the files that may have rows of some hashes."""
    return tuple(file for file in files if file.meets(hashes))


def joined(arrays: Iterable[pa.Array | pa.ChunkedArray], kind: pa.DataType) -> pa.Array:
    """Put arrays together into one, over one dictionary where they have dictionaries."""
    chunks = [
        chunk
        for array in arrays
        for chunk in (array.chunks if isinstance(array, pa.ChunkedArray) else [array])
    ]
    together = pa.chunked_array(chunks, type=kind)
    if pa.types.is_dictionary(kind):
        together = together.unify_dictionaries()
    whole = together.combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)


def gathered(column: pa.Array, rows: Rows) -> pa.Array:
    """Return a column on some rows; a dictionary that is larger than they are is made anew."""
    found = column.take(pa.array(rows))
    if pa.types.is_dictionary(found.type) and len(found.dictionary) > len(rows):
        return found.cast(pa.string()).dictionary_encode()
    return found


def held(value: Any) -> int:
    """Return the bytes that a value of the cache holds."""
    if isinstance(value, pl.DataFrame):
        return int(value.estimated_size())
    return 0 if value is None else int(value.nbytes)


def _read(table: Table, path: str, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """Read a column of a file; one that it lacks is read from the lake."""
    if name not in lacking.held(table.folder, path):
        return pa.chunked_array([lacking.column_from_lake(table.lake, table.folder, path, name, kind)])
    names = [name] if kind == STRINGS else None
    options = {"read_dictionary": names, "memory_map": True, "metadata": _metadata(table.folder, path)}
    with pq.ParquetFile(table.folder / path, **options) as file:
        return _decoded(file.read(columns=[name], use_threads=False)[name], kind)


def _decoded(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)


@lru_cache(maxsize=4096)
def _metadata(table: Path, path: str) -> pq.FileMetaData:
    return pq.read_metadata(table / path)


@lru_cache(maxsize=4096)
def _bytes(table: Path, path: str, names: tuple[str, ...]) -> int:
    """About how many bytes columns of a file have when they are decoded: values, and codes of texts."""
    metadata, wanted, found = _metadata(table, path), set(names), 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.path_in_schema.split(".list.")[0] in wanted:
                found += column.total_uncompressed_size + 4 * group.num_rows
    return found
