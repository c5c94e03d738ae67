"""Shapley weights: what each item of a set adds to the rate at which paths convert.

The worth of a set is the rate of the paths that have exactly its items; a set that no path has is worth the
best set within it. A set's dividend is its worth without the dividends of all smaller sets within, and goes
in equal parts to its items. The sum of an item's parts within a set is its Shapley value in there.
"""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from attribution.models import Rows, Times, Values
from attribution.sets import Sets, normalised

EXACT: Final = 12
"""Sets of up to so many items are solved exactly; beyond that, orders of the items are sampled."""

SEED: Final = 20_240_229
"""Starts the orders of each sampled set anew, so an answer does not depend on what else was asked."""

MOST_PAIRS: Final = 500
"""Pairs of an order and its reverse that are sampled for a set, unless very many sets lie within it."""

_FEWEST_PAIRS: Final = 32
_STEPS: Final = 500_000
"""Steps that the orders of one set may take, if that leaves the fewest pairs."""

_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_VALUES: Final = nb.types.Array(nb.float64, 1, "C", readonly=True)


def shapley_weights(sets: Sets, rates: Values, wanted: Rows, exact: int = EXACT) -> Values:
    """Return float64[W]: the weights of the members of some sets, one set after the other.

    A set of n items costs O(n 2^n) where it is exact, else O(orders × members of the sets within it).

    Args:
        sets: K distinct sets in lexicographic order, as ``united`` returns them.
        rates: float64[K], which part of the paths with just these items converted.
        wanted: int32[J], the sets whose weights are wanted, W members together.
        exact: the largest size of a set that is not sampled.
    """
    sizes = sets.sizes[wanted]
    places = np.append(0, np.cumsum(sizes)).astype(np.int64)
    raw = np.zeros(int(places[-1]))
    for solve, chosen in ((_solve, sizes <= exact), (_sample, sizes > exact)):
        if chosen.any():
            solve(sets.offsets, sets.members, rates, wanted[chosen], places[:-1][chosen], raw)
    return normalised(places, np.maximum(raw, 0.0))


@nb.njit(nogil=True)
def _first_from(offsets: Times, members: Rows, depth: int, low: int, high: int, item: int) -> int:
    """Return the first set in low:high whose member at a depth is at least an item."""
    while low < high:
        middle = (low + high) // 2
        if members[offsets[middle] + depth] < item:
            low = middle + 1
        else:
            high = middle
    return low


@nb.njit(nogil=True)
def _subsets(offsets: Times, members: Rows, one: int, found: Rows, ranges: Times) -> int:
    """List the sets within a set, itself among them; return how many.

    Sets that begin with the same members lie side by side, so the search goes down from member to member
    and only where there are such sets: as many steps as they have beginnings, each a binary search.
    """
    begin, size = offsets[one], offsets[one + 1] - offsets[one]
    count, depth = 0, 0
    ranges[0, 0], ranges[0, 1], ranges[0, 2] = 0, offsets.size - 1, 0
    while depth >= 0:
        place = ranges[depth, 2]
        if place == size or ranges[depth, 0] == ranges[depth, 1]:
            depth -= 1
            continue
        item = members[begin + place]
        low = _first_from(offsets, members, depth, ranges[depth, 0], ranges[depth, 1], item)
        high = _first_from(offsets, members, depth, low, ranges[depth, 1], item + 1)
        ranges[depth, 0], ranges[depth, 2] = high, place + 1
        if low < high and offsets[low + 1] - offsets[low] == depth + 1:
            found[count] = low
            count += 1
            low += 1
        if low < high:
            depth += 1
            ranges[depth, 0], ranges[depth, 1], ranges[depth, 2] = low, high, place + 1
    return count


@nb.njit(nogil=True)
def _fill_worths(worths: Values, bits: int) -> None:
    """Give each set that has no rate (below 0) the best rate of the sets within it."""
    best = np.maximum(worths, 0.0)
    for code in range(worths.size):
        for bit in range(bits):
            if code >> bit & 1:
                best[code] = max(best[code], best[code ^ (1 << bit)])
        if worths[code] < 0.0:
            worths[code] = best[code]


