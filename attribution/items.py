"""Credit by key of crowded persons: touches of one item share an entry, so entries stay few.

A bot with a hundred thousand touches that converts on a thousand days would have an entry for each
touch and day. Here the window slides over the conversions with a count of its touches per item, and
each run of conversions of one key gives an entry per item.
"""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np
import numpy.typing as npt

from attribution.models import Mask, Rows, Times, Values
from attribution.runs import Entries, Runs, touches_per_run
from attribution.windows import Windows

CROWDED: Final = 2
"""A person with more entries than this many times its events is crowded."""

_ABSENT: Final = 0
_LISTED: Final = 1
_CREDITED: Final = 2
_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_VALUES: Final = nb.types.Array(nb.float64, 2, "C", readonly=True)


def crowded_persons(offsets: Times, items: Rows, runs: Runs, windows: Windows) -> npt.NDArray[np.bool_]:
    """Return bool[P]: whose touches would have too many entries, and fewer by item.

    Args:
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        items: int32[N], a code from 0 up for each touch's value.
        runs: conversions that have a touch.
        windows: the touches of each conversion.
    """
    totals = np.append(0, np.cumsum(touches_per_run(runs, windows)))
    entries = np.diff(totals[runs.persons])
    crowded = entries > CROWDED * np.diff(offsets)
    if crowded.any():
        crowded &= _most_entries(offsets, items, runs, windows, crowded) < entries
    return crowded


def credit_by_item(
    offsets: Times,
    values: Values,
    keys: Rows,
    items: Rows,
    runs: Runs,
    windows: Windows,
    crowded: npt.NDArray[np.bool_],
) -> Entries:
    """Return the entries of the crowded persons, one per item for each change of the key.

    Args:
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        values: float64[M, N].
        keys: int32[N], the key of each conversion.
        items: int32[N], a code from 0 up for each touch's value.
        runs: conversions that have a touch.
        windows: the touches of each conversion.
        crowded: bool[P].
    """
    room = int(_most_entries(offsets, items, runs, windows, crowded).sum())
    touch_rows, conversion_rows = np.empty(room, np.int32), np.empty(room, np.int32)
    credit = np.empty((values.shape[0], room), np.float64)
    of_touch = items[windows.touched]
    distinct = int(of_touch.max(initial=0)) + 1
    filled = _slide_windows(
        _rows_in_order(offsets, runs, crowded),
        values,
        keys,
        windows.begins,
        windows.ends,
        windows.touched,
        of_touch,
        distinct,
        touch_rows,
        conversion_rows,
        credit,
    )
    return Entries(touch_rows[:filled], conversion_rows[:filled], credit[:, :filled])


def _most_entries(
    offsets: Times, items: Rows, runs: Runs, windows: Windows, crowded: npt.NDArray[np.bool_]
) -> Times:
    """Return int64[P]: a crowded person's conversions times the items that it touched, else 0."""
    owners = np.searchsorted(offsets, windows.touched, side="right") - 1
    own = crowded[owners]
    pairs = np.unique((owners[own] << 32) | items[windows.touched[own]])
    distinct = np.bincount(pairs >> 32, minlength=crowded.size)
    conversions = np.diff(np.append(0, runs.ends)[runs.persons])
    return distinct * conversions


def _rows_in_order(offsets: Times, runs: Runs, crowded: npt.NDArray[np.bool_]) -> Rows:
    owners = np.searchsorted(offsets, runs.rows, side="right") - 1
    return np.sort(runs.rows[crowded[owners]])


@nb.njit(nogil=True)
def _list_new(
    begin: int, end: int, of_touch: Rows, counts: Rows, latest: Rows, states: Mask, listed: Rows
) -> int:
    """Count the touches that come into the window; return how many items were put on the list."""
    new = 0
    for touch in range(begin, end):
        item = of_touch[touch]
        counts[item] += 1
        latest[item] = touch
        if states[item] == _ABSENT:
            states[item] = _LISTED
            listed[new] = item
            new += 1
    return new


@nb.njit(nogil=True)
def _unlist_gone(counts: Rows, states: Mask, listed: Rows) -> int:
    """Keep the items that are in the window; return how many there are."""
    kept = 0
    for item in listed:
        if counts[item] > 0:
            listed[kept] = item
            states[item] = _LISTED
            kept += 1
        else:
            states[item] = _ABSENT
    return kept


@nb.njit(
    nb.int64(
        _ROWS,
        _VALUES,
        _ROWS,
        _ROWS,
        _ROWS,
        _TIMES,
        _ROWS,
        nb.int64,
        nb.int32[::1],
        nb.int32[::1],
        nb.float64[:, ::1],
    ),
    nogil=True,
    cache=True,
)
def _slide_windows(
    rows: Rows,
    values: Values,
    keys: Rows,
    begins: Rows,
    ends: Rows,
    touched: Times,
    of_touch: Rows,
    distinct: int,
    touch_rows: Rows,
    conversion_rows: Rows,
    credit: Values,
) -> int:
    counts, latest = np.zeros(distinct, np.int32), np.zeros(distinct, np.int32)
    states, listed = np.zeros(distinct, np.uint8), np.empty(distinct, np.int32)
    shares = np.zeros((distinct, values.shape[0]))
    begin, end, size, filled = 0, 0, 0, 0
    for at in range(rows.size):
        row = rows[at]
        for touch in range(begin, min(begins[row], end)):
            counts[of_touch[touch]] -= 1
        begin, end = begins[row], max(begins[row], end)
        size += _list_new(end, ends[row], of_touch, counts, latest, states, listed[size:])
        end = ends[row]
        for item in listed[:size]:
            if counts[item] > 0:
                states[item] = _CREDITED
                for metric in range(values.shape[0]):
                    shares[item, metric] += values[metric, row] * counts[item] / (end - begin)
        after = rows[at + 1] if at + 1 < rows.size else row
        # Windows of two persons never meet, so no entry is shared by persons.
        if after == row or keys[after] != keys[row] or begins[after] >= end:
            for item in listed[:size]:
                if states[item] == _CREDITED:
                    touch_rows[filled], conversion_rows[filled] = touched[latest[item]], row
                    credit[:, filled] = shares[item]
                    shares[item] = 0.0
                    filled += 1
            size = _unlist_gone(counts, states, listed[:size])
    return filled
