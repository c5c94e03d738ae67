"""Credit as entries, and its sums by item and key: what an answer needs, however many touches there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numba as nb
import numpy as np

from attribution.models import ROWS, VALUES, Codes, Mask, Rows, Times, Values

_ROOMY: Final = 1 << 16
"""Tables of this many cells are made without asking how full they will be."""


class Entries(NamedTuple):
    """Credit of touches by key.

    Attributes:
        touches: int32[E], the number of a touch; -1 where conversions have none.
        places: int32[E], the place of a conversion that has the key.
        credit: float64[E].
    """

    touches: Rows
    places: Rows
    credit: Values

    def cut(self, begin: int, end: int) -> Entries:
        """Return those from one to before another."""
        return Entries(self.touches[begin:end], self.places[begin:end], self.credit[begin:end])


class Cells(NamedTuple):
    """Credit by item and key.

    Attributes:
        codes: int64[L], ascending: item * distinct keys + key, the item after the last standing for none.
        credit: float64[L].
    """

    codes: Times
    credit: Values


def empty_entries(room: int) -> Entries:
    """Return room for entries, yet to be filled."""
    return Entries(np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room))


def joined(parts: Sequence[Entries]) -> Entries:
    """Return all entries in one."""
    filled = [part for part in parts if part.touches.size] or parts[:1]
    if len(filled) == 1:
        return filled[0]
    touches, places, credit = (np.concatenate(column) for column in zip(*filled, strict=True))
    return Entries(touches, places, credit)


def by_cell(entries: Entries, items: Codes, keys: Codes) -> Cells:
    """Add up entries by item and key.

    Args:
        entries: credit of touches.
        items: T codes of the touched values.
        keys: C codes of what the question takes from the conversions.
    """
    every = np.append(items.codes, np.int32(items.distinct))
    cells = (items.distinct + 1) * keys.distinct
    if cells <= max(_ROOMY, 4 * entries.touches.size):
        sums, found = np.zeros(cells), np.zeros(cells, np.uint8)
        if keys.distinct > 1:
            _add_up(*entries, every, keys.codes, keys.distinct, sums, found)
        else:
            _add_up_items(entries.touches, entries.credit, every, sums, found)
        codes = np.flatnonzero(found)
        return Cells(codes, sums[codes])
    codes = every[entries.touches] * np.int64(keys.distinct) + keys.codes[entries.places]
    listed, places = np.unique(codes, return_inverse=True)
    credit: Values = np.bincount(places, entries.credit, listed.size).astype(np.float64, copy=False)
    return Cells(listed, credit)


@nb.njit(
    nb.void(ROWS, ROWS, VALUES, ROWS, ROWS, nb.int64, nb.float64[::1], nb.uint8[::1]),
    nogil=True,
    cache=True,
)
def _add_up(
    touches: Rows,
    places: Rows,
    credit: Values,
    items: Rows,
    keys: Rows,
    distinct: int,
    sums: Values,
    found: Mask,
) -> None:
    # Touch -1 reads the last item, which stands for none.
    for entry in range(touches.size):
        cell = items[touches[entry]] * distinct + keys[places[entry]]
        sums[cell] += credit[entry]
        found[cell] = 1


@nb.njit(nb.void(ROWS, VALUES, ROWS, nb.float64[::1], nb.uint8[::1]), nogil=True, cache=True)
def _add_up_items(touches: Rows, credit: Values, items: Rows, sums: Values, found: Mask) -> None:
    # Touch -1 reads the last item, which stands for none.
    for entry in range(touches.size):
        item = items[touches[entry]]
        sums[item] += credit[entry]
        found[item] = 1
