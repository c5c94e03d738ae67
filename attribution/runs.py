"""Conversions in runs of one key, each of which is credited at once.

The key stands for all that a question takes from the conversion's side, such as its day. Within a run the
spans only move on, through all persons of a chunk; without keys all conversions are one run.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np

from attribution.models import ROWS, Codes, Rows
from attribution.spans import Spans


class Runs(NamedTuple):
    """Conversions that have a touch, by key.

    Attributes:
        order: int32[C], the places of conversions, ascending within a key.
        ends: int32[K], one past each key's last place in the order.
    """

    order: Rows
    ends: Rows


def runs_of(keys: Codes, spans: Spans) -> Runs:
    """Sort conversions by key, leaving out those without a touch."""
    ends, order = np.zeros(keys.distinct, np.int32), np.empty(keys.codes.size, np.int32)
    filled = _sort(keys.codes, spans.begins, spans.ends, ends, order)
    return Runs(order[:filled], ends)


def covered(runs: Runs, spans: Spans) -> Rows:
    """Return int32[C]: how many touches each conversion of a run is the first in it to reach, by place."""
    counts = np.zeros(spans.begins.size, np.int32)
    _cover(runs.order, runs.ends, spans.begins, spans.ends, counts)
    return counts


@nb.njit(nb.int64(ROWS, ROWS, ROWS, nb.int32[::1], nb.int32[::1]), nogil=True, cache=True)
def _sort(keys: Rows, begins: Rows, ends: Rows, run_ends: Rows, order: Rows) -> int:
    """Count, then put each conversion where its key's next free place is; O(C + K)."""
    for place in range(keys.size):
        run_ends[keys[place]] += begins[place] < ends[place]
    total = 0
    for key in range(run_ends.size):
        total, run_ends[key] = total + run_ends[key], total
    for place in range(keys.size):
        if begins[place] < ends[place]:
            order[run_ends[keys[place]]] = place
            run_ends[keys[place]] += 1
    return total


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
