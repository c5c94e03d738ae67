"""Which persons newer runs touch, where their rows lie, and in which order copies from several places go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.journeys.columns import HASH_HIGH, HASH_LOW, TIME

Numbers: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.int32]
Mask: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Keys:
    """What orders N rows of P persons.

    Attributes:
        highs: int64[P], upper half of each person's hash, ascending.
        lows: int64[P], lower half.
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
    """Return the keys of N rows in journey order."""
    offsets = person_offsets(highs, lows)
    firsts = offsets[:-1]
    return Keys(highs[firsts], lows[firsts], times, offsets)


def person_offsets(highs: Numbers, lows: Numbers) -> Numbers:
    """Return where each person's rows begin, and the number of rows; rows are in journey order."""
    if not len(highs):
        return np.zeros(1, np.int64)
    starts = (highs[1:] != highs[:-1]) | (lows[1:] != lows[:-1])
    return np.concatenate(([0], np.flatnonzero(starts) + 1, [len(highs)])).astype(np.int64)


def epoch_order(highs: Numbers, lows: Numbers) -> Rows | None:
    """Return the stable order by person of rows in order of epochs; None if they have it."""
    if not len(highs) or (bool((highs[1:] >= highs[:-1]).all()) and _lows_ascend(highs, lows)):
        return None
    order = np.argsort(highs, kind="stable")
    if not _lows_ascend(highs[order], lows[order]):
        order = np.lexsort((lows, highs))
    return order.astype(np.int32)


def persons_among(highs: Numbers, touched: Numbers) -> Numbers:
    """Return the places of the persons that are touched.

    Args:
        highs: int64[P], ascending; some may be equal.
        touched: int64[T], ascending, distinct.
    """
    if len(highs) <= len(touched):
        places = np.searchsorted(touched, highs)
        return np.flatnonzero(np.append(touched, touched[-1:])[places] == highs)
    return rows_of_values(highs, touched)


def rows_of_persons(offsets: Numbers, persons: Numbers) -> Rows:
    """Return the rows of some persons, given by their places."""
    return ranges(offsets[persons], offsets[persons + 1]).astype(np.int32)


def ranges(begins: Numbers, ends: Numbers) -> Numbers:
    """Return the numbers from each begin up to its end, one range after the other."""
    lengths = ends - begins
    before = np.cumsum(lengths) - lengths
    found: Numbers = np.arange(lengths.sum()) + np.repeat(begins - before, lengths)
    return found


def unmarked(kept: Mask | None, size: int, rows: Rows) -> Mask | None:
    """Return a mask of ``size`` rows with some of them set to 0; None stands for ones."""
    if not len(rows):
        return kept
    mask = np.ones(size, np.uint8) if kept is None else kept.copy()
    mask[rows] = 0
    return mask


def copies_of(keys: Keys, persons: Numbers, rows: Rows, piece: int) -> pl.DataFrame:
    """Return the order's integers of some persons' rows, with the number of the place they lie in.

    Args:
        keys: of the place.
        persons: places of the persons in it.
        rows: their rows.
        piece: the place's number.
    """
    sizes = keys.offsets[persons + 1] - keys.offsets[persons]
    return pl.DataFrame(
        {
            HASH_HIGH: np.repeat(keys.highs[persons], sizes),
            HASH_LOW: np.repeat(keys.lows[persons], sizes),
            TIME: keys.times[rows],
            "piece": np.full(len(rows), piece, np.int32),
            "at": rows,
        }
    )


def sorted_copies(copies: pl.DataFrame) -> pl.DataFrame:
    """Sort copies by person and time, stable; each piece of them has that order already."""
    highs, lows, times = (copies[name].to_numpy() for name in (HASH_HIGH, HASH_LOW, TIME))
    order = np.argsort(highs, kind="stable")
    highs, lows, times = highs[order], lows[order], times[order]
    before = (lows[1:] < lows[:-1]) | ((lows[1:] == lows[:-1]) & (times[1:] < times[:-1]))
    descends = np.flatnonzero((highs[1:] == highs[:-1]) & before)
    if len(descends):
        # Most rows of a run are later than all of their person's others: only late ones need more.
        places = rows_of_values(highs, np.unique(highs[descends]))
        settled = np.lexsort((times[places], lows[places], highs[places]))
        order[places] = order[places][settled]
    return copies[order]


def rows_of_values(ascending: Numbers, values: Numbers) -> Numbers:
    """Return where in an ascending array some distinct values are."""
    begins, ends = (np.searchsorted(ascending, values, side) for side in ("left", "right"))
    return ranges(begins, ends)


def mixed(ordered: pl.DataFrame, by: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return bool[N]: the row is equal by some columns to a neighbour, and its run of equals mixes pieces.

    Within one piece equal rows have the right order already.
    """
    same: Any = np.ones(ordered.height, np.bool_)
    same[:1] = False
    for name in by:
        values = ordered[name].to_numpy()
        same[1:] &= values[1:] == values[:-1]
    pieces = ordered["piece"].to_numpy()
    runs = np.cumsum(~same)
    spread = np.zeros(ordered.height + 1, np.bool_)
    spread[runs[1:][same[1:] & (pieces[1:] != pieces[:-1])]] = True
    found: npt.NDArray[np.bool_] = spread[runs]
    return found


def replaced(frame: pl.DataFrame, places: Numbers, rows: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with the rows at some places replaced by others; further columns are left out."""
    order = np.arange(frame.height)
    order[places] = frame.height + np.arange(len(places))
    return pl.concat([frame, rows.select(frame.columns)])[order]


def _lows_ascend(highs: Numbers, lows: Numbers) -> bool:
    same: Any = highs[1:] == highs[:-1]
    return bool((lows[1:][same] >= lows[:-1][same]).all())
