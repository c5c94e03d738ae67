"""The credit that each touch gets, where nothing is asked about the conversions that gave it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numba as nb
import numpy as np

from attribution.models import Rows, Times, Values
from attribution.spans import Spans

_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_COUNTS: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_VALUES: Final = nb.types.Array(nb.float64, 1, "C", readonly=True)


class Credit(NamedTuple):
    """One metric's credit by touch, or by item; the last place is that of conversions without a touch.

    Attributes:
        values: float64[T + 1].
        counts: int64[T + 1], 0 where none was given.
    """

    values: Values
    counts: Times


def credit_of_singles(touches: Rows, items: Rows, values: Values, distinct: int) -> Credit:
    """Give each conversion to the item of one touch.

    Args:
        touches: int32[C], the number of the touch, -1 for none.
        items: int32[T], the item of each touch, from 0 up and below ``distinct``.
        values: float64[C].
        distinct: how many items there are.
    """
    credit = Credit(np.zeros(distinct + 1), np.zeros(distinct + 1, np.int64))
    _give(touches, np.append(items, np.int32(distinct)), values, *credit)
    return credit


def credit_of_shares(spans: Spans, values: Values, touches: int) -> Credit:
    """Split each conversion evenly over the touches of its span.

    Args:
        spans: the touches that count for each of C conversions.
        values: float64[C].
        touches: how many there are.
    """
    credit = Credit(np.zeros(touches + 1), np.zeros(touches + 1, np.int64))
    _spread(spans.begins, spans.ends, values, *credit)
    return credit


def by_item(credit: Credit, items: Rows, distinct: int) -> Credit:
    """Add up the credit of touches by item.

    Args:
        credit: of T touches.
        items: int32[T], the item of each touch, from 0 up and below ``distinct``.
        distinct: how many items there are.
    """
    sums = Credit(np.zeros(distinct + 1), np.zeros(distinct + 1, np.int64))
    _add_up(*credit, np.append(items, np.int32(distinct)), *sums)
    return sums


@nb.njit(nb.void(_ROWS, _ROWS, _VALUES, nb.float64[::1], nb.int64[::1]), nogil=True, cache=True)
def _give(touches: Rows, items: Rows, values: Values, credit: Values, counts: Times) -> None:
    none = items.size - 1
    for place in range(touches.size):
        item = items[touches[place] if touches[place] >= 0 else none]
        credit[item] += values[place]
        counts[item] += 1


@nb.njit(nb.void(_ROWS, _ROWS, _VALUES, nb.float64[::1], nb.int64[::1]), nogil=True, cache=True)
def _spread(begins: Rows, ends: Rows, values: Values, credit: Values, counts: Times) -> None:
    # From the last touch to the first, a touch gets the running sum of the shares of those conversions whose
    # span holds it. A sum that no conversion is left in is set to zero, so no rounding error travels on.
    none, share, active = credit.size - 1, 0.0, 0
    entering, leaving = ends.size - 1, ends.size - 1
    for touch in range(none - 1, -1, -1):
        while entering >= 0 and ends[entering] > touch:
            size = ends[entering] - begins[entering]
            if size > 0:
                share += values[entering] / size
                active += 1
            entering -= 1
        while leaving > entering and begins[leaving] > touch:
            size = ends[leaving] - begins[leaving]
            if size > 0:
                share -= values[leaving] / size
                active -= 1
            leaving -= 1
        share = 0.0 if active == 0 else share
        credit[touch], counts[touch] = share, active
    for place in range(ends.size):
        if ends[place] == begins[place]:
            credit[none] += values[place]
            counts[none] += 1


@nb.njit(nb.void(_VALUES, _COUNTS, _ROWS, nb.float64[::1], nb.int64[::1]), nogil=True, cache=True)
def _add_up(credit: Values, counts: Times, items: Rows, sums: Values, found: Times) -> None:
    for touch in range(items.size):
        sums[items[touch]] += credit[touch]
        found[items[touch]] += counts[touch]
