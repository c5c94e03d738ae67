"""The credit that each touch gets, where nothing is asked about the conversions that gave it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numba as nb
import numpy as np

from attribution.models import Mask, Rows, Times, Values
from attribution.spans import Spans

_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_VALUES: Final = nb.types.Array(nb.float64, 1, "C", readonly=True)


class Credit(NamedTuple):
    """One metric's credit; the last place is that of conversions without a touch.

    Attributes:
        values: float64[T + 1].
        given: uint8[T + 1], 1 where any credit was given, if only of values that cancel out.
    """

    values: Values
    given: Mask


def whole_credit(touches: Rows, values: Values, count: int) -> Credit:
    """Give each conversion to one touch.

    Args:
        touches: int32[C], the number of the touch, -1 for none.
        values: float64[C].
        count: how many touches there are.
    """
    credit = Credit(np.zeros(count + 1), np.zeros(count + 1, np.uint8))
    _give(touches, values, credit.values, credit.given)
    return credit


def even_credit(spans: Spans, values: Values, count: int) -> Credit:
    """Split each conversion evenly over the touches of its span.

    Args:
        spans: the touches that count for each of C conversions.
        values: float64[C].
        count: how many touches there are.
    """
    credit = Credit(np.zeros(count + 1), np.zeros(count + 1, np.uint8))
    _spread(spans.begins, spans.ends, values, credit.values, credit.given)
    return credit


def sums_by_item(credit: Credit, items: Rows, distinct: int) -> tuple[Values, Times]:
    """Return float64[distinct] and int64[distinct]: the credit of each item, and how many touches gave it.

    Args:
        credit: of T touches.
        items: int32[T + 1], from 0 up and below ``distinct``; the last is for conversions without a touch.
        distinct: how many items there are.
    """
    sums, counts = np.zeros(distinct), np.zeros(distinct, np.int64)
    _add_up(credit.values, credit.given, items, sums, counts)
    return sums, counts


@nb.njit(nb.void(_ROWS, _VALUES, nb.float64[::1], nb.uint8[::1]), nogil=True, cache=True)
def _give(touches: Rows, values: Values, credit: Values, given: Mask) -> None:
    none = credit.size - 1
    for place in range(touches.size):
        touch = touches[place] if touches[place] >= 0 else none
        credit[touch] += values[place]
        given[touch] = 1


@nb.njit(nb.void(_ROWS, _ROWS, _VALUES, nb.float64[::1], nb.uint8[::1]), nogil=True, cache=True)
def _spread(begins: Rows, ends: Rows, values: Values, credit: Values, given: Mask) -> None:
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
        credit[touch], given[touch] = share, active > 0
    for place in range(ends.size):
        if ends[place] <= begins[place]:
            credit[none] += values[place]
            given[none] = 1


@nb.njit(nb.void(_VALUES, _MASK, _ROWS, nb.float64[::1], nb.int64[::1]), nogil=True, cache=True)
def _add_up(credit: Values, given: Mask, items: Rows, sums: Values, counts: Times) -> None:
    for touch in range(items.size):
        sums[items[touch]] += credit[touch]
        counts[items[touch]] += given[touch]
