"""Reads columns that journey files lack: from the lake, by dataset and row id.

A journey file holds the fields that data views used when it was written. For any other field its
rows are looked up in the lake files of their batches, so an answer never depends on what was copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engine.definitions.model import Definitions
from engine.journeys import cache
from engine.journeys.cache import Cache
from engine.journeys.columns import DATASET
from engine.journeys.store import Files, JourneyFile
from engine.lake.leaves import leaf_column, row_ids, whole
from engine.lake.table import ROW, batch_files
from engine.world import Home, World

Lake = tuple[Path, ...]
"""The lake tables of a connection's datasets, in their order: ``_dataset`` is the place in it."""

_STRINGS: Final = pa.dictionary(pa.int32(), pa.string())
_Numbers = npt.NDArray[np.int64]


def lake_of(home: Home, definitions: Definitions, name: str) -> Lake:
    """Return where the rows of a connection's journeys come from."""
    return tuple(home.dataset_path(dataset) for dataset in definitions.connections[name].datasets)


def world_of(home: Home, name: str, version: int) -> World:
    """Return the newest world that shows a version of a connection's journeys, else the newest."""
    newest = home.current()
    if newest.journeys.get(name) == version:
        return newest
    shown = (world for world in reversed(home.worlds()) if world.journeys.get(name) == version)
    return next(shown, newest)


@lru_cache(maxsize=4096)
def held(table: Path, path: str) -> frozenset[str]:
    """Return the columns of a journey file."""
    return frozenset(pq.read_schema(table / path).names)


def common(table: Path, files: Iterable[JourneyFile], schema: pa.Schema) -> pa.Schema:
    """Return the columns of a schema that all of some journey files hold.

    Only these may be carried into a file that is merged from them: in it, NULL would mean that the
    lake has no value.
    """
    kept = frozenset(schema.names).intersection(*(held(table, file.path) for file in files))
    return pa.schema([field for field in schema if field.name in kept])


def common_within(files: Files, start: int, end: int, schema: pa.Schema) -> pa.Schema:
    """Return the same of the base and level-0 files that overlap times in µs, from start up to end."""
    near = [file for file in (*files.base, *files.level0) if file.overlaps(start, end)]
    return common(files.table, near, schema)


def column_from_lake(lake: Lake, table: Path, path: str, name: str, kind: pa.DataType) -> pa.Array:
    """Return a column for the rows of a journey file, which lacks it; kept in the cache.

    Args:
        lake: where the rows come from.
        table: folder of the journey table.
        path: the journey file, relative to it.
        name: the field's dotted path; rows whose dataset lacks it are NULL.
        kind: type of the result; a dictionary for strings that shall be encoded.
    """

    def where() -> Located:
        with pq.ParquetFile(table / path, memory_map=True) as opened:
            keys = opened.read(columns=[DATASET, ROW])
        return locate(lake, keys[DATASET].to_numpy(), keys[ROW].to_numpy())

    key = (str(table), path, "lake")
    located = cache.columns.get(key, where, _held)
    return cache.columns.get((*key, name), lambda: values_at(located, name, kind), _held)


@dataclass(frozen=True)
class Located:
    """Where rows of a connection lie in the lake.

    Attributes:
        back: place of each row among those of ``files``, one after the other, then ``lost``.
        files: absolute path of a lake file, and places in it.
        lost: rows that are in no file.
    """

    back: _Numbers
    files: tuple[tuple[str, _Numbers], ...]
    lost: int

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.back.nbytes + sum(places.nbytes for _, places in self.files)


def locate(
    lake: Lake, datasets: npt.NDArray[np.int16], rows: _Numbers, kept: Cache = cache.columns
) -> Located:
    """Find rows in the lake, by the batch that their ids name.

    Args:
        lake: where the rows come from.
        datasets: each row's dataset, by place in ``lake``.
        rows: row ids, as many.
        kept: keeps what is decoded of lake files.
    """
    names = {dataset: batch_files(lake[dataset]) for dataset in np.unique(datasets).tolist()}
    order, files, lost = [np.empty(0, np.int64)], [], [np.empty(0, np.int64)]
    for dataset, number, left in _batches(datasets, rows):
        for file in names[dataset].get(number, []):
            places = _places(file, kept).of(rows[left])
            if (here := places >= 0).any():
                order.append(left[here])
                files.append((file, places[here]))
                left = left[~here]
        # Rows of a reverted batch are masked: they are decoded with their file, and count nowhere.
        lost.append(left)
    back = np.empty(len(rows), np.int64)
    back[np.concatenate(order + lost)] = np.arange(len(rows))
    return Located(back, tuple(files), sum(map(len, lost)))


def values_at(located: Located, name: str, kind: pa.DataType, kept: Cache = cache.columns) -> pa.Array:
    """Return a field's values for rows of a connection; NULL where a row's file lacks it.

    Args:
        located: where the rows lie.
        name: the field's dotted path.
        kind: type of the result.
        kept: keeps what is decoded of lake files.
    """
    pieces = [_values(file, name, kind, places, kept) for file, places in located.files]
    pieces.append(pa.nulls(located.lost, kind))
    return whole(pa.chunked_array(pieces, type=kind), kind).take(pa.array(located.back))


def _batches(datasets: npt.NDArray[np.int16], rows: _Numbers) -> Iterator[tuple[int, int, _Numbers]]:
    """Yield (dataset, batch number, places of its rows)."""
    keys = (datasets.astype(np.int64) << 32) | (rows >> 32)
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    for key, members in zip(found.tolist(), np.split(order, starts[1:]), strict=False):
        yield key >> 32, key & 0xFFFF_FFFF, members


def _values(file: str, name: str, kind: pa.DataType, places: _Numbers, kept: Cache) -> pa.Array:
    column = kept.get((file, name, str(kind)), lambda: leaf_column(file, name, kind), _held)
    if column is None:
        return pa.nulls(len(places), kind)
    taken = column.take(pa.array(places))
    if kind == _STRINGS and len(taken.dictionary) > len(taken):
        # Without values that occur only in other journey files' rows.
        taken = taken.dictionary_decode().dictionary_encode()
    return taken


@dataclass(frozen=True)
class _Places:
    """Row id → place in a file: ``places[id - first]``, -1 where there is none."""

    first: int
    places: npt.NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        return self.places.nbytes

    def of(self, rows: _Numbers) -> _Numbers:
        """Return the rows' places in the file, -1 for those that it does not hold."""
        ordinals = rows - self.first
        inside = (ordinals >= 0) & (ordinals < len(self.places))
        return np.where(inside, self.places[np.where(inside, ordinals, 0)], -1).astype(np.int64)


def _places(file: str, kept: Cache) -> _Places:
    return kept.get((file, "places"), lambda: _row_places(file), _held)


def _row_places(file: str) -> _Places:
    ids = row_ids(file)
    first = int(ids.min())
    places = np.full(int(ids.max()) - first + 1, -1, np.int32)
    places[ids - first] = np.arange(len(ids), dtype=np.int32)
    return _Places(first, places)


def _held(value: Any) -> int:
    return 0 if value is None else int(value.nbytes)
