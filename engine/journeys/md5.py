"""MD5 of many short texts at once: a call of the standard library for each costs more than the digest."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt
import polars as pl

from engine.lake.hashes import content_of

_BLOCK: Final = 64
_SINES: Final = np.floor(2.0**32 * np.abs(np.sin(np.arange(1, _BLOCK + 1)))).astype(np.uint32)
_TURNS: Final = np.repeat([[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]], 4, axis=0)
_ROTATIONS: Final = _TURNS.reshape(_BLOCK).astype(np.uint32)
_START: Final = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476], np.uint32)

Halves: TypeAlias = npt.NDArray[np.uint64]
_Array: TypeAlias = np.ndarray[Any, Any]


def md5_halves(texts: pl.Series) -> Halves:
    """Return uint64[N, 2]: the first and the last eight bytes, little-endian, of each digest (RFC 1321).

    Args:
        texts: N strings, none of them null.
    """
    words = np.empty((len(texts), 4), np.uint32)
    if len(texts):
        _digest(*content_of(texts), words)
    return words.astype("<u4").view("<u8").astype(np.uint64)


@nb.njit(inline="always", nogil=True)
def _byte(data: _Array, first: int, length: int, place: int, size: int) -> np.uint32:
    """Return a byte of a text that is padded to whole blocks, which end with its length in bits."""
    if place < length:
        return np.uint32(data[first + place])
    if place == length:
        return np.uint32(0x80)
    return np.uint32((length << 3 >> 8 * (place - size + 8)) & 0xFF) if place >= size - 8 else np.uint32(0)


@nb.njit(inline="always", nogil=True)
def _turned(
    a: np.uint32, b: np.uint32, c: np.uint32, d: np.uint32, mixed: np.uint32, word: np.uint32, step: int
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Return the state after a step."""
    total = np.uint32(a + mixed + _SINES[step] + word)
    turn = _ROTATIONS[step]
    return d, np.uint32(b + np.uint32((total << turn) | (total >> np.uint32(32 - turn)))), b, c


@nb.njit(nb.void(nb.uint32[::1], nb.uint32[::1]), nogil=True, cache=True)
def _mix(words: _Array, state: _Array) -> None:
    """Mix the 16 words of a block into uint32[4], the state."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    for step in range(16):
        a, b, c, d = _turned(a, b, c, d, (b & c) | (~b & d), words[step], step)
    for step in range(16, 32):
        a, b, c, d = _turned(a, b, c, d, (d & b) | (~d & c), words[(5 * step + 1) & 15], step)
    for step in range(32, 48):
        a, b, c, d = _turned(a, b, c, d, b ^ c ^ d, words[(3 * step + 5) & 15], step)
    for step in range(48, 64):
        a, b, c, d = _turned(a, b, c, d, c ^ (b | ~d), words[(7 * step) & 15], step)
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d


@nb.njit(
    nb.void(
        nb.types.Array(nb.int64, 1, "C", readonly=True),
        nb.types.Array(nb.uint8, 1, "C", readonly=True),
        nb.uint32[:, ::1],
    ),
    nogil=True,
    cache=True,
)
def _digest(offsets: _Array, data: _Array, states: _Array) -> None:
    words = np.empty(16, np.uint32)
    for row in range(states.shape[0]):
        first, length = offsets[row], offsets[row + 1] - offsets[row]
        size = (length + 8) // _BLOCK * _BLOCK + _BLOCK
        states[row] = _START
        for block in range(0, size, _BLOCK):
            for word in range(16):
                value = np.uint32(0)
                for byte in range(3, -1, -1):
                    place = block + 4 * word + byte
                    value = np.uint32((value << np.uint32(8)) | _byte(data, first, length, place, size))
                words[word] = value
            _mix(words, states[row])
