"""Decodes journeys in chunks: base files in person order, newer runs laid over them, cached.

What is decoded from a base is kept under the names of its files, so it survives appends and
replays: they cost an overlay of the persons that they mention.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.journeys import cache, overlay
from engine.journeys.columns import DATASET, EVENT_ID, HASH_HIGH, HASH_LOW, TIME
from engine.journeys.order import bucket_bounds, journey_order
from engine.journeys.overlay import Keys, Numbers
from engine.journeys.present import Present, present
from engine.journeys.store import MASK_COLUMNS, Files, JourneyFile
from engine.lake.table import ROW

TARGET_ROWS: Final = 1_000_000
"""A chunk has at least this many rows where the data allows."""
SPLIT_ROWS: Final = 200_000
"""With this many rows there are at least two chunks, for two threads."""

_STRINGS: Final = pa.dictionary(pa.int32(), pa.string())
_SORTED_BY: Final = (HASH_HIGH, HASH_LOW, TIME, DATASET, ROW)


@dataclass(frozen=True)
class Piece:
    """A chunk's part of one level-0 file: from ``start``, ``rows`` rows."""

    path: str
    sequence: int
    start: int
    rows: int


@dataclass(frozen=True)
class Layout:
    """In which order a chunk takes its rows.

    Attributes:
        order: places in the base's rows followed by the pieces' rows; None takes the base as it is.
        pieces: the level-0 parts, in the order of ``order``.
    """

    offsets: Numbers
    times: Numbers
    order: Numbers | None = None
    pieces: tuple[Piece, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        order = 0 if self.order is None else self.order.nbytes
        return self.offsets.nbytes + self.times.nbytes + order


class Part:
    """A part of the hash space with the files that hold its persons; decodes on demand.

    Args:
        table: folder of the journey table.
        schema: the table's columns.
        files: the files of a version, those of other times left out.
        hashes: first and last ``_hash_high``.
    """

    def __init__(self, table: Path, schema: pa.Schema, files: Files, hashes: tuple[int, int]) -> None:
        self._table = table
        self._schema = schema
        self._hashes = hashes
        self._base = _in_range(files.base, hashes)
        self._level0 = files.level0
        self._masks = files.masks
        self._base_key = (str(table), tuple(file.path for file in self._base))
        newer = tuple(file.path for file in (*files.level0, *files.masks))
        self._key = (self._base_key, newer, hashes) if newer else self._base_key

    def layout(self) -> Layout:
        """Return the order of the chunk's rows."""
        return cache.columns.get((self._key, "layout"), self._make_layout, _held)

    def column(self, name: str) -> pa.Array:
        """Return a column in journey order; strings as a dictionary with int32 indices."""
        layout = self.layout()
        if layout.order is None:
            return self._base_column(name)
        key = (self._key, "column", name)
        return cache.columns.get(key, lambda: self._merged_column(layout, name), _held)

    def present(self, name: str) -> Present:
        """Return a column in journey order without its NULLs."""
        key = (self._key, "present", name)
        return cache.columns.get(key, lambda: present(self.column(name), self.layout().times), _held)

    def _make_layout(self) -> Layout:
        keys = self._base_keys()
        pieces, masks = self._pieces(), self._masks_in_range()
        if not pieces and not masks.height:
            return Layout(keys.offsets, keys.times)
        mentioned = [_level0_keys(self._table, piece)[HASH_HIGH] for piece in pieces]
        highs = pl.concat([*mentioned, masks[HASH_HIGH]]).unique().to_numpy()
        touched = overlay.touched_persons(keys, highs)
        merged = self._merge(overlay.rows_of_persons(keys.offsets, touched), pieces, masks)
        merged_keys = overlay.keys_of(*(merged[name].to_numpy() for name in (HASH_HIGH, HASH_LOW, TIME)))
        places = merged["place"].to_numpy()
        order, offsets = overlay.interleave(keys, ~touched, places, merged_keys)
        times = [_level0_keys(self._table, piece)[TIME].to_numpy() for piece in pieces]
        return Layout(offsets, np.concatenate([keys.times, *times])[order], order, tuple(pieces))

    def _merge(self, base_rows: Numbers, pieces: list[Piece], masks: pl.DataFrame) -> pl.DataFrame:
        """Return the live copies of the touched persons in journey order, with their ``place``."""
        frames, first = [self._base_copies(base_rows)], len(self._base_keys().times)
        for number, piece in enumerate(pieces, start=1):
            copies = _level0_keys(self._table, piece)
            frames.append(_numbered(copies, first, number, piece.sequence))
            first += piece.rows
        copies = _alive(pl.concat(frames), masks)
        by = (HASH_HIGH, HASH_LOW, TIME, DATASET)
        ordered = copies.sort(*by, maintain_order=True)
        same = pl.all_horizontal(pl.col(*by) == pl.col(*by).shift(1))
        mixed = same & (pl.col("piece") != pl.col("piece").shift(1))
        if not ordered.select(mixed.any()).item():
            return ordered
        named = copies.with_columns(self._event_ids(copies["place"], pieces))
        return named[journey_order(named)]

    def _base_copies(self, rows: Numbers) -> pl.DataFrame:
        keys = self._base_keys()
        dataset, row = (pl.Series(self._base_column(name)).gather(rows) for name in (DATASET, ROW))
        copies = pl.DataFrame(
            {
                HASH_HIGH: keys.highs[rows],
                HASH_LOW: keys.lows[rows],
                TIME: keys.times[rows],
                DATASET: dataset,
                ROW: row,
            }
        )
        sequence = pl.Series(self._base_sequences()[rows], dtype=pl.Int64)
        return _numbered(copies, 0, 0, 0).with_columns(
            place=pl.Series(rows, dtype=pl.Int64), sequence=sequence
        )

    def _base_sequences(self) -> Numbers:
        """Return per row of the base the commit that wrote its copy."""
        sequences = np.repeat([file.sequence for file in self._base], [file.rows for file in self._base])
        order = self._base_order()
        return (sequences if order is None else sequences[order]).astype(np.int64)

    def _event_ids(self, places: pl.Series, pieces: Iterable[Piece]) -> pl.Series:
        every = [
            self._base_column(EVENT_ID),
            *(self._piece_column(piece, EVENT_ID) for piece in pieces),
        ]
        texts = pl.Series(EVENT_ID, _joined(every, _STRINGS).cast(pa.string()))
        return texts.gather(places)

    def _merged_column(self, layout: Layout, name: str) -> pa.Array:
        arrays = [
            self._base_column(name),
            *(self._piece_column(piece, name) for piece in layout.pieces),
        ]
        return _joined(arrays, self._kind(name)).take(pa.array(layout.order))

    def _base_keys(self) -> Keys:
        return cache.columns.get((self._base_key, "keys"), self._make_base_keys, _held)

    def _make_base_keys(self) -> Keys:
        highs, lows, times = (self._read_base(name).to_numpy() for name in (HASH_HIGH, HASH_LOW, TIME))
        order = self._base_order()
        if order is not None:
            highs, lows, times = highs[order], lows[order], times[order]
        return overlay.keys_of(highs, lows, times)

    def _base_order(self) -> Numbers | None:
        def make() -> Numbers | None:
            highs, lows = (self._read_base(name).to_numpy() for name in (HASH_HIGH, HASH_LOW))
            return overlay.epoch_order(highs, lows)

        return cache.columns.get((self._base_key, "order"), make, _held)

    def _base_column(self, name: str) -> pa.Array:
        def make() -> pa.Array:
            order, column = self._base_order(), self._read_base(name)
            return column if order is None else column.take(pa.array(order))

        return cache.columns.get((self._base_key, "column", name), make, _held)

    def _read_base(self, name: str) -> pa.Array:
        kind = self._kind(name)
        return _joined([_read(self._table, file.path, name, kind) for file in self._base], kind)

    def _piece_column(self, piece: Piece, name: str) -> pa.Array:
        kind = self._kind(name)
        key = (str(self._table), piece.path, "column", name)
        whole = cache.columns.get(key, lambda: _read(self._table, piece.path, name, kind), _held)
        return whole.slice(piece.start, piece.rows)

    def _pieces(self) -> list[Piece]:
        found = []
        for file in (file for file in self._level0 if file.meets(self._hashes)):
            highs = _level0_frame(self._table, file.path)[HASH_HIGH]
            start = int(highs.search_sorted(self._hashes[0], side="left"))
            end = int(highs.search_sorted(self._hashes[1], side="right"))
            if end > start:
                found.append(Piece(file.path, file.sequence, start, end - start))
        return found

    def _masks_in_range(self) -> pl.DataFrame:
        schema = {DATASET: pl.Int16, ROW: pl.Int64, HASH_HIGH: pl.Int64, "masked": pl.Int64}
        frames = [_mask_frame(self._table, file) for file in self._masks if file.meets(self._hashes)]
        every = pl.concat([pl.DataFrame(schema=schema), *frames])
        inside = every.filter(pl.col(HASH_HIGH).is_between(*self._hashes))
        return inside.group_by(MASK_COLUMNS).agg(pl.col("masked").max())

    def _kind(self, name: str) -> pa.DataType:
        kind = self._schema.field(name).type
        return _STRINGS if pa.types.is_string(kind) else kind


def parts(table: Path, schema: pa.Schema, files: Files) -> list[Part]:
    """Divide the persons of a version into parts for chunks: whole buckets, evenly."""
    rows = files.base_rows + files.level0_rows
    most = files.fewest_buckets if files.places else 1 << 12
    count = 1
    while count < most and (rows >= 2 * count * TARGET_ROWS or (count == 1 and rows >= SPLIT_ROWS)):
        count *= 2
    return [Part(table, schema, files, bucket_bounds(part, count)) for part in range(count)]


def _in_range(base: Iterable[JourneyFile], hashes: tuple[int, int]) -> list[JourneyFile]:
    found = []
    for file in base:
        first, last = file.hashes
        if hashes[0] <= first and last <= hashes[1]:
            found.append(file)
    return sorted(found, key=lambda file: (file.hashes, file.min_time or 0))


def _numbered(copies: pl.DataFrame, first: int, piece: int, sequence: int) -> pl.DataFrame:
    return copies.with_columns(
        place=pl.int_range(first, first + copies.height, dtype=pl.Int64),
        piece=pl.lit(piece, pl.Int64),
        sequence=pl.lit(sequence, pl.Int64),
    )


def _alive(copies: pl.DataFrame, masks: pl.DataFrame) -> pl.DataFrame:
    """Leave out the copies that a later mask names."""
    if not masks.height:
        return copies
    matched = copies.join(masks, on=list(MASK_COLUMNS), how="left", maintain_order="left")
    later = (pl.col("masked") > pl.col("sequence")).fill_null(False)
    return matched.filter(~later).drop("masked")


def _level0_frame(table: Path, path: str) -> pl.DataFrame:
    def make() -> pl.DataFrame:
        return pl.read_parquet(table / path, columns=list(_SORTED_BY), glob=False).select(_SORTED_BY)

    return cache.columns.get((str(table), path, "keys"), make, lambda frame: int(frame.estimated_size()))


def _level0_keys(table: Path, piece: Piece) -> pl.DataFrame:
    return _level0_frame(table, piece.path).slice(piece.start, piece.rows)


def _mask_frame(table: Path, file: JourneyFile) -> pl.DataFrame:
    def make() -> pl.DataFrame:
        rows = pl.read_parquet(table / file.path, columns=list(MASK_COLUMNS), glob=False)
        return rows.select(*MASK_COLUMNS, masked=pl.lit(file.sequence, pl.Int64))

    key = (str(table), file.path, "mask")
    return cache.columns.get(key, make, lambda frame: int(frame.estimated_size()))


def _read(table: Path, path: str, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """Read a column of a file; a column that came later is NULL."""
    metadata = pq.read_metadata(table / path)
    if name not in metadata.schema.to_arrow_schema().names:
        return pa.chunked_array([pa.nulls(metadata.num_rows, kind)])
    names = [name] if kind == _STRINGS else None
    options = {"read_dictionary": names, "memory_map": True, "metadata": metadata}
    with pq.ParquetFile(table / path, **options) as file:
        return _decoded(file.read(columns=[name])[name], kind)


def _decoded(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return column if column.type == kind else column.cast(kind)


def _joined(arrays: Iterable[pa.Array | pa.ChunkedArray], kind: pa.DataType) -> pa.Array:
    """Put arrays together into one, over one dictionary where they have dictionaries."""
    chunks = [
        chunk
        for array in arrays
        for chunk in (array.chunks if isinstance(array, pa.ChunkedArray) else [array])
    ]
    joined = pa.chunked_array(chunks, type=kind)
    if pa.types.is_dictionary(kind):
        joined = joined.unify_dictionaries()
    whole = joined.combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)


def _held(value: Any) -> int:
    return 0 if value is None else int(value.nbytes)
