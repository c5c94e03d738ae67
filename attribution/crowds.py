"""Credit by key where people have many touches and many keys: entries by item, so that they stay few.

A bot with a hundred thousand touches that converts in a thousand hours would have an entry for each touch
and hour. Here its window slides over its conversions with the weight of each item, and each conversion is
split over the items in the window.
"""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np
import numpy.typing as npt

from attribution.entries import Entries, empty_entries
from attribution.models import ROWS, TIMES, VALUES, Codes, Mask, Model, Rows, Rule, Times, Values
from attribution.shares import Shares
from attribution.spans import Spans

CROWDED: Final = 2
"""Conversions whose spans meet are a crowd if they have more entries than this many times their number and
that of their touches."""

_ABSENT: Final = 0
_LISTED: Final = 1
_CREDITED: Final = 2


def crowded(spans: Spans, items: Codes, counts: Rows) -> npt.NDArray[np.bool_]:
    """Return bool[C]: conversions that would have too many entries by touch, and fewer by item.

    Args:
        spans: the touches that count for each of C conversions.
        items: codes of the touched values.
        counts: int32[C], how many entries each conversion adds.
    """
    if not counts.size:
        return np.zeros(0, np.bool_)
    firsts = np.flatnonzero(np.append(True, spans.begins[1:] >= spans.ends[:-1]))
    conversions = np.diff(np.append(firsts, counts.size))
    begins = spans.begins[firsts]
    ends = spans.ends[firsts + conversions - 1]
    entries = np.add.reduceat(counts, firsts, dtype=np.int64)
    crowds = entries > CROWDED * (conversions + ends - begins)
    for crowd in np.flatnonzero(crowds):
        distinct = np.unique(items.codes[begins[crowd] : ends[crowd]]).size
        crowds[crowd] = distinct * conversions[crowd] < entries[crowd]
    return np.repeat(crowds, conversions)


def credit_by_item(
    rule: Rule, times: Times, items: Codes, spans: Spans, shares: Shares, keys: Codes, places: Rows
) -> Entries:
    """Return an entry per item for each stretch of conversions of one key.

    Args:
        rule: a model that is not for a single touch.
        times: int64[T], µs, of the touches.
        items: codes of the touched values.
        spans: the touches that count for each conversion.
        shares: what each conversion gives.
        keys: codes of the conversions' keys.
        places: int32, the conversions that are meant, ascending; either all that share touches or none.
    """
    begins, ends, codes = spans.begins[places], spans.ends[places], keys.codes[places]
    room = _most_entries(begins, ends, codes, items)
    entries = empty_entries(room)
    each, first, last, _ = shares.of(places)
    rate = 1 / rule.half_life if rule.model is Model.TIME_DECAY else 0.0
    once = rule.model is Model.PARTICIPATION
    columns = begins, ends, each, first, last, codes
    filled = _slide(*columns, items.codes, items.distinct, times, rate, once, *entries)
    found = entries.cut(0, filled)
    return Entries(found.touches, places[found.places], found.credit)


def _most_entries(begins: Rows, ends: Rows, keys: Rows, items: Codes) -> int:
    """A stretch of conversions of one key has at most an entry for each item, or for each of its touches."""
    change = np.append(True, (keys[1:] != keys[:-1]) | (begins[1:] >= ends[:-1]))
    firsts = np.flatnonzero(change)
    lasts = np.append(firsts[1:], begins.size) - 1
    return int(np.minimum(ends[lasts] - begins[firsts], items.distinct).sum(dtype=np.int64))


@nb.njit(nogil=True)
def _list_new(
    begin: int,
    end: int,
    items: Rows,
    counts: Rows,
    latest: Rows,
    states: Mask,
    listed: Rows,
) -> int:
    """Count the touches that come into the window; return how many items were put on the list."""
    new = 0
    for touch in range(begin, end):
        item = items[touch]
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


@nb.njit(nogil=True)
def _let_go(
    begin: int, end: int, items: Rows, times: Times, now: int, rate: float, counts: Rows, weights: Values
) -> None:
    """Take touches that leave the window out of the weights."""
    for touch in range(begin, end):
        item = items[touch]
        counts[item] -= 1
        left = weights[item] - np.exp2(min(times[touch] - now, 0) * rate)
        weights[item] = left if counts[item] > 0 else 0.0


@nb.njit(nogil=True)
def _write(
    listed: Rows,
    states: Mask,
    latest: Rows,
    credit: Values,
    place: int,
    filled: int,
    touches: Rows,
    places: Rows,
    given: Values,
) -> int:
    """Write an entry for each item that has credit, which it loses; return how many there are then."""
    for item in listed:
        if states[item] == _CREDITED:
            touches[filled], places[filled], given[filled] = latest[item], place, credit[item]
            credit[item] = 0.0
            filled += 1
    return filled


@nb.njit(
    nb.int64(
        ROWS,
        ROWS,
        VALUES,
        VALUES,
        VALUES,
        ROWS,
        ROWS,
        nb.int64,
        TIMES,
        nb.float64,
        nb.boolean,
        nb.int32[::1],
        nb.int32[::1],
        nb.float64[::1],
    ),
    nogil=True,
    cache=True,
)
def _slide(
    begins: Rows,
    ends: Rows,
    each: Values,
    first: Values,
    last: Values,
    keys: Rows,
    items: Rows,
    distinct: int,
    times: Times,
    rate: float,
    once: bool,
    touches: Rows,
    places: Rows,
    given: Values,
) -> int:
    """Write entries, and return how many; O(touches + conversions * items in the window).

    An item's weight is that of its touches in the window, seen from the window's last touch. A weight without
    touches is set to zero, and what rounding leaves on others fades as they do.
    """
    counts, latest = np.zeros(distinct, np.int32), np.zeros(distinct, np.int32)
    states, listed = np.zeros(distinct, np.uint8), np.empty(distinct, np.int32)
    weights, credit = np.zeros(distinct), np.zeros(distinct)
    begin, end, size, filled, then = 0, 0, 0, 0, 0
    for place in range(begins.size):
        now = times[ends[place] - 1]
        fade = np.exp2(min(then - now, 0) * rate)
        for item in listed[:size]:
            weights[item] *= fade
        _let_go(begin, min(begins[place], end), items, times, now, rate, counts, weights)
        begin, new = begins[place], max(begins[place], end)
        end, then = ends[place], now
        size += _list_new(new, end, items, counts, latest, states, listed[size:])
        for touch in range(new, end):
            weights[items[touch]] += np.exp2((times[touch] - now) * rate)
        for item in listed[:size]:
            if counts[item] > 0:
                states[item] = _CREDITED
                credit[item] += each[place] * (1.0 if once else weights[item])
        credit[items[begin]] += first[place]
        credit[items[end - 1]] += last[place]
        after = place + 1
        # Spans of two persons never meet, so no entry is shared by persons.
        if after == begins.size or keys[after] != keys[place] or begins[after] >= end:
            filled = _write(listed[:size], states, latest, credit, place, filled, touches, places, given)
            size = _unlist_gone(counts, states, listed[:size])
    return filled
