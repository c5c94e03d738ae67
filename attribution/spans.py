"""Which touches count for each conversion, by the numbers that the touches have in their list.

One pass over the journey finds the latest touch at every event; from there the cost is that of the lists of
touches and conversions. Touches that count for a conversion are a span of numbers, so every model follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba as nb
import numpy as np

from attribution.models import MASK, ROWS, SINGLES, TIMES, Container, Mask, Model, Rows, Times
from attribution.rows import mask_of

NO_TOUCH: Final = -1
"""Stands for a touch where there is none."""

_NO_LIMIT: Final = int(np.iinfo(np.int64).max)
"""A lookback in µs that no two event times exceed."""


@dataclass(frozen=True)
class Touches:
    """T touches in journey order, among N events.

    Attributes:
        rows: int32[T], the row of each.
        times: int64[T], µs.
        resets: uint8[N], 1 on the first event of each container.
        latest: int32[N], the number of the latest touch of the event's container, not after the event; -1
            where there is none.
    """

    rows: Rows
    times: Times
    resets: Mask
    latest: Rows


@dataclass(frozen=True)
class Spans:
    """For each of C conversions the touches that count, by their numbers. Both ends only ever move on.

    Attributes:
        begins: int32[C], the first.
        ends: int32[C], one past the last; equal to the first where none counts.
    """

    begins: Rows
    ends: Rows


def container_starts(container: Container, offsets: Times, starts: Mask) -> Mask:
    """Return uint8[N], 1 on the first event of each container.

    Args:
        container: session or person.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        starts: uint8[N], 1 on the first event of each session; a person's first event starts one.
    """
    if container is Container.SESSION:
        return starts
    firsts = offsets[:-1]
    return mask_of(firsts[firsts < offsets[1:]].astype(np.int32), starts.size)


def touches_in(resets: Mask, rows: Rows, times: Times) -> Touches:
    """Number touches.

    Args:
        resets: uint8[N], 1 on the first event of each container.
        rows: int32[T], the rows of the touches, ascending.
        times: int64[T], µs.
    """
    latest = np.empty(resets.size, np.int32)
    _number(mask_of(rows, resets.size), resets, latest)
    return Touches(rows, times, resets, latest)


def single_touches(
    model: Model, touches: Touches, times: Times, conversions: Rows, lookback: int | None
) -> Rows:
    """Return int32[C]: the number of the one touch that gets each conversion's credit, -1 for none.

    Args:
        model: last, first or same; no other has a single touch.
        touches: T touches among N events.
        times: int64[N], µs, ascending within a person.
        conversions: int32[C], the rows of the conversions, ascending.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.

    Raises:
        ValueError: the model is another one.
    """
    if model not in SINGLES:
        raise ValueError(f"{model} splits a conversion over many touches: use touch_spans")
    if model is Model.FIRST:
        spans = touch_spans(touches, times, conversions, lookback)
        return np.where(spans.begins < spans.ends, spans.begins, np.int32(NO_TOUCH))
    numbers = np.empty(conversions.size, np.int32)
    _look_back(touches.latest, touches.times, times, conversions, age_limit(lookback), numbers)
    if model is Model.SAME:
        numbers[np.append(touches.rows, np.int32(NO_TOUCH))[numbers] != conversions] = NO_TOUCH
    return numbers


def touch_spans(touches: Touches, times: Times, conversions: Rows, lookback: int | None) -> Spans:
    """Return which touches count for each conversion: not after it, in its container, not too old.

    Args:
        touches: T touches among N events.
        times: int64[N], µs, ascending within a person.
        conversions: int32[C], the rows of the conversions, ascending.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.
    """
    firsts = np.empty(touches.rows.size, np.int32)
    _find_firsts(touches.rows, touches.resets, touches.latest, firsts)
    spans = Spans(np.empty(conversions.size, np.int32), np.empty(conversions.size, np.int32))
    limit = age_limit(lookback)
    _span(touches.latest, touches.times, firsts, times, conversions, limit, spans.begins, spans.ends)
    return spans


def age_limit(lookback: int | None) -> int:
    """Return the lookback in µs as the kernels take it: none is a limit beyond all ages."""
    return _NO_LIMIT if lookback is None else lookback


# Loops that every event or conversion passes are plain selections: real data is unpredictable, and a
# mispredicted branch costs more than all the rest of a row.


@nb.njit(nb.void(MASK, MASK, nb.int32[::1]), nogil=True, cache=True)
def _number(touched: Mask, resets: Mask, latest: Rows) -> None:
    number, touch = 0, NO_TOUCH
    for row in range(touched.size):
        touch = NO_TOUCH if resets[row] != 0 else touch
        touch = number if touched[row] != 0 else touch
        number += touched[row]
        latest[row] = touch


@nb.njit(nb.void(ROWS, TIMES, TIMES, ROWS, nb.int64, nb.int32[::1]), nogil=True, cache=True)
def _look_back(
    latest: Rows, moments: Times, times: Times, conversions: Rows, limit: int, numbers: Rows
) -> None:
    for place in range(conversions.size if moments.size else 0):
        row = conversions[place]
        touch = latest[row]
        young = times[row] - moments[max(touch, 0)] <= limit
        numbers[place] = touch if young else NO_TOUCH
    if moments.size == 0:
        numbers[:] = NO_TOUCH


@nb.njit(nb.void(ROWS, MASK, ROWS, nb.int32[::1]), nogil=True, cache=True)
def _find_firsts(rows: Rows, resets: Mask, latest: Rows, firsts: Rows) -> None:
    # The first touch of each touch's container: the touch before it is in there if the row before it is, and
    # has that touch as its latest.
    for touch in range(rows.size):
        row = rows[touch]
        follows = touch > 0 and resets[row] == 0 and latest[row - 1] == touch - 1
        firsts[touch] = firsts[touch - 1] if follows else touch


@nb.njit(
    nb.void(ROWS, TIMES, ROWS, TIMES, ROWS, nb.int64, nb.int32[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _span(
    latest: Rows,
    moments: Times,
    firsts: Rows,
    times: Times,
    conversions: Rows,
    limit: int,
    begins: Rows,
    ends: Rows,
) -> None:
    begin, end = 0, 0
    for place in range(conversions.size):
        row = conversions[place]
        if latest[row] >= 0:
            end = latest[row] + 1
            begin = max(begin, firsts[end - 1])
            while begin < end and times[row] - moments[begin] > limit:
                begin += 1
        else:
            begin = end
        begins[place], ends[place] = begin, end
