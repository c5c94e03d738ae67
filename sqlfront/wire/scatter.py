"""Record batches as DataRow messages by the compiled kernels: each value is written once, to its place.

Says the same as ``datarow.column_by_column`` in a third of the time, also where values are NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sqlfront.wire import kernels, text, zones
from sqlfront.wire.codec import opened
from sqlfront.wire.columns import (
    FIRST_DAYS,
    FIRST_MICROS,
    LAST_DAYS,
    LAST_MICROS,
    Fixed,
    Variable,
    encode_column,
    float_text,
    is_plain,
    numbers_of,
    valid_mask,
    within,
)
from sqlfront.wire.kernels import NULL, UNWRITTEN, WIDTH, Bytes, Lengths
from sqlfront.wire.types import pg_name, storage_type

_HEAD: Final = 7
_NO_BYTES: Final = np.empty(0, np.uint8)


@dataclass(frozen=True)
class Placed:
    """A column's R values, wherever they are.

    Attributes:
        values: holds each.
        starts: int32[R], where each begins there.
        lengths: int32[R], bytes of each, NULL for none.
    """

    values: Bytes
    starts: Lengths
    lengths: Lengths


def data_rows(
    batch: pa.RecordBatch, types: Sequence[pa.DataType], binary: Sequence[bool], tag: bytes
) -> memoryview:
    """Return the batch's rows as messages, one after the other; it must have rows and columns.

    Args:
        batch: rows; its columns are taken by position.
        types: types announced to the client, one per column.
        binary: format of each column.
        tag: first byte of each message.
    """
    columns = [
        _placed(column, arrow_type, is_binary)
        for column, arrow_type, is_binary in zip(batch.columns, types, binary, strict=True)
    ]
    sizes = np.full(batch.num_rows, _HEAD + 4 * len(columns), np.int64)
    for column in columns:
        sizes += np.maximum(column.lengths, 0)
    ends = np.cumsum(sizes)
    rows, cursors = np.empty(ends[-1], np.uint8), ends - sizes
    _put(rows, cursors, _heads(sizes, len(columns), tag), counted=False)
    for column in columns:
        _put(rows, cursors, column, counted=True)
    return rows.data


def _put(rows: Bytes, cursors: Any, column: Placed, *, counted: bool) -> None:
    kernels.put(rows, cursors, column.values, column.starts, column.lengths, counted)


def _heads(sizes: Any, columns: int, tag: bytes) -> Placed:
    """Return what each row begins with: tag, length, number of columns."""
    heads = np.empty(len(sizes), [("tag", "S1"), ("size", ">i4"), ("columns", ">i2")])
    heads["tag"], heads["size"], heads["columns"] = tag, sizes - 1, columns
    return _side_by_side(heads.view(np.uint8), len(sizes), _HEAD)


def _side_by_side(values: Bytes, rows: int, width: int) -> Placed:
    starts = np.arange(0, rows * width, width, dtype=np.int32)
    return Placed(values, starts, np.full(rows, width, np.int32))


def _placed(array: pa.Array, arrow_type: pa.DataType, is_binary: bool) -> Placed:
    """Return a column's values in PostgreSQL's text or binary format."""
    name = pg_name(arrow_type)
    write = None if is_binary else _WRITERS.get(name)
    if write is not None:
        array, storage = opened(array), storage_type(arrow_type)
        array = array if array.type == storage else array.cast(storage)
        written = write(array) if is_plain(array.type, name) else None
        if written is not None:
            return written
    encoded = encode_column(array, arrow_type, is_binary)
    return _of_fixed(encoded) if isinstance(encoded, Fixed) else _of_variable(encoded)


def _of_fixed(column: Fixed) -> Placed:
    placed = _side_by_side(column.values.view(np.uint8), len(column.values), column.values.itemsize)
    if column.valid is not None:
        placed.lengths[~column.valid] = NULL
    return placed


def _of_variable(column: Variable) -> Placed:
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    lengths = np.diff(ends)
    present = valid_mask(column)
    if present is not None:
        lengths[~present] = NULL
    return Placed(_NO_BYTES if data is None else np.frombuffer(data, np.uint8), ends[:-1], lengths)


def _written(kernel: Callable[..., Any], values: Any, array: pa.Array, *more: Bytes) -> Placed:
    """Let a kernel print a column's values into slots."""
    present = valid_mask(array)
    mask = _NO_BYTES if present is None else present.view(np.uint8)
    rows = len(values)
    slots, starts, lengths = (
        np.empty(rows * WIDTH, np.uint8),
        np.empty(rows, np.int32),
        np.empty(rows, np.int32),
    )
    kernel(values, mask, *more, slots, starts, lengths)
    return Placed(slots, starts, lengths)


def _integers(array: pa.Array) -> Placed:
    return _written(kernels.write_integers, numbers_of(array.cast(pa.int64()), "i8"), array)


def _floats(array: pa.Array) -> Placed:
    """Let Arrow print what has more digits than the kernel takes."""
    placed = _written(kernels.write_floats, numbers_of(array, "f8"), array)
    others = placed.lengths == UNWRITTEN
    if not others.any():
        return placed
    rest = _of_variable(float_text("float8", text.float8_text)(array.filter(pa.array(others))))
    values = np.concatenate([placed.values, rest.values])
    placed.starts[others] = rest.starts + np.int32(placed.values.size)
    placed.lengths[others] = rest.lengths
    return Placed(values, placed.starts, placed.lengths)


def _dates(array: pa.Array) -> Placed | None:
    days = numbers_of(array, "i4")
    if not within(days, valid_mask(array), FIRST_DAYS, LAST_DAYS):
        return None
    return _written(kernels.write_dates, days.astype(np.int64), array)


def _moments(array: pa.Array) -> Placed | None:
    """Print times of day; instants show their zone's, if that is equally far from UTC in all of them."""
    micros, zone = numbers_of(array, "i8"), _NO_BYTES
    if not within(micros, valid_mask(array), FIRST_MICROS + text.DAY, LAST_MICROS - text.DAY):
        return None
    if array.type.tz is not None:
        ahead = 0 if array.type.tz == zones.UTC else _seconds_ahead(array)
        if ahead is None:
            return None
        zone = np.frombuffer(text.offset_text(ahead).encode(), np.uint8)
        micros = micros + ahead * text.SECOND
    return _written(kernels.write_moments, micros, array, zone)


def _seconds_ahead(array: pa.Array) -> int | None:
    """Return what all instants have as offset from UTC, in whole minutes; None if they differ."""
    ahead = np.unique(zones.offsets(array.drop_null()))
    return int(ahead[0]) if len(ahead) == 1 and not ahead[0] % 60 else None


def _booleans(array: pa.Array) -> Placed:
    letters = numbers_of(pc.if_else(array, np.uint8(ord("t")), np.uint8(ord("f"))), "u1")
    return _of_fixed(Fixed(letters, valid_mask(array)))


_WRITERS: Final[dict[str, Callable[[pa.Array], Placed | None]]] = {
    "bool": _booleans,
    "int2": _integers,
    "int4": _integers,
    "int8": _integers,
    "oid": _integers,
    "float8": _floats,
    "date": _dates,
    "timestamp": _moments,
    "timestamptz": _moments,
}
