"""How much of each conversion goes to the touches of its span, by the model's rule.

Models that weigh touches by their place differ in three numbers only, which depend on how many touches the
span has. Time decay weighs by age; ages count from the latest touch of the span, because what is common to
all touches cancels out, and so the sum of the weights is at least 1 after any number of half-lives.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np

from attribution.models import NAMED_WEIGHTS, ROWS, VALUES, Model, Rows, Rule, Times, Values, Weights
from attribution.spans import Spans


class Shares(NamedTuple):
    """What each of C conversions gives to the touches of its span, of which there are T.

    Attributes:
        each: float64[C], to every touch, fading from the last one back.
        first: float64[C], to the first one besides.
        last: float64[C], to the last one besides.
        fades: float64[T], what is left at a touch of what the next one gets.
    """

    each: Values
    first: Values
    last: Values
    fades: Values

    def of(self, places: Rows) -> Shares:
        """Return those of some conversions."""
        return Shares(self.each[places], self.first[places], self.last[places], self.fades)


def shares_of(rule: Rule, times: Times, spans: Spans, values: Values) -> Shares:
    """Return what conversions give to their touches.

    Args:
        rule: any model that is not for a single touch; participation gives all to each touch, and it is up to
            the caller that equal items get it once.
        times: int64[T], µs, of the touches.
        spans: the touches that count for each of C conversions.
        values: float64[C].
    """
    sizes = spans.ends - spans.begins
    none, steady = np.zeros(values.size), np.ones(times.size)
    if rule.model is Model.PARTICIPATION:
        return Shares(values, none, none, steady)
    if rule.model is Model.LINEAR:
        return Shares(values / np.maximum(sizes, 1), none, none, steady)
    if rule.model is Model.TIME_DECAY:
        fades = _fades(times, rule.half_life)
        weights = np.empty(values.size)
        _sum_weights(spans.begins, spans.ends, fades, np.empty(times.size), weights)
        return Shares(values / weights, none, none, fades)
    weights_of_places = rule.weights or NAMED_WEIGHTS[rule.model]
    return Shares(*_by_place(weights_of_places, sizes, values), steady)


def _by_place(weights: Weights, sizes: Rows, values: Values) -> tuple[Values, Values, Values]:
    """Without touches between the first and the last, these two share everything."""
    starter, player, closer = weights
    between = np.where(sizes > 2, player / np.maximum(sizes - 2, 1), 0.0)
    unit = values / (starter + closer + np.where(sizes > 2, player, 0.0))
    return between * unit, (starter - between) * unit, (closer - between) * unit


def _fades(times: Times, half_life: int) -> Values:
    """The next touch may be of another person and lie before; no span holds both."""
    fades = np.ones(times.size)
    fades[:-1] = np.exp2(np.minimum(times[:-1] - times[1:], 0) / half_life)
    return fades


@nb.njit(nb.void(ROWS, ROWS, VALUES, nb.float64[::1], nb.float64[::1]), nogil=True, cache=True)
def _sum_weights(begins: Rows, ends: Rows, fades: Values, older: Values, sums: Values) -> None:
    """Sum the weights of each span, seen from its last touch; O(T + C).

    The touches of a window that only moves on are kept as two stacks, so nothing is ever subtracted: those
    from ``split`` on in one sum, those before it as sums from each of them up to ``split``.
    """
    split, end, newer, fade = 0, 0, 0.0, 1.0
    for place in range(begins.size):
        begin = begins[place]
        if begin == ends[place]:
            sums[place] = 1.0
            continue
        if begin >= end:
            split, end, newer = begin, begin, 0.0
        while end < ends[place]:
            step = fades[end - 1] if end > 0 else 1.0
            newer, fade, end = newer * step + 1.0, fade * step, end + 1
        if begin >= split:
            total, weight = 0.0, 1.0
            for touch in range(end - 1, begin - 1, -1):
                weight *= fades[touch] if touch < end - 1 else 1.0
                total += weight
                older[touch] = total
            split, newer, fade = end, 0.0, 1.0
        sums[place] = newer + older[begin] * fade
