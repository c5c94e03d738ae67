"""Sums of conversions by the item of the touch that each is credited to."""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from attribution.models import Rows, Times, Values

_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_VALUES: Final = nb.types.Array(nb.float64, 1, "C", readonly=True)


def credited_items(touches: Rows, rows: Rows, items: Rows, none: int) -> Rows:
    """Return int32[R]: the item that each row is credited to.

    Args:
        touches: int32[R], the place of the row's touch, -1 where there is none.
        rows: int32[R], where the places lie in the whole journey.
        items: int32[N], a code for each touch's value, any number elsewhere.
        none: stands for the item where there is no touch.
    """
    found = np.empty(touches.size, np.int32)
    _look_up(touches, rows, items, none, found)
    return found


def sums_by_item(items: Rows, places: Rows, values: Values, distinct: int) -> tuple[Values, Times]:
    """Return float64[distinct] and int64[distinct]: the sum and the number of the values of each item.

    Args:
        items: int32[R], from 0 up and below ``distinct``.
        places: int32[K], where in the journey the values are.
        values: float64[K].
        distinct: how many items there are.
    """
    sums, counts = np.zeros(distinct), np.zeros(distinct, np.int64)
    _add(items, places, values, sums, counts)
    return sums, counts


@nb.njit(nb.void(_ROWS, _ROWS, _ROWS, nb.int32, nb.int32[::1]), nogil=True, cache=True)
def _look_up(touches: Rows, rows: Rows, items: Rows, none: int, found: Rows) -> None:
    for place in range(touches.size):
        touch = touches[place]
        item = items[rows[max(touch, 0)]]
        found[place] = item if touch >= 0 else none


@nb.njit(nb.void(_ROWS, _ROWS, _VALUES, nb.float64[::1], nb.int64[::1]), nogil=True, cache=True)
def _add(items: Rows, places: Rows, values: Values, sums: Values, counts: Times) -> None:
    for at in range(places.size):
        item = items[places[at]]
        sums[item] += values[at]
        counts[item] += 1
