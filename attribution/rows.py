"""Lists of rows and masks of rows, each made from the other.

Few events are touches or conversions, so lists of them are short; masks combine conditions fastest.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from attribution.models import MASK, ROWS, Mask, Rows


def marked_rows(mask: Mask) -> Rows:
    """Return int32[K]: the rows, ascending, on which a mask is 1.

    Args:
        mask: uint8[N], zeros and ones.
    """
    size = np.count_nonzero(mask)
    rows = np.empty(size + 1, np.int32)
    _list_marked(mask, rows)
    return rows[:size]


def rows_within(rows: Rows, mask: Mask | None) -> Rows:
    """Return those of some rows on which a mask is 1; None keeps all."""
    return rows if mask is None else rows[mask_at(mask, rows).view(np.bool_)]


def mask_of(rows: Rows, size: int) -> Mask:
    """Return uint8[size]: 1 on the given rows."""
    mask = np.zeros(size, np.uint8)
    _mark(rows, mask)
    return mask


def mask_at(mask: Mask, rows: Rows) -> Mask:
    """Return uint8[K]: a mask of N rows, read on K of them."""
    found = np.empty(rows.size, np.uint8)
    _read(mask, rows, found)
    return found


@nb.njit(nb.void(MASK, nb.int32[::1]), nogil=True, cache=True)
def _list_marked(mask: Mask, rows: Rows) -> None:
    # Every row is written, over the one before unless that one is marked, so one place more is needed: real
    # data is unpredictable, and a mispredicted branch costs more than writing in vain.
    place = 0
    for row in range(mask.size):
        rows[place] = row
        place += mask[row]


@nb.njit(nb.void(ROWS, nb.uint8[::1]), nogil=True, cache=True)
def _mark(rows: Rows, mask: Mask) -> None:
    for place in range(rows.size):
        mask[rows[place]] = 1


@nb.njit(nb.void(MASK, ROWS, nb.uint8[::1]), nogil=True, cache=True)
def _read(mask: Mask, rows: Rows, found: Mask) -> None:
    for place in range(rows.size):
        found[place] = mask[rows[place]]
