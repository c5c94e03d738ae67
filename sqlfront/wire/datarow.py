"""Record batches as DataRow messages: column by column for many rows, value by value for few.

Fixed-width columns next to each other become one NumPy record per row; pyarrow joins these with the
columns of varying length, so no row is ever touched in Python.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sqlfront.wire import compiled
from sqlfront.wire.binary import sized
from sqlfront.wire.codec import encode_values
from sqlfront.wire.columns import Fixed, Variable, encode_column
from sqlfront.wire.replies import Data

FEW_ROWS: Final = 40
DATA_ROW: Final = b"D"
_Lengths = npt.NDArray[np.int32]


def data_rows(
    batch: pa.RecordBatch, types: Sequence[pa.DataType], binary: Sequence[bool], tag: bytes = DATA_ROW
) -> Data:
    """Return the batch's rows as DataRow messages, one after the other.

    Args:
        batch: rows; its columns are taken by position.
        types: types announced to the client, one per column.
        binary: format of each column.
        tag: first byte of each message; a tuple of a binary COPY is a DataRow but for that.
    """
    if batch.num_rows <= FEW_ROWS or not batch.num_columns:
        return row_by_row(batch, types, binary, tag)
    return (compiled.data_rows() or column_by_column)(batch, types, binary, tag)


def row_by_row(
    batch: pa.RecordBatch, types: Sequence[pa.DataType], binary: Sequence[bool], tag: bytes = DATA_ROW
) -> bytes:
    """Encode value by value: less work for a handful of rows, and the oracle of the other way."""
    columns = [
        encode_values(column, arrow_type, is_binary)
        for column, arrow_type, is_binary in zip(batch.columns, types, binary, strict=True)
    ]
    header = struct.pack("!h", len(columns))
    rows = zip(*columns, strict=True) if columns else iter([()] * batch.num_rows)
    bodies = (header + b"".join(map(sized, row)) for row in rows)
    return b"".join(tag + struct.pack("!i", len(body) + 4) + body for body in bodies)


def column_by_column(
    batch: pa.RecordBatch, types: Sequence[pa.DataType], binary: Sequence[bool], tag: bytes = DATA_ROW
) -> bytes:
    """Encode whole columns; ``batch`` must have at least one of them."""
    columns = [
        encode_column(column, arrow_type, is_binary)
        for column, arrow_type, is_binary in zip(batch.columns, types, binary, strict=True)
    ]
    lengths = [_lengths(column) for column in columns]
    total = np.full(batch.num_rows, 6 + 4 * len(columns), np.int32)
    for length in lengths:
        total += np.maximum(length, 0)
    pieces = _Pieces(batch.num_rows)
    pieces.fixed("S1", tag)
    pieces.fixed(">i4", total)
    pieces.fixed(">i2", len(columns))
    for column, length in zip(columns, lengths, strict=True):
        pieces.fixed(">i4", length)
        pieces.column(column)
    return pieces.joined()


def _lengths(column: Fixed | Variable) -> Any:
    """Return each value's length in bytes, -1 for NULL; a scalar where all are the same."""
    if isinstance(column, Fixed):
        width = np.int32(column.values.itemsize)
        return width if column.valid is None else np.where(column.valid, width, np.int32(-1))
    lengths = np.diff(_offsets(column))
    if not column.null_count:
        return lengths
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), lengths, np.int32(-1))


def _offsets(column: Variable) -> _Lengths:
    offsets = np.frombuffer(column.buffers()[1], np.int32)
    return offsets[column.offset : column.offset + len(column) + 1]


class _Pieces:
    """Collects the pieces of every row from left to right; neighbours of fixed width are merged."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._run: list[tuple[str, Any]] = []
        self._arrays: list[pa.BinaryArray] = []

    def fixed(self, dtype: str, values: Any) -> None:
        """Add a field of fixed width: an array of one value per row, or one value for all."""
        self._run.append((dtype, values))

    def column(self, column: Fixed | Variable) -> None:
        """Add the values of a column; its lengths have been added already."""
        if not isinstance(column, Fixed):
            self._flush()
            self._arrays.append(_without_nulls(column))
        elif column.valid is None:
            self.fixed(column.values.dtype.str, column.values)
        else:
            self._flush()
            self._arrays.append(_present_values(column.values, column.valid))

    def joined(self) -> bytes:
        """Return all rows as one block of bytes."""
        self._flush()
        if len(self._arrays) == 1:
            return bytes(self._arrays[0].buffers()[2])
        joined = pc.binary_join_element_wise(*self._arrays, b"")
        offsets = _offsets(joined)
        data = memoryview(joined.buffers()[2])
        return bytes(data[offsets[0] : offsets[-1]])

    def _flush(self) -> None:
        if not self._run:
            return
        layout = [(f"f{at}", dtype) for at, (dtype, _) in enumerate(self._run)]
        records = np.empty(self._rows, layout)
        for at, (_, values) in enumerate(self._run):
            records[f"f{at}"] = values
        self._run = []
        width = records.dtype.itemsize
        offsets = np.arange(self._rows + 1, dtype=np.int32) * np.int32(width)
        self._arrays.append(_binary_array(offsets, records))


def _binary_array(offsets: _Lengths, data: npt.NDArray[Any]) -> pa.BinaryArray:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _present_values(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> pa.BinaryArray:
    """Return fixed-width values as byte strings that are empty where NULL."""
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(valid, out=offsets[1:], dtype=np.int32)
    offsets *= np.int32(values.itemsize)
    return _binary_array(offsets, values[valid])


def _without_nulls(column: Variable) -> pa.BinaryArray:
    """Return the column with empty values for NULLs; its buffers are reused where they can be."""
    if not column.null_count:
        return column
    lengths = np.diff(_offsets(column))
    if lengths[column.is_null().to_numpy(zero_copy_only=False)].any():
        return pc.fill_null(column, b"")
    _, offsets, data = column.buffers()
    data = data if data is not None else pa.py_buffer(b"")
    return pa.Array.from_buffers(pa.binary(), len(column), [None, offsets, data], 0, column.offset)
