"""A journey reduced to its touches and conversions, the only rows that attribution looks at.

Most events are neither, so every kernel has a fraction of the rows to pass over, and gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba as nb
import numpy as np

from attribution.models import Mask, Rows, Times

_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)


@dataclass(frozen=True)
class Reduced:
    """R rows of a journey, in its order.

    Attributes:
        rows: int32[R], where they lie in the whole journey, ascending.
        offsets: int64[P + 1]; person p, who may have none left, owns ``offsets[p]:offsets[p + 1]``.
        times: int64[R], µs.
        starts: uint8[R], 1 on the first row that is left of each session.
    """

    rows: Rows
    offsets: Times
    times: Times
    starts: Mask


def reduced(offsets: Times, times: Times, starts: Mask, kept: Mask) -> Reduced:
    """Return the rows of a journey that are to be kept.

    Args:
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        starts: uint8[N], 1 on the first event of each session.
        kept: uint8[N], 1 on the rows to keep.
    """
    size = np.count_nonzero(kept)
    rows, moments = np.empty(size + 1, np.int32), np.empty(size + 1, np.int64)
    sessions = np.empty(size + 1, np.int32)
    _keep(times, starts, kept, rows, moments, sessions)
    rows, found = rows[:size], np.zeros(offsets.size, np.int64)
    _find_offsets(rows, offsets, found)
    begins = np.ones(size, np.uint8)
    begins[1:] = sessions[1:size] != sessions[: max(size - 1, 0)]
    return Reduced(rows, found, moments[:size], begins)


@nb.njit(nb.void(_TIMES, _MASK, _MASK, nb.int32[::1], nb.int64[::1], nb.int32[::1]), nogil=True, cache=True)
def _keep(times: Times, starts: Mask, kept: Mask, rows: Rows, moments: Times, sessions: Rows) -> None:
    # Every row is written, over the one before unless that one is kept, so one place more is needed.
    place, session = 0, 0
    for row in range(times.size):
        session += starts[row]
        rows[place], moments[place], sessions[place] = row, times[row], session
        place += kept[row]


@nb.njit(nb.void(_ROWS, _TIMES, nb.int64[::1]), nogil=True, cache=True)
def _find_offsets(rows: Rows, offsets: Times, found: Times) -> None:
    person = 0
    for place in range(rows.size):
        while offsets[person + 1] <= rows[place]:
            person += 1
            found[person] = place
    found[person + 1 :] = rows.size
