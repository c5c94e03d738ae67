"""Events by device and time, without a sort where each device's events already come in time order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.names import NOBODY, Codes, Names

_FEW: Final = 64

_Numbers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Timelines:
    """The events of D devices; null is a device too, the last one.

    Attributes:
        offsets: int64[D + 1]; device d owns the places ``offsets[d]:offsets[d + 1]`` of the order.
        order: int32[N], the rows of the events by device and time.
    """

    offsets: _Numbers
    order: Codes

    @property
    def firsts(self) -> Codes:
        """int32[D], a row of each device, all of which occur."""
        return self.order[self.offsets[:-1]]


def timelines(devices: pl.Series, times: _Numbers) -> Timelines:
    """Group rows by device and put each group in time order.

    Args:
        devices: N strings or nulls.
        times: int64[N].
    """
    names = Names()
    return grouped(names.number(devices), len(names), times)


def grouped(devices: Codes, count: int, times: _Numbers) -> Timelines:
    """Group rows by device and put each group in time order.

    Args:
        devices: int32[N], codes of devices, or ``NOBODY``.
        count: how many devices have codes; those that do not occur have no events.
        times: int64[N].
    """
    if (nowhere := devices == NOBODY).any():
        devices, count = np.where(nowhere, np.int32(count), devices), count + 1
    offsets, order = np.zeros(count + 1, np.int64), np.empty(times.size, np.int32)
    if not _gather_groups(devices, times, offsets, order):
        _sort_groups(times, offsets, order)
    return Timelines(offsets, order)


_NUMBERS: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)


@nb.njit(
    nb.boolean(_CODES, _NUMBERS, nb.int64[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _gather_groups(groups: Codes, times: _Numbers, offsets: _Numbers, order: Codes) -> bool:
    """Put the rows of each group together; return whether all groups are in time order."""
    for row in range(groups.size):
        offsets[groups[row] + 1] += 1
    for group in range(1, offsets.size):
        offsets[group] += offsets[group - 1]
    ends, ordered, row = offsets[:-1].copy(), True, 0
    while row < groups.size:
        group = groups[row]
        end = ends[group]
        # A neighbour of the same group is the rule.
        ordered &= end == offsets[group] or times[order[end - 1]] <= times[row]
        order[end] = row
        row, end = row + 1, end + 1
        while row < groups.size and groups[row] == group:
            ordered &= times[row - 1] <= times[row]
            order[end] = row
            row, end = row + 1, end + 1
        ends[group] = end
    return ordered


@nb.njit(nb.void(_NUMBERS, nb.int64[::1], nb.int32[::1]), nogil=True, cache=True)
def _sort_groups(times: _Numbers, offsets: _Numbers, order: Codes) -> None:
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
