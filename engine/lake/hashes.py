"""64-bit hashes of texts that stay the same for ever, so that files may hold them."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt
import polars as pl

_OFFSET: Final = np.uint64(0xCBF29CE484222325)
_PRIME: Final = np.uint64(0x100000001B3)
_FIRST: Final = np.uint64(0xFF51AFD7ED558CCD)
_SECOND: Final = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT: Final = np.uint64(33)

Hashes: TypeAlias = npt.NDArray[np.uint64]
_Array: TypeAlias = np.ndarray[Any, Any]


def text_hashes(texts: pl.Series) -> Hashes:
    """Return uint64[N]: FNV-1a of each text's bytes, finished so that all bits vary.

    Args:
        texts: N strings, none of them null.
    """
    found = np.empty(len(texts), np.uint64)
    if len(texts):
        _hash(*_content_of(texts), found)
    return found


def _content_of(texts: pl.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return int64[N + 1], where each text and the last one's end are, in the bytes of all of them.

    Args:
        texts: N strings, at least one, none of them null.
    """
    column = texts.rechunk().to_arrow()
    _, places, content = column.buffers()
    offsets = np.frombuffer(places, np.int64)[column.offset : column.offset + len(column) + 1]
    return offsets, np.frombuffer(content, np.uint8) if content is not None else np.empty(0, np.uint8)


@nb.njit(
    nb.void(
        nb.types.Array(nb.int64, 1, "C", readonly=True),
        nb.types.Array(nb.uint8, 1, "C", readonly=True),
        nb.uint64[::1],
    ),
    nogil=True,
    cache=True,
)
def _hash(offsets: _Array, data: _Array, found: _Array) -> None:
    for row in range(found.size):
        value = _OFFSET
        for place in range(offsets[row], offsets[row + 1]):
            value = (value ^ np.uint64(data[place])) * _PRIME
        value = (value ^ (value >> _SHIFT)) * _FIRST
        value = (value ^ (value >> _SHIFT)) * _SECOND
        found[row] = value ^ (value >> _SHIFT)
