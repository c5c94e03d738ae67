"""Record batches as DataRow messages by the compiled kernels: each value is written once, to its place.

Says the same as ``datarow.column_by_column`` in a third of the time, also where values are NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sqlfront.wire import assembly, kernels, text, zones
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
    within,
)
from sqlfront.wire.kernels import UNWRITTEN, WIDTH, Bytes, Lengths, Numbers
from sqlfront.wire.types import pg_name, storage_type

_HEAD: Final = 7
_COUNT: Final = 4
_NO_BYTES: Final = np.empty(0, np.uint8)
_NO_NULLS: Final = (_NO_BYTES, 0)


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

    def add(self, sizes: Numbers) -> None:
        """Add the bytes of the values to those of the rows."""
        sizes += np.maximum(self.lengths, 0)

    def put(self, rows: Bytes, cursors: Numbers) -> None:
        """Write the values into the rows."""
        assembly.put_placed(rows, cursors, self.values, self.starts, self.lengths)


class _FixedValues:
    """A column whose values all have one width, as they lie in Arrow's memory."""

    def __init__(self, column: Fixed) -> None:
        self._numbers, self._less = column.numbers, column.less
        self._bits = _bits(column.array)

    def add(self, sizes: Numbers) -> None:
        """Add the bytes of the values to those of the rows."""
        assembly.add_fixed(sizes, self._numbers.itemsize, *self._bits)

    def put(self, rows: Bytes, cursors: Numbers) -> None:
        """Write the values into the rows."""
        assembly.put_fixed(rows, cursors, self._numbers, self._less, *self._bits)


class _VariableValues:
    """A column whose values differ in length, as they lie in Arrow's memory."""

    def __init__(self, column: Variable) -> None:
        self._offsets, self._values = _content(column)
        self._bits = _bits(column)

    def add(self, sizes: Numbers) -> None:
        """Add the bytes of the values to those of the rows."""
        assembly.add_variable(sizes, self._offsets, *self._bits)

    def put(self, rows: Bytes, cursors: Numbers) -> None:
        """Write the values into the rows."""
        assembly.put_variable(rows, cursors, self._values, self._offsets, *self._bits)


_Column: TypeAlias = Placed | _FixedValues | _VariableValues


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
        _column(column, arrow_type, is_binary)
        for column, arrow_type, is_binary in zip(batch.columns, types, binary, strict=True)
    ]
    sizes = np.full(batch.num_rows, _HEAD + _COUNT * len(columns), np.int64)
    for column in columns:
        column.add(sizes)
    ends = np.cumsum(sizes)
    rows, cursors = np.empty(ends[-1], np.uint8), ends - sizes
    assembly.put_heads(rows, cursors, sizes, tag[0], len(columns))
    for column in columns:
        column.put(rows, cursors)
    return rows.data


def _column(array: pa.Array, arrow_type: pa.DataType, is_binary: bool) -> _Column:
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
    return _FixedValues(encoded) if isinstance(encoded, Fixed) else _VariableValues(encoded)


def _bits(array: pa.Array) -> tuple[Bytes, int]:
    """Return which values are not NULL: Arrow's bits, none if all are, and the place of the first."""
    if not array.null_count:
        return _NO_NULLS
    return np.frombuffer(array.buffers()[0], np.uint8), array.offset


def _content(column: Variable) -> tuple[Lengths, Bytes]:
    """Return int32[R + 1], where each of R values and the last one's end are, in the bytes of all of them."""
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return places, _NO_BYTES if data is None else np.frombuffer(data, np.uint8)


def _written(kernel: Callable[..., Any], values: Any, array: pa.Array, *more: Bytes) -> Placed:
    """Let a kernel print a column's values into slots."""
    rows = len(values)
    slots, starts, lengths = (
        np.empty(rows * WIDTH, np.uint8),
        np.empty(rows, np.int32),
        np.empty(rows, np.int32),
    )
    kernel(values, *_bits(array), *more, slots, starts, lengths)
    return Placed(slots, starts, lengths)


def _integers(array: pa.Array) -> Placed:
    return _written(kernels.write_integers, numbers_of(array.cast(pa.int64()), "i8"), array)


def _floats(array: pa.Array) -> Placed:
    """Let Arrow print what has more digits than the kernel takes."""
    placed = _written(kernels.write_floats, numbers_of(array, "f8"), array)
    others = placed.lengths == UNWRITTEN
    if not others.any():
        return placed
    rest = float_text("float8", text.float8_text)(array.filter(pa.array(others)))
    offsets, written = _content(rest)
    placed.starts[others] = offsets[:-1] + np.int32(placed.values.size)
    placed.lengths[others] = np.diff(offsets)
    return Placed(np.concatenate([placed.values, written]), placed.starts, placed.lengths)


def _dates(array: pa.Array) -> Placed | None:
    days = numbers_of(array, "i4")
    if not within(days, array, FIRST_DAYS, LAST_DAYS):
        return None
    return _written(kernels.write_dates, days.astype(np.int64), array)


def _moments(array: pa.Array) -> Placed | None:
    """Print times of day; instants show their zone's, if that is equally far from UTC in all of them."""
    micros, zone = numbers_of(array, "i8"), _NO_BYTES
    if not within(micros, array, FIRST_MICROS + text.DAY, LAST_MICROS - text.DAY):
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


def _booleans(array: pa.Array) -> _Column:
    return _FixedValues(Fixed(pc.if_else(array, np.uint8(ord("t")), np.uint8(ord("f"))), "u1"))


_WRITERS: Final[dict[str, Callable[[pa.Array], _Column | None]]] = {
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