@nb.njit(nogil=True)
def _split_dividends(worths: Values, bits: int, shares: Values) -> None:
    """Turn worths into dividends, and give each item its part of those of its sets."""
    for bit in range(bits):
        for code in range(worths.size):
            if code >> bit & 1:
                worths[code] -= worths[code ^ (1 << bit)]
    for code in range(1, worths.size):
        size = 0
        for bit in range(bits):
            size += code >> bit & 1
        for bit in range(bits):
            if code >> bit & 1:
                shares[bit] += worths[code] / size


@nb.njit(
    nb.void(_TIMES, _ROWS, _VALUES, _ROWS, _TIMES, nb.float64[::1]),
    nogil=True,
    cache=True,
)
def _solve(offsets: Times, members: Rows, rates: Values, wanted: Rows, places: Times, raw: Values) -> None:
    found = np.empty(rates.size, np.int32)
    spots = np.zeros(members.max() + 1, np.int64)
    for number in range(wanted.size):
        one = wanted[number]
        begin, size = offsets[one], offsets[one + 1] - offsets[one]
        for spot in range(size):
            spots[members[begin + spot]] = spot
        worths = np.full(1 << size, -1.0)
        worths[0] = 0.0
        for inner in found[: _subsets(offsets, members, one, found, np.empty((size + 1, 3), np.int64))]:
            code = 0
            for member in members[offsets[inner] : offsets[inner + 1]]:
                code |= 1 << spots[member]
            worths[code] = rates[inner]
        _fill_worths(worths, size)
        _split_dividends(worths, size, raw[places[number] : places[number] + size])


@nb.njit(nogil=True)
def _shuffle(order: Rows, state: np.uint64) -> np.uint64:
    """Put an order into another one at random; return the generator's next state (xorshift)."""
    for last in range(order.size - 1, 0, -1):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        other = np.int64(state >> np.uint64(11)) % (last + 1)
        order[last], order[other] = order[other], order[last]
    return state


@nb.njit(nogil=True)
def _add_margins(
    order: Rows, ranks: Rows, inner: Times, spots: Rows, rates: Values, worths: Values, shares: Values
) -> None:
    """Add what each item adds to the worth of those before it in an order.

    A set that lies within counts from its last member on, so one look at each finds all worths.
    """
    worths[:] = -1.0
    for place in range(order.size):
        ranks[order[place]] = place
    best = np.zeros(order.size)
    for number in range(rates.size):
        last = 0
        for spot in spots[inner[number] : inner[number + 1]]:
            last = max(last, ranks[spot])
        best[last] = max(best[last], rates[number])
        if inner[number + 1] - inner[number] == last + 1:
            worths[last] = rates[number]
    before, so_far = 0.0, 0.0
    for place in range(order.size):
        so_far = max(so_far, best[place])
        worth = worths[place] if worths[place] >= 0.0 else so_far
        shares[order[place]] += worth - before
        before = worth


@nb.njit(
    nb.void(_TIMES, _ROWS, _VALUES, _ROWS, _TIMES, nb.float64[::1]),
    nogil=True,
    cache=True,
)
def _sample(offsets: Times, members: Rows, rates: Values, wanted: Rows, places: Times, raw: Values) -> None:
    found = np.empty(rates.size, np.int32)
    of_item = np.zeros(members.max() + 1, np.int32)
    for number in range(wanted.size):
        one = wanted[number]
        begin, size = offsets[one], offsets[one + 1] - offsets[one]
        for spot in range(size):
            of_item[members[begin + spot]] = spot
        count = _subsets(offsets, members, one, found, np.empty((size + 1, 3), np.int64))
        inner = np.zeros(count + 1, np.int64)
        for place in range(count):
            inner[place + 1] = inner[place] + offsets[found[place] + 1] - offsets[found[place]]
        spots, own = np.empty(inner[count], np.int32), np.empty(count)
        for place in range(count):
            own[place] = rates[found[place]]
            for nth in range(inner[place + 1] - inner[place]):
                spots[inner[place] + nth] = of_item[members[offsets[found[place]] + nth]]
        order, ranks = np.arange(size).astype(np.int32), np.empty(size, np.int32)
        shares, worths, state = raw[places[number] : places[number] + size], np.empty(size), np.uint64(SEED)
        for _ in range(min(MOST_PAIRS, max(_FEWEST_PAIRS, _STEPS // (2 * (size + spots.size))))):
            state = _shuffle(order, state)
            _add_margins(order, ranks, inner, spots, own, worths, shares)
            _add_margins(order[::-1].copy(), ranks, inner, spots, own, worths, shares)
