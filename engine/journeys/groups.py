"""Rows that belong together: those of one stretch of a journey that share an item, a value or an id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)

_Rows: TypeAlias = npt.NDArray[np.int32]
_Positions: TypeAlias = npt.NDArray[np.int64]


def numbered_groups(stretches: _Rows, codes: _Rows) -> _Rows:
    """Number the pairs of stretch and code in the order in which they first appear; O(N + codes).

    Args:
        stretches: int32[N], ascending.
        codes: int32[N], dense from 0 on; -1 belongs to no group.

    Returns:
        int32[N]: group numbers from 0 on, -1 where the code is -1.
    """
    groups = np.empty(codes.size, np.int32)
    distinct = int(codes.max(initial=-1)) + 1
    _number(stretches, codes, np.full(distinct, -1, np.int32), np.empty(distinct, np.int32), groups)
    return groups


@nb.njit(nb.void(_CODES, _CODES, nb.int32[::1], nb.int32[::1], nb.int32[::1]), nogil=True, cache=True)
def _number(stretches: _Rows, codes: _Rows, last_seen: _Rows, numbers: _Rows, groups: _Rows) -> None:
    count = 0
    for row in range(codes.size):
        code = codes[row]
        if code < 0:
            groups[row] = -1
            continue
        if last_seen[code] != stretches[row]:
            last_seen[code] = stretches[row]
            numbers[code] = count
            count += 1
        groups[row] = numbers[code]


def first_rows(groups: _Rows) -> _Rows:
    """Return int32[G]: the row on which each group first appears, ascending."""
    rows = np.empty(int(groups.max(initial=-1)) + 1, np.int32)
    members = np.flatnonzero(groups >= 0)[::-1].astype(np.int32)
    rows[groups[members]] = members
    return rows


@dataclass(frozen=True)
class SoFar:
    """The distinct values that a stretch has had up to each of its rows.

    They are a run of one list, which all rows of a stretch share, so that this takes O(N) however many
    values a row has.

    Attributes:
        rows: int32[V]: rows whose values are meant; stretch by stretch, each value where it first appears.
        begins: int64[N]: where a row's values begin among them.
        counts: int64[N]: how many it has.
    """

    rows: _Rows
    begins: _Positions
    counts: _Positions

    def at(self, rows: npt.NDArray[np.integer]) -> SoFar:
        """Return the values of some rows only."""
        return SoFar(self.rows, self.begins[rows], self.counts[rows])


def values_so_far(stretches: _Rows, codes: _Rows) -> SoFar:
    """Return the distinct values up to each row of its stretch; O(N + codes).

    Args:
        stretches: int32[N], ascending.
        codes: int32[N], equal where the values are; -1 has none.
    """
    rows = np.empty(codes.size, np.int32)
    begins, counts = np.empty(codes.size, np.int64), np.empty(codes.size, np.int64)
    last_seen = np.full(int(codes.max(initial=-1)) + 1, -1, np.int32)
    listed = _list_values(stretches, codes, last_seen, rows, begins, counts)
    return SoFar(rows[:listed], begins, counts)


@nb.njit(
    nb.int64(_CODES, _CODES, nb.int32[::1], nb.int32[::1], nb.int64[::1], nb.int64[::1]),
    nogil=True,
    cache=True,
)
def _list_values(
    stretches: _Rows,
    codes: _Rows,
    last_seen: _Rows,
    rows: _Rows,
    begins: _Positions,
    counts: _Positions,
) -> int:
    listed, begin = 0, 0
    for row in range(codes.size):
        code = codes[row]
        if row > 0 and stretches[row] != stretches[row - 1]:
            begin = listed
        if code >= 0 and last_seen[code] != stretches[row]:
            last_seen[code] = stretches[row]
            rows[listed] = row
            listed += 1
        begins[row], counts[row] = begin, listed - begin
    return listed
