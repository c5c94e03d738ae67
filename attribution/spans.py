"""Which touches count for each conversion, as a span of the numbers that the touches have in their list.

Two pointers move over the list while the conversions pass by, so the cost is that of both lists, however
many events lie between. Every model follows: the last of the span, the first, or a share for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba as nb
import numpy as np

from attribution.models import Model, Rows, Times
from attribution.windows import age_limit

NO_TOUCH: Final = -1
"""Stands for a touch where there is none."""

_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)


@dataclass(frozen=True)
class Touches:
    """T touches in journey order.

    Attributes:
        rows: int32[T], the row of each.
        times: int64[T], µs.
        ends: int32[T], one past the last row of the touch's container.
    """

    rows: Rows
    times: Times
    ends: Rows


@dataclass(frozen=True)
class Spans:
    """For each of C conversions the touches that count, by their numbers.

    Attributes:
        begins: int32[C], the first.
        ends: int32[C], one past the last; not above the first where none counts.
    """

    begins: Rows
    ends: Rows


def touches_in(bounds: Times, times: Times, rows: Rows) -> Touches:
    """Describe touches by what decides for how long they count.

    Args:
        bounds: int64[B + 1]; container b has the rows ``bounds[b]:bounds[b + 1]``, together all N.
        times: int64[N], µs, ascending within a person.
        rows: int32[T], the rows of the touches, ascending.
    """
    found = Touches(rows, np.empty(rows.size, np.int64), np.empty(rows.size, np.int32))
    _describe(bounds, times, rows, found.times, found.ends)
    return found


def touch_spans(touches: Touches, times: Times, conversions: Rows, lookback: int | None) -> Spans:
    """Return which touches count for each conversion: not after it, in its container, not too old.

    Args:
        touches: T touches.
        times: int64[N], µs, ascending within a person.
        conversions: int32[C], the rows of the conversions, ascending.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.
    """
    spans = Spans(np.empty(conversions.size, np.int32), np.empty(conversions.size, np.int32))
    limit = age_limit(lookback)
    _span(touches.rows, touches.times, touches.ends, times, conversions, limit, spans.begins, spans.ends)
    return spans


def single_touches(model: Model, touches: Touches, conversions: Rows, spans: Spans) -> Rows:
    """Return int32[C]: the number of the one touch that gets each conversion's credit, -1 for none.

    Args:
        model: last, first or same; linear has no single touch.
        touches: T touches.
        conversions: int32[C], the rows of the conversions.
        spans: the touches that count for them.

    Raises:
        ValueError: the model is linear.
    """
    if model is Model.LINEAR:
        raise ValueError("linear splits a conversion over many touches")
    numbers = spans.begins if model is Model.FIRST else spans.ends - np.int32(1)
    counts = spans.begins < spans.ends
    if model is Model.SAME and touches.rows.size:
        counts &= touches.rows[numbers] == conversions
    return np.where(counts, numbers, np.int32(NO_TOUCH))


@nb.njit(nb.void(_TIMES, _TIMES, _ROWS, nb.int64[::1], nb.int32[::1]), nogil=True, cache=True)
def _describe(bounds: Times, times: Times, rows: Rows, moments: Times, ends: Rows) -> None:
    container = 0
    for touch in range(rows.size):
        while bounds[container + 1] <= rows[touch]:
            container += 1
        moments[touch] = times[rows[touch]]
        ends[touch] = bounds[container + 1]


@nb.njit(
    nb.void(_ROWS, _TIMES, _ROWS, _TIMES, _ROWS, nb.int64, nb.int32[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _span(
    touched: Rows,
    moments: Times,
    until: Rows,
    times: Times,
    conversions: Rows,
    limit: int,
    begins: Rows,
    ends: Rows,
) -> None:
    begin, end = 0, 0
    for place in range(conversions.size):
        row = conversions[place]
        while end < touched.size and touched[end] <= row:
            end += 1
        while begin < end and (until[begin] <= row or times[row] - moments[begin] > limit):
            begin += 1
        begins[place], ends[place] = begin, end
