"""Events by device and time, without a sort where each device's events already come in time order.

Devices are told apart by 128 bits of hash, found in an open hash table, and grouped by counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt
import polars as pl

_SEEDS: Final = (0, 0x9E3779B97F4A7C15)
_EMPTY: Final = -1
_FEW: Final = 64

_Codes: TypeAlias = npt.NDArray[np.int32]
_Numbers: TypeAlias = npt.NDArray[np.int64]
_Digests: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Timelines:
    """The events of D devices; null is a device too.

    Attributes:
        offsets: int64[D + 1]; device d owns the places ``offsets[d]:offsets[d + 1]`` of the order.
        order: int32[N], the rows of the events by device and time.
        firsts: int32[D], a row of each device.
    """

    offsets: _Numbers
    order: _Codes
    firsts: _Codes


def timelines(devices: pl.Series, times: _Numbers) -> Timelines:
    """Group rows by device and put each group in time order.

    Args:
        devices: N strings or nulls.
        times: int64[N].
    """
    high, low = (devices.hash(seed).to_numpy() for seed in _SEEDS)
    groups, firsts = np.empty(times.size, np.int32), np.empty(times.size, np.int32)
    slots = np.full(2 << times.size.bit_length(), _EMPTY, np.int32)
    found = _number_groups(high, low, slots, groups, firsts)
    offsets, order = np.zeros(found + 1, np.int64), np.empty(times.size, np.int32)
    if not _gather_groups(groups, times, offsets, order):
        _sort_groups(times, offsets, order)
    return Timelines(offsets, order, firsts[:found])


_NUMBERS: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_DIGESTS: Final = nb.types.Array(nb.uint64, 1, "C", readonly=True)


@nb.njit(
    nb.int64(_DIGESTS, _DIGESTS, nb.int32[::1], nb.int32[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _number_groups(high: _Digests, low: _Digests, slots: _Codes, groups: _Codes, firsts: _Codes) -> int:
    """Number the groups of equal digests in order of appearance; return how many there are."""
    # The digests of the groups lie side by side: those of their first rows would miss the cache.
    known = np.empty((high.size, 2), np.uint64)
    found, mask = 0, slots.size - 1
    for row in range(high.size):
        slot = np.int64(high[row]) & mask
        group = slots[slot]
        while group != _EMPTY and (known[group, 0] != high[row] or known[group, 1] != low[row]):
            slot = (slot + 1) & mask
            group = slots[slot]
        if group == _EMPTY:
            group = found
            slots[slot], firsts[group] = group, row
            known[group, 0], known[group, 1] = high[row], low[row]
            found += 1
        groups[row] = group
    return found


@nb.njit(
    nb.boolean(_CODES, _NUMBERS, nb.int64[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _gather_groups(groups: _Codes, times: _Numbers, offsets: _Numbers, order: _Codes) -> bool:
    """Put the rows of each group together; return whether all groups are in time order."""
    for row in range(groups.size):
        offsets[groups[row] + 1] += 1
    for group in range(1, offsets.size):
        offsets[group] += offsets[group - 1]
    ends, ordered = offsets[:-1].copy(), True
    for row in range(groups.size):
        group = groups[row]
        end = ends[group]
        order[end] = row
        ordered &= end == offsets[group] or times[order[end - 1]] <= times[row]
        ends[group] += 1
    return ordered


@nb.njit(nb.void(_NUMBERS, nb.int64[::1], nb.int32[::1]), nogil=True, cache=True)
def _sort_groups(times: _Numbers, offsets: _Numbers, order: _Codes) -> None:
    """Put the rows of each group in time order; those of one time stay as they are."""
    for group in range(offsets.size - 1):
        first, last = offsets[group], offsets[group + 1]
        if last - first > _FEW:
            members = order[first:last].copy()
            order[first:last] = members[np.argsort(times[members], kind="mergesort")]
            continue
        for place in range(first + 1, last):
            row = order[place]
            hole = place
            while hole > first and times[order[hole - 1]] > times[row]:
                order[hole] = order[hole - 1]
                hole -= 1
            order[hole] = row
