"""Random numbers without state: every draw is a function of (seed, purpose, number of the thing).

So any event can be computed on its own, and no chunking can change what is generated.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Draws = NDArray[np.float64]
Codes = NDArray[np.int8]

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB
_WORD = (1 << 64) - 1


def stream_key(seed: int, purpose: str) -> np.uint64:
    """Return the 64-bit key that separates the draws of one seed and purpose from all others."""
    word = (seed * _GOLDEN + zlib.crc32(purpose.encode())) & _WORD
    return np.uint64(mixed(np.array([word], np.uint64), np.uint64(0))[0])


def mixed(numbers: Numbers, key: np.uint64) -> Numbers:
    """Scramble 64-bit numbers, one-to-one for each key.

    This is the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    """
    word = numbers * np.uint64(_GOLDEN)
    word += key
    word ^= word >> np.uint64(30)
    word *= np.uint64(_FIRST)
    word ^= word >> np.uint64(27)
    word *= np.uint64(_SECOND)
    word ^= word >> np.uint64(31)
    return word


def uniform(seed: int, purpose: str, numbers: Numbers) -> Draws:
    """Return one draw in [0, 1) for each numbered thing."""
    word = mixed(numbers, stream_key(seed, purpose))
    word >>= np.uint64(11)
    return word.astype(np.float64) * 2.0**-53


def pick(draws: Draws, weights: Sequence[float]) -> Codes:
    """Turn draws in [0, 1) into codes 0 … len(weights) − 1, distributed by weight."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.searchsorted(edges[:-1], draws, side="right").astype(np.int8)


def waiting(draws: Draws, mean: float) -> Draws:
    """Turn draws into exponential waiting times of the given mean."""
    times: Draws = np.log1p(-draws)
    times *= -mean
    return times
