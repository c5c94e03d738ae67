"""Binding: persistence apart for each item, so that a value stays with the product that it was set for."""

from __future__ import annotations

from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

from engine.journeys.persistence import NEVER, NO_VALUE, Allocation, known_rows

_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_SIGNATURE: Final = nb.void(
    _ROWS, _TIMES, _ROWS, _ROWS, nb.boolean, nb.int64, nb.int32[::1], nb.int64[::1], nb.int32[::1]
)

_Times: TypeAlias = npt.NDArray[np.int64]
_Rows: TypeAlias = npt.NDArray[np.int32]


def bound_rows(
    events: _Rows,
    times: _Times,
    groups: _Rows,
    sources: _Rows,
    allocation: Allocation,
    ttl: int | None = None,
) -> _Rows:
    """Return for each element of each event what its item shows; O(K).

    An event first binds the values of all its elements, then shows: two elements with one item show the
    same.

    Args:
        events: int32[K], ascending: the event of each element. An event may be its own only element.
        times: int64[K], µs, of the events.
        groups: int32[K], dense from 0 on: stretch and item; -1 has no item. Groups of other stretches
            differ, so nothing has to be reset.
        sources: int32[K]: what is bound to the item here, -1 for nothing.
        allocation: which of several values is kept; not ALL.
        ttl: µs; a value is dropped when more than this has passed since it was bound; None: never.

    Returns:
        int32[K]: one of the sources, -1 where none applies or there is no item.
    """
    if allocation in (Allocation.FIRST_KNOWN, Allocation.LAST_KNOWN):
        return known_rows(groups, sources, allocation)
    rows = np.empty(groups.size, np.int32)
    count = int(groups.max(initial=-1)) + 1
    holders, set_at = np.full(count, NO_VALUE, np.int32), np.zeros(count, np.int64)
    original, limit = allocation is Allocation.ORIGINAL, NEVER if ttl is None else ttl
    _bind(events, times, groups, sources, original, limit, holders, set_at, rows)
    return rows


@nb.njit(_SIGNATURE, nogil=True, cache=True)
def _bind(
    events: _Rows,
    times: _Times,
    groups: _Rows,
    sources: _Rows,
    original: bool,
    limit: int,
    holders: _Rows,
    set_at: _Times,
    rows: _Rows,
) -> None:
    first = 0
    while first < events.size:
        after, now = first, times[first]
        while after < events.size and events[after] == events[first]:
            group = groups[after]
            if group >= 0 and sources[after] >= 0:
                lives = holders[group] >= 0 and now - set_at[group] <= limit
                if not (original and lives):
                    holders[group], set_at[group] = sources[after], now
            after += 1
        for place in range(first, after):
            group = groups[place]
            lives = group >= 0 and now - set_at[group] <= limit
            rows[place] = holders[group] if lives else NO_VALUE
        first = after
