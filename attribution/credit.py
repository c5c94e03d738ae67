"""The linear model: each touch of a conversion's window gets an equal share.

A conversion never meets its touches one by one: going backwards, a touch's credit is the running
sum of the shares of those conversions whose window holds it. A sum that no conversion is left in is
set to zero, so no rounding error travels from one window to the next.
"""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from attribution.items import credit_by_item, crowded_persons
from attribution.models import Container, Mask, Rows, Times, Values
from attribution.runs import Entries, conversion_runs, credit_by_touch, credit_lost, joined
from attribution.windows import touch_windows

_MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_VALUES: Final = nb.types.Array(nb.float64, 2, "C", readonly=True)


def linear_credit(
    container: Container,
    offsets: Times,
    times: Times,
    touches: Mask,
    values: Values,
    starts: Mask,
    lookback: int | None,
) -> tuple[Values, Values]:
    """Split each conversion evenly over the touches of its window.

    Args:
        container: touches count in the conversion's session, or in the person's whole journey.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        touches: uint8[N], 1 where the dimension is set.
        values: float64[M, N], M metrics; 0 is no conversion, NaN is not allowed.
        starts: uint8[N], 1 on the first event of each session.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.

    Returns:
        float64[M, N], the credit of each touch on its row, 0 elsewhere; and float64[M], the value
        of the conversions without a touch. Together they add up to the values.
    """
    windows = touch_windows(container, offsets, times, touches, starts, lookback)
    credit = np.empty(values.shape, np.float64)
    unattributed = np.zeros(values.shape[0], np.float64)
    _spread(values, touches, windows.begins, windows.ends, credit, unattributed)
    return credit, unattributed


def linear_credit_by_key(
    container: Container,
    offsets: Times,
    times: Times,
    touches: Mask,
    values: Values,
    keys: Rows,
    starts: Mask,
    lookback: int | None,
    items: Rows | None = None,
) -> Entries:
    """Split each conversion evenly over the touches of its window, apart for each key.

    The key stands for all that a question takes from the conversion's side, such as its day. A
    touch has one entry for each key that it gets credit from. A person with many touches under
    many keys would have entries beyond measure: where ``items`` are given, such a person's touches
    of one item share an entry.

    Args:
        container: touches count in the conversion's session, or in the person's whole journey.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        touches: uint8[N], 1 where the dimension is set.
        values: float64[M, N], M metrics; 0 is no conversion, NaN is not allowed.
        keys: int32[N], the key of each conversion.
        starts: uint8[N], 1 on the first event of each session.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.
        items: int32[N], a code from 0 up for each touch's value, any number elsewhere.

    Returns:
        For each of E entries: int32[E], the row of a touch, -1 for conversions without a touch;
        int32[E], the row of a conversion of the same person and key; float64[M, E], the credit.
    """
    windows = touch_windows(container, offsets, times, touches, starts, lookback)
    converts = (values != 0).any(axis=0)
    credited = converts & (windows.begins < windows.ends)
    lost = conversion_runs(offsets, keys, converts & ~credited)
    found = [credit_lost(values, lost)]
    runs = conversion_runs(offsets, keys, credited)
    if items is not None:
        crowded = crowded_persons(offsets, items, runs, windows)
        if crowded.any():
            found.append(credit_by_item(offsets, values, keys, items, runs, windows, crowded))
            alone = credited & ~np.repeat(crowded, np.diff(offsets))
            runs = conversion_runs(offsets, keys, alone)
    return joined([*found, credit_by_touch(values, runs, windows)])


@nb.njit(
    nb.void(_VALUES, _MASK, _ROWS, _ROWS, nb.float64[:, ::1], nb.float64[::1]),
    nogil=True,
    cache=True,
)
def _spread(
    values: Values, touches: Mask, begins: Rows, ends: Rows, credit: Values, unattributed: Values
) -> None:
    for metric in range(values.shape[0]):
        share, active, last = 0.0, 0, values.shape[1] - 1
        for row in range(values.shape[1] - 1, -1, -1):
            value, window = values[metric, row], ends[row] - begins[row]
            if value != 0.0 and window > 0:
                last = row if active == 0 else last
                share, active = share + value / window, active + 1
            elif value != 0.0:
                unattributed[metric] += value
            while active > 0 and begins[last] >= ends[row]:
                value, window = values[metric, last], ends[last] - begins[last]
                if value != 0.0 and window > 0:
                    share, active = share - value / window, active - 1
                    share = 0.0 if active == 0 else share
                last -= 1
            credit[metric, row] = share if touches[row] != 0 else 0.0
