"""Reads single leaf fields of a dataset's files: only their bytes are decoded, however wide the rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.lake.schema import ROW


def leaf_column(file: str, path: str, kind: pa.DataType) -> pa.Array | None:
    """Return a field of all rows of a file, in the file's order; None if the file lacks it.

    Args:
        file: absolute path.
        path: dotted path of a leaf field.
        kind: the type to return; a dictionary for strings that shall be encoded.
    """
    metadata, schema = _footer(file)
    if not _has(schema, path):
        return None
    # Dictionaries inside objects cannot be read as such from more than one row group.
    encoded = [path] if pa.types.is_dictionary(kind) and "." not in path else None
    options = {"read_dictionary": encoded, "memory_map": True, "metadata": metadata}
    with pq.ParquetFile(file, **options) as opened:
        return whole(_typed(_inner(opened.read(columns=[path]), path), kind), kind)


def leaf_frame(file: str, kinds: Mapping[str, pa.DataType]) -> pl.DataFrame:
    """Return fields of all rows of a file under their dotted paths; those that it lacks are NULL."""
    metadata, schema = _footer(file)
    held = [path for path in kinds if _has(schema, path)]
    with pq.ParquetFile(file, memory_map=True, metadata=metadata) as opened:
        read = opened.read(columns=held)
    columns = {
        path: _typed(_inner(read, path), kind) if path in held else pa.nulls(metadata.num_rows, kind)
        for path, kind in kinds.items()
    }
    frame = pl.from_arrow(pa.table(columns))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table becomes a frame
    return frame


def row_ids(file: str) -> npt.NDArray[np.int64]:
    """Return the row ids of a file, in the file's order."""
    with pq.ParquetFile(file, memory_map=True) as opened:
        ids: npt.NDArray[np.int64] = opened.read(columns=[ROW])[ROW].to_numpy()
    return ids


def whole(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """Put a column's chunks together, over one dictionary where they have dictionaries."""
    if pa.types.is_dictionary(kind):
        column = column.unify_dictionaries()
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _inner(read: pa.Table, path: str) -> pa.ChunkedArray:
    first, *rest = path.split(".")
    return pc.struct_field(read[first], rest) if rest else read[first]


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    return column if column.type == kind else column.cast(kind)


@lru_cache(maxsize=256)
def _footer(file: str) -> tuple[pq.FileMetaData, pa.Schema]:
    metadata = pq.read_metadata(file)
    return metadata, metadata.schema.to_arrow_schema()


def _has(schema: pa.Schema, path: str) -> bool:
    fields: Any = schema
    for name in path.split("."):
        place = fields.get_field_index(name) if isinstance(fields, pa.Schema | pa.StructType) else -1
        if place < 0:
            return False
        fields = fields.field(place).type
    return True
