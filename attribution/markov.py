"""Removal effects: which part of all conversions would be lost if nobody could pass through an item.

Paths are walks: from a start over items, in the order of their touches, to a conversion or to none. The next
step depends on the item alone. A step from an item to itself changes no chance of where a walk ends, so such
steps are left out; and so are paths without a touch, which change all effects by the same factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from attribution.models import Rows, Times, Values
from attribution.spans import Spans

START: Final = -1
CONVERSION: Final = -2
NONE: Final = -3
"""Where walks begin and end, beside the items."""


@dataclass(frozen=True)
class Steps:
    """How often walks go from one place to another.

    Attributes:
        sources: int32[E], an item or START.
        targets: int32[E], an item, CONVERSION or NONE.
        counts: int64[E].
    """

    sources: Rows
    targets: Rows
    counts: Times


def steps(spans: Spans, items: Rows, end: int) -> Steps:
    """Count the steps of paths that end alike: O(touches + paths), however long the paths are.

    Args:
        spans: the touches of each path, one at least.
        items: int32[T], the item of each touch.
        end: CONVERSION or NONE.
    """
    # Neighbours of touches are steps of all the paths that hold both: one begins, and none of them ended.
    changes = np.bincount(spans.begins, minlength=items.size) - np.bincount(
        spans.ends - 1, minlength=items.size
    )
    passing = np.cumsum(changes[:-1], dtype=np.int64)
    used = np.flatnonzero(passing)
    edge = np.zeros(spans.ends.size, np.int32)
    once = np.ones(spans.ends.size, np.int64)
    return added_up(
        [
            Steps(items[used], items[used + 1], passing[used]),
            Steps(edge + np.int32(START), items[spans.begins], once),
            Steps(items[spans.ends - 1], edge + np.int32(end), once),
        ]
    )


def renamed(found: Steps, codes: Rows) -> Steps:
    """Return steps with other numbers for the items: int32[D], several may become one."""
    names = np.concatenate([codes, np.array([NONE, CONVERSION, START], np.int32)])
    return Steps(names[found.sources], names[found.targets], found.counts)


def added_up(parts: Sequence[Steps]) -> Steps:
    """Return each step once, those from an item to itself left out."""
    pairs = np.concatenate([(part.sources.astype(np.int64) << 32) + part.targets for part in parts])
    distinct, numbers = np.unique(pairs, return_inverse=True)
    counts = np.zeros(distinct.size, np.int64)
    np.add.at(counts, numbers, np.concatenate([part.counts for part in parts]))
    sources = ((distinct + 3) >> 32).astype(np.int32)
    targets = (distinct - (sources.astype(np.int64) << 32)).astype(np.int32)
    moving = sources != targets
    return Steps(sources[moving], targets[moving], counts[moving])


def removal_effects(found: Steps, distinct: int) -> Values:
    """Return float64[D]: the part of the chance of a conversion that goes with each item, from 0 to 1.

    The chance that a walk passes an item is how often it comes there, over how often it is there once it
    came; times the chance to convert from there that is what a removal loses. So one inverse gives them
    all: O(D³) time, O(D²) memory.

    Args:
        found: steps of paths; every item leads to an end.
        distinct: how many items there are.
    """
    chances = np.zeros((distinct + 1, distinct + 2))
    rows = np.where(found.sources == START, distinct, found.sources)
    columns = np.where(found.targets == CONVERSION, distinct, found.targets)
    chances[rows, np.where(columns == NONE, distinct + 1, columns)] = found.counts
    sums = chances.sum(axis=1, keepdims=True)
    chances /= np.where(sums > 0.0, sums, 1.0)
    visits = np.linalg.inv(np.eye(distinct) - chances[:distinct, :distinct])
    converting = visits @ chances[:distinct, distinct]
    starts = chances[distinct, :distinct]
    whole = float(starts @ converting)
    if whole <= 0.0:
        return np.zeros(distinct)
    passing = starts @ visits / np.diagonal(visits)
    effects: Values = np.clip(passing * converting / whole, 0.0, 1.0)
    return effects
