"""The next or previous value on a person's way: which other event's value an event shows.

Events without a value show nothing and are no candidates, so all work is done on the list of the others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Mask = npt.NDArray[np.uint8]
_Rows = npt.NDArray[np.int32]


def neighbour_rows(
    resets: _Mask,
    rows: _Rows,
    codes: _Rows,
    *,
    ahead: bool,
    index: int = 1,
    repeats: bool = True,
) -> _Rows:
    """Return for each event the row whose value it shows; O(N + K).

    Args:
        resets: uint8[N], 1 on the first event of each container, whose events alone are neighbours.
        rows: int32[K], ascending: the events that have a value.
        codes: int32[K], equal where the values are equal.
        ahead: the next value, else the previous one.
        index: how many places away, from 1.
        repeats: count a value that follows itself again; otherwise a run of equal values is one place.

    Returns:
        int32[N]: row numbers, -1 where there is no such value, and on events without a value.
    """
    containers = np.cumsum(resets, dtype=np.int32)[rows]
    begins = np.ones(rows.size, np.bool_)
    if not repeats:
        begins[1:] = (codes[1:] != codes[:-1]) | (containers[1:] != containers[:-1])
    firsts = np.flatnonzero(begins)
    places = np.cumsum(begins) - 1 + (index if ahead else -index)
    inside = np.flatnonzero((places >= 0) & (places < firsts.size))
    sources = firsts[places[inside]]
    same = containers[sources] == containers[inside]
    shown = np.full(resets.size, -1, np.int32)
    shown[rows[inside[same]]] = rows[sources[same]]
    return shown
