"""Conversions in runs of one key, each of which is credited at once.

The key stands for all that a question takes from the conversion's side, such as its day. Within a run the
spans only move on; without keys all conversions of a chunk are one run.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np

from attribution.models import ROWS, Codes, Rows, Times
from attribution.spans import Spans


class Runs(NamedTuple):
    """Conversions that have a touch; those of one key that share touches are in one run.

    Attributes:
        order: int32[C], the places of conversions, ascending within a run.
        ends: int32[R], one past each run's last place in the order.
    """

    order: Rows
    ends: Rows


def runs_of(keys: Codes, spans: Spans) -> Runs:
    """Sort conversions by key where they share touches, leaving out those without a touch."""
    size = keys.codes.size
    order, ends = np.empty(size, np.int32), np.empty(size, np.int32)
    runs = _sort(keys.codes, spans.begins, spans.ends, np.empty(size, np.int64), order, ends)
    return Runs(order[: ends[runs - 1] if runs else 0], ends[:runs])


def covered(runs: Runs, spans: Spans) -> Rows:
    """Return int32[C]: how many touches each conversion of a run is the first in it to reach, by place."""
    counts = np.zeros(spans.begins.size, np.int32)
    _cover(runs.order, runs.ends, spans.begins, spans.ends, counts)
    return counts


@nb.njit(
    nb.int64(ROWS, ROWS, ROWS, nb.int64[::1], nb.int32[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _sort(keys: Rows, begins: Rows, ends: Rows, packed: Times, order: Rows, run_ends: Rows) -> int:
    """Sort what shares touches, which days and hours are already: O(C), else O(C log C); return R."""
    filled, first, reached, ordered = 0, 0, 0, True
    for place in range(keys.size):
        if begins[place] == ends[place]:
            continue
        if begins[place] >= reached:
            if not ordered:
                packed[first:filled].sort()
            first, ordered = filled, True
        packed[filled] = (np.int64(keys[place]) << 32) | place
        ordered &= filled == first or packed[filled - 1] < packed[filled]
        reached, filled = ends[place], filled + 1
    if not ordered:
        packed[first:filled].sort()
    runs = 0
    for at in range(filled):
        order[at] = packed[at] & 0xFFFFFFFF
        if at + 1 == filled or packed[at + 1] >> 32 != packed[at] >> 32:
            run_ends[runs] = at + 1
            runs += 1
    return runs


@nb.njit(nb.void(ROWS, ROWS, ROWS, ROWS, nb.int32[::1]), nogil=True, cache=True)
def _cover(order: Rows, run_ends: Rows, begins: Rows, ends: Rows, counts: Rows) -> None:
    at = 0
    for run in range(run_ends.size):
        reached = 0
        while at < run_ends[run]:
            place = order[at]
            counts[place] = ends[place] - max(begins[place], reached)
            reached = ends[place]
            at += 1
