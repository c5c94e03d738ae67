"""Who gets the credit: each touch's part of the conversions of each key, without looking at pairs of them."""

from __future__ import annotations

import numba as nb
import numpy as np

from attribution.crowds import credit_by_item, crowded
from attribution.entries import Entries, empty_entries, joined
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
    once = rule.model is Model.PARTICIPATION
    shares = shares_of(rule, times, spans, values)
    runs = runs_of(keys, spans)
    found, room = [_lost(spans, values)], times.size
    if keys.distinct > 1:
        counts = covered(runs, spans)
        many = crowded(spans, items, counts)
        if many.any():
            places = np.flatnonzero(many).astype(np.int32)
            found.append(credit_by_item(rule, times, items, spans, shares, keys, places))
            counts[many] = 0
            runs = runs_of(keys, Spans(spans.begins, np.where(many, spans.begins, spans.ends)))
        room = int(counts.sum(dtype=np.int64))
    swept = _swept_once(spans, shares, items, runs, room) if once else _swept(spans, shares, runs, room)
    return joined([*found, swept])


def _lost(spans: Spans, values: Values) -> Entries:
    """Conversions without a touch."""
    places = np.flatnonzero(spans.begins == spans.ends).astype(np.int32)
    return Entries(np.full(places.size, NO_TOUCH, np.int32), places, values[places])


def _swept(spans: Spans, shares: Shares, runs: Runs, room: int) -> Entries:
    entries, older = empty_entries(room), np.empty(runs.order.size)
    columns = spans.begins, spans.ends, *shares, *runs, older, *entries
    first: int = _sweep(*columns)
    return entries.cut(first, room)


def _swept_once(spans: Spans, shares: Shares, items: Codes, runs: Runs, room: int) -> Entries:
    entries, before = empty_entries(room), np.empty(runs.order.size)
    limits = np.full(items.distinct, runs.order.size, np.int32)
    columns = spans.begins, spans.ends, shares.each, *runs, items.codes, limits, before, *entries
    first: int = _sweep_once(*columns)
    return entries.cut(first, room)


@nb.njit(nogil=True)
def _add_up(ends: Rows, each: Values, fades: Values, order: Rows, touch: int, sums: Values) -> None:
    """Write the running sums of what conversions, the newest first, give to a touch."""
    total, weight, at = 0.0, 1.0, touch
    for place in range(order.size):
        while at < ends[order[place]] - 1:
            weight, at = weight * fades[at], at + 1
        total += each[order[place]] * weight
        sums[place] = total


# Both sweeps go through a run from its last touch to the first. Conversions wait in a queue while their span
# holds the touch: they come in at the end of their span, and leave at its beginning, in the same order.


@nb.njit(
    nb.int64(
        ROWS,
        ROWS,
        VALUES,
        VALUES,
        VALUES,
        VALUES,
        ROWS,
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
    order: Rows,
    run_ends: Rows,
    older: Values,
    touches: Rows,
    places: Rows,
    given: Values,
) -> int:
    """Write an entry for each touch of each run, from the last to the first; O(entries + C).

    The entries end where the room for them ends; returned is where they begin. The queue holds the places
    ``newest`` to ``oldest`` of the order as two stacks, so nothing is ever subtracted: those up to ``split``
    in one sum, and for each after it the sum from ``split`` to it.
    """
    entry = touches.size
    for run in range(run_ends.size - 1, -1, -1):
        start = run_ends[run - 1] if run else 0
        oldest, newest = run_ends[run] - 1, run_ends[run]
        split, touch, newer, fade = oldest, 0, 0.0, 1.0
        while newest > start or oldest >= newest:
            if oldest < newest:
                touch = ends[order[newest - 1]] - 1
                oldest, split, newer = newest - 1, newest - 1, 0.0
            else:
                touch -= 1
                newer, fade = newer * fades[touch], fade * fades[touch]
            credit = 0.0
            while newest > start and ends[order[newest - 1]] == touch + 1:
                newest -= 1
                newer += each[order[newest]]
                credit += last[order[newest]]
            credit += newer + (older[oldest] * fade if oldest > split else 0.0)
            while oldest >= newest and begins[order[oldest]] == touch:
                credit += first[order[oldest]]
                oldest -= 1
            entry -= 1
            touches[entry], places[entry], given[entry] = touch, order[newest], credit
            if newest <= oldest < split:
                _add_up(ends, each, fades, order[newest : oldest + 1], touch, older[newest : oldest + 1])
                split, newer, fade = newest - 1, 0.0, 1.0
    return entry


@nb.njit(
    nb.int64(
        ROWS,
        ROWS,
        VALUES,
        ROWS,
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
    order: Rows,
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
            total = 0.0
            if place > start and begins[order[place]] < ends[order[place - 1]]:
                total = before[place - 1] + values[order[place - 1]]
            before[place] = total
        oldest, newest, touch = run_ends[run] - 1, run_ends[run], 0
        while newest > start or oldest >= newest:
            if oldest < newest:
                touch, oldest = ends[order[newest - 1]] - 1, newest - 1
            else:
                touch -= 1
            while newest > start and ends[order[newest - 1]] == touch + 1:
                newest -= 1
            limit = min(oldest + 1, limits[items[touch]])
            if limit > newest:
                entry -= 1
                touches[entry], places[entry] = touch, order[newest]
                given[entry] = before[limit - 1] + values[order[limit - 1]] - before[newest]
            limits[items[touch]] = newest
            while oldest >= newest and begins[order[oldest]] == touch:
                oldest -= 1
    return entry
