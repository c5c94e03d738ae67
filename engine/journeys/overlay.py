"""How rows of a base and of newer runs interleave: an order over both, no column touched.

Only the persons that newer runs mention are merged and sorted; everybody else's rows are taken as
they lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Keys:
    """What orders rows: equally long arrays, and the persons' rows as offsets.

    Attributes:
        highs: int64[N], upper half of the person's hash.
        lows: int64[N], lower half.
        times: int64[N], µs UTC.
        offsets: int64[P + 1]; person p has the rows offsets[p] up to offsets[p + 1].
    """

    highs: Numbers
    lows: Numbers
    times: Numbers
    offsets: Numbers

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        arrays = (self.highs, self.lows, self.times, self.offsets)
        return sum(array.nbytes for array in arrays)


def keys_of(highs: Numbers, lows: Numbers, times: Numbers) -> Keys:
    """Return the keys of rows in journey order."""
    return Keys(highs, lows, times, person_offsets(highs, lows))


def person_offsets(highs: Numbers, lows: Numbers) -> Numbers:
    """Return where each person's rows begin, and the number of rows; rows are in journey order."""
    if not len(highs):
        return np.zeros(1, np.int64)
    starts = (highs[1:] != highs[:-1]) | (lows[1:] != lows[:-1])
    return np.concatenate(([0], np.flatnonzero(starts) + 1, [len(highs)])).astype(np.int64)


def epoch_order(highs: Numbers, lows: Numbers) -> Numbers | None:
    """Return the stable order by person of rows in order of epochs; None if they have it."""
    if not len(highs) or (bool((highs[1:] >= highs[:-1]).all()) and _lows_ascend(highs, lows)):
        return None
    order = np.argsort(highs, kind="stable")
    if not _lows_ascend(highs[order], lows[order]):
        order = np.lexsort((lows, highs))
    return order.astype(np.int64)


def touched_persons(keys: Keys, highs: Numbers) -> npt.NDArray[np.bool_]:
    """Return for each person whether its ``_hash_high`` is among the given ones."""
    return np.isin(keys.highs[keys.offsets[:-1]], highs)


def rows_of_persons(offsets: Numbers, persons: npt.NDArray[np.bool_]) -> Numbers:
    """Return the row numbers of the marked persons, ascending."""
    return np.flatnonzero(np.repeat(persons, np.diff(offsets))).astype(np.int64)


def interleave(
    base: Keys, untouched: npt.NDArray[np.bool_], merged: Numbers, merged_keys: Keys
) -> tuple[Numbers, Numbers]:
    """Put untouched persons of a base and merged persons into one order by hash.

    Args:
        base: keys of the base.
        untouched: marks the base's persons whose rows are taken as they lie.
        merged: row numbers of all other rows, in journey order.
        merged_keys: their keys.

    Returns:
        The row numbers in journey order, and the offsets of the persons.
    """
    kept = np.flatnonzero(untouched)
    old, new = base.offsets[kept], merged_keys.offsets[:-1]
    first = np.concatenate((old, new + len(base.times)))
    lengths = np.concatenate((base.offsets[kept + 1] - old, np.diff(merged_keys.offsets)))
    highs = np.concatenate((base.highs[old], merged_keys.highs[new]))
    lows = np.concatenate((base.lows[old], merged_keys.lows[new]))
    persons = np.lexsort((lows, highs))
    lengths = lengths[persons]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    places = np.arange(offsets[-1]) + np.repeat(first[persons] - offsets[:-1], lengths)
    return np.concatenate((np.arange(len(base.times)), merged))[places], offsets


def _lows_ascend(highs: Numbers, lows: Numbers) -> bool:
    same: Any = highs[1:] == highs[:-1]
    return bool((lows[1:][same] >= lows[:-1][same]).all())
