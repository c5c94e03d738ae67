"""Who gets the credit: each touch's part of the conversions of each key, without looking at pairs of them."""

from __future__ import annotations

import numba as nb
import numpy as np

from attribution.crowds import credit_by_item, crowded
from attribution.entries import Entries, joined
from attribution.models import ROWS, VALUES, Codes, Model, Rows, Rule, Times, Values
from attribution.runs import Runs, covered, runs_of
from attribution.shares import Shares, shares_of
from attribution.spans import NO_TOUCH, Spans


def credit(rule: Rule, times: Times, items: Codes, spans: Spans, values: Values, keys: Codes) -> Entries:
    """Split conversions over the touches of their spans, apart for each key.

    A touch has one entry for each key that it gets credit from. People with so many touches and keys that
    these would be beyond measure have entries by item instead: of one of its touches, for all of them.

    Args:
        rule: a model that is not for a single touch.
        times: int64[T], µs, of the touches.
        items: T codes of the touched values; equal items of participation share what they get.
        spans: the touches that count for each of C conversions.
        values: float64[C].
        keys: C codes of what the question takes from the conversion.
    """
    shares = shares_of(rule, times, spans, values)
    runs = runs_of(keys, spans)
    counts = covered(runs, spans)
    once = rule.model is Model.PARTICIPATION
    found = [_lost(spans, values)]
    if keys.distinct > 1:
        many = crowded(spans, items, counts)
        if many.any():
            places = np.flatnonzero(many).astype(np.int32)
            found.append(credit_by_item(rule, times, items, spans, shares, keys, places))
            counts[many] = 0
            runs = runs_of(keys, Spans(spans.begins, np.where(many, spans.begins, spans.ends)))
    swept = _once if once else _spread
    return joined([*found, swept(spans, shares, items, runs, int(counts.sum(dtype=np.int64)))])


def _lost(spans: Spans, values: Values) -> Entries:
    """Conversions without a touch."""
    places = np.flatnonzero(spans.begins == spans.ends).astype(np.int32)
    return Entries(np.full(places.size, NO_TOUCH, np.int32), places, values[places])


def _spread(spans: Spans, shares: Shares, items: Codes, runs: Runs, room: int) -> Entries:
    entries = Entries(np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room))
    begins, ends, parts = spans.begins[runs.order], spans.ends[runs.order], shares.of(runs.order)
    _sweep(begins, ends, *parts, runs.ends, np.empty(begins.size), *entries)
    return Entries(entries.touches, runs.order[entries.places], entries.credit)


def _once(spans: Spans, shares: Shares, items: Codes, runs: Runs, room: int) -> Entries:
    entries = Entries(np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room))
    begins, ends, values = spans.begins[runs.order], spans.ends[runs.order], shares.each[runs.order]
    limits = np.full(items.distinct, begins.size, np.int32)
    first = _sweep_once(begins, ends, values, runs.ends, items.codes, limits, np.empty(begins.size), *entries)
    return Entries(entries.touches[first:], runs.order[entries.places[first:]], entries.credit[first:])


# Both sweeps go through a run from its last touch to the first. Conversions wait in a queue while their span
# holds the touch: they come in at the end of their span, and leave at its beginning, in the same order.


@nb.njit(
    nb.void(
        ROWS,
        ROWS,
        VALUES,
        VALUES,
        VALUES,
        VALUES,
        ROWS,
        nb.float64[::1],
        nb.int32[::1],
        nb.int32[::1],
        nb.float64[::1],
    ),
    nogil=True,
    cache=True,
)
def _sweep(
    begins: Rows,
    ends: Rows,
    each: Values,
    first: Values,
    last: Values,
    fades: Values,
    run_ends: Rows,
    older: Values,
    touches: Rows,
    places: Rows,
    given: Values,
) -> None:
    """Write an entry for each touch of each run, from the last to the first; O(entries + C).

    The queue holds the conversions ``newest`` to ``oldest`` as two stacks, so nothing is ever subtracted:
    those up to ``split`` in one sum, and for each after it the sum from ``split`` to it.
    """
    entry = touches.size
    for run in range(run_ends.size - 1, -1, -1):
        start = run_ends[run - 1] if run else 0
        oldest, newest = run_ends[run] - 1, run_ends[run]
        split, touch, newer, fade = oldest, 0, 0.0, 1.0
        while newest > start or oldest >= newest:
            if oldest < newest:
                touch = ends[newest - 1] - 1
                oldest, split, newer = newest - 1, newest - 1, 0.0
            else:
                touch -= 1
                newer, fade = newer * fades[touch], fade * fades[touch]
            credit = 0.0
            while newest > start and ends[newest - 1] == touch + 1:
                newest -= 1
                newer += each[newest]
                credit += last[newest]
            credit += newer + (older[oldest] * fade if oldest > split else 0.0)
            while oldest >= newest and begins[oldest] == touch:
                credit += first[oldest]
                oldest -= 1
            entry -= 1
            touches[entry], places[entry], given[entry] = touch, newest, credit
            if newest <= oldest < split:
                total, weight, at = 0.0, 1.0, touch
                for place in range(newest, oldest + 1):
                    while at < ends[place] - 1:
                        weight, at = weight * fades[at], at + 1
                    total += each[place] * weight
                    older[place] = total
                split, newer, fade = newest - 1, 0.0, 1.0


@nb.njit(
    nb.int64(
        ROWS,
        ROWS,
        VALUES,
        ROWS,
        ROWS,
        nb.int32[::1],
        nb.float64[::1],
        nb.int32[::1],
        nb.int32[::1],
        nb.float64[::1],
    ),
    nogil=True,
    cache=True,
)
def _sweep_once(
    begins: Rows,
    ends: Rows,
    values: Values,
    run_ends: Rows,
    items: Rows,
    limits: Rows,
    before: Values,
    touches: Rows,
    places: Rows,
    given: Values,
) -> int:
    """Write entries from the last to the first, for touches that are their item's latest for some conversion.

    ``limits`` holds for each item the first conversion that a later touch of it has taken; what is left is a
    range of conversions, and its sum the difference of two sums from where spans last began anew.
    """
    entry = touches.size
    for run in range(run_ends.size - 1, -1, -1):
        start = run_ends[run - 1] if run else 0
        for place in range(start, run_ends[run]):
            follows = place > start and begins[place] < ends[place - 1]
            before[place] = before[place - 1] + values[place - 1] if follows else 0.0
        oldest, newest, touch = run_ends[run] - 1, run_ends[run], 0
        while newest > start or oldest >= newest:
            if oldest < newest:
                touch, oldest = ends[newest - 1] - 1, newest - 1
            else:
                touch -= 1
            while newest > start and ends[newest - 1] == touch + 1:
                newest -= 1
            limit = min(oldest + 1, limits[items[touch]])
            if limit > newest:
                entry -= 1
                touches[entry], places[entry] = touch, newest
                given[entry] = before[limit - 1] + values[limit - 1] - before[newest]
            limits[items[touch]] = newest
            while oldest >= newest and begins[oldest] == touch:
                oldest -= 1
    return entry
