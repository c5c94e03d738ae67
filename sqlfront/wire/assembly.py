"""Compiled loops that put rows together: each writes one column's values to their places in all rows.

Rows lie one after the other; a cursor per row says where it goes on. A value goes behind its length of four
bytes; all numbers have their highest byte first. Importing this compiles, as with ``kernels``.
"""

from __future__ import annotations

from typing import Any, Final

import numba as nb
from numba.core import cgutils
from numba.extending import intrinsic

from sqlfront.wire.kernels import BITS, BYTES, LENGTHS, NULL, Bytes, Lengths, Numbers

_ROWS: Final = (nb.uint8[::1], nb.int64[::1])
_SIZES: Final = nb.int64[::1]
_KINDS: Final = (nb.uint8, nb.int16, nb.int32, nb.int64)


@intrinsic
def _copy(typing_context: Any, target: Any, at: Any, source: Any, start: Any, length: Any) -> Any:
    """Copy bytes between arrays with libc's memcpy: a loop takes ten times as long for short values."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, at, source, start, length = arguments
        arrays = [context.make_array(kind) for kind in (signature.args[0], signature.args[2])]
        to = builder.gep(arrays[0](context, builder, target).data, [at])
        origin = builder.gep(arrays[1](context, builder, source).data, [start])
        cgutils.raw_memcpy(builder, to, origin, length, 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return nb.void(target, at, source, start, length), code


@intrinsic
def _store(typing_context: Any, target: Any, at: Any, number: Any) -> Any:
    """Write an integer into bytes with its highest byte first, all of it at once."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, at, number = arguments
        array = context.make_array(signature.args[0])(context, builder, target)
        place = builder.bitcast(builder.gep(array.data, [at]), number.type.as_pointer())
        turned = builder.bswap(number) if number.type.width > 8 else number
        builder.store(turned, place, align=1)
        return context.get_dummy_value()

    return nb.void(target, at, number), code


@intrinsic
def _as_item(typing_context: Any, number: Any, numbers: Any) -> Any:
    """Return the lower bytes of an integer, as many as an array's items have."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        item = context.get_value_type(signature.return_type)
        return builder.trunc(arguments[0], item) if item.width < arguments[0].type.width else arguments[0]

    return numbers.dtype(number, numbers), code


@nb.njit(nogil=True)
def _is_present(bits: Bytes, first: int, row: int) -> Any:
    """Tell whether a row has a value, as in ``kernels``: the cache on the disk sees only what lies here."""
    place = first + row
    return bits.size == 0 or (bits[place >> 3] >> (place & 7)) & 1


@nb.njit(nb.void(*_ROWS, _SIZES, nb.uint8, nb.int16), nogil=True, cache=True)
def put_heads(rows: Bytes, cursors: Numbers, sizes: Numbers, tag: int, columns: int) -> None:
    """Begin all rows: tag, length of what follows the tag, number of columns.

    Args:
        rows: all rows, written.
        cursors: int64[R], where each row goes on; moved past what is written.
        sizes: int64[R], bytes of each row.
        tag: the first byte.
        columns: the number.
    """
    for row in range(cursors.size):
        at = cursors[row]
        rows[at] = tag
        _store(rows, at + 1, nb.int32(sizes[row] - 1))  # type: ignore[call-arg]
        _store(rows, at + 5, nb.int16(columns))
        cursors[row] = at + 7


@nb.njit(nb.void(_SIZES, nb.int64, *BITS), nogil=True, cache=True)
def add_fixed(sizes: Numbers, width: int, bits: Bytes, first: int) -> None:
    """Add the bytes of values of one width to those of the rows; arguments are those of ``put_fixed``."""
    for row in range(sizes.size):
        sizes[row] += width * nb.int64(_is_present(bits, first, row))


@nb.njit(nb.void(_SIZES, LENGTHS, *BITS), nogil=True, cache=True)
def add_variable(sizes: Numbers, offsets: Lengths, bits: Bytes, first: int) -> None:
    """Add the bytes of values to those of the rows; arguments are those of ``put_variable``."""
    for row in range(sizes.size):
        length = nb.int64(offsets[row + 1] - offsets[row])
        sizes[row] += length * nb.int64(_is_present(bits, first, row))


@nb.njit(
    [nb.void(*_ROWS, nb.types.Array(kind, 1, "C", readonly=True), nb.int64, *BITS) for kind in _KINDS],
    nogil=True,
    cache=True,
)
def put_fixed(rows: Bytes, cursors: Numbers, numbers: Any, less: int, bits: Bytes, first: int) -> None:
    """Write values of one width into all rows.

    Args:
        rows: all rows, written.
        cursors: int64[R], where each row goes on; moved past what is written.
        numbers: integers[R], native; arbitrary where NULL.
        less: taken off each.
        bits: which are not NULL; empty if all are.
        first: place of the first row's bit.
    """
    width = nb.int32(numbers.itemsize)
    for row in range(cursors.size):
        at = cursors[row]
        if _is_present(bits, first, row):
            _store(rows, at, width)  # type: ignore[call-arg]
            number = _as_item(nb.int64(numbers[row]) - less, numbers)
            _store(rows, at + 4, number)
            cursors[row] = at + 4 + width
        else:
            _store(rows, at, nb.int32(NULL))  # type: ignore[call-arg]
            cursors[row] = at + 4


@nb.njit(nb.void(*_ROWS, BYTES, LENGTHS, *BITS), nogil=True, cache=True)
def put_variable(
    rows: Bytes, cursors: Numbers, values: Bytes, offsets: Lengths, bits: Bytes, first: int
) -> None:
    """Write values that lie one after the other into all rows.

    Args:
        rows: all rows, written.
        cursors: int64[R], where each row goes on; moved past what is written.
        values: holds each value.
        offsets: int32[R + 1], where each begins there, and the last ends.
        bits: which are not NULL; empty if all are.
        first: place of the first row's bit.
    """
    for row in range(cursors.size):
        at = cursors[row]
        length = nb.int32(offsets[row + 1] - offsets[row])
        if _is_present(bits, first, row):
            _store(rows, at, length)  # type: ignore[call-arg]
            _copy(rows, at + 4, values, nb.int64(offsets[row]), nb.int64(length))
            cursors[row] = at + 4 + length
        else:
            _store(rows, at, nb.int32(NULL))  # type: ignore[call-arg]
            cursors[row] = at + 4


@nb.njit(nb.void(*_ROWS, BYTES, LENGTHS, LENGTHS), nogil=True, cache=True)
def put_placed(rows: Bytes, cursors: Numbers, values: Bytes, starts: Lengths, lengths: Lengths) -> None:
    """Write values that lie anywhere into all rows.

    Args:
        rows: all rows, written.
        cursors: int64[R], where each row goes on; moved past what is written.
        values: holds each value.
        starts: int32[R], where it begins there.
        lengths: int32[R], its bytes, NULL for none.
    """
    for row in range(cursors.size):
        at, length = cursors[row], lengths[row]
        _store(rows, at, length)  # type: ignore[call-arg]
        at += 4
        if length > 0:
            _copy(rows, at, values, nb.int64(starts[row]), nb.int64(length))
            at += length
        cursors[row] = at
