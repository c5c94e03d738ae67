"""Persistence, computed when a question is asked: which other event's value an event shows."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

NO_VALUE: Final = -1
"""Stands for the row of a value where none applies."""

NEVER: Final = int(np.iinfo(np.int64).max)
"""A time to live that no value outlives."""
_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_SIGNATURE: Final = nb.void(_TIMES, _MASK, _MASK, nb.int64, nb.int32[::1])

_Times: TypeAlias = npt.NDArray[np.int64]
_Mask: TypeAlias = npt.NDArray[np.uint8]
_Rows: TypeAlias = npt.NDArray[np.int32]


class Allocation(StrEnum):
    """Which of several values is kept."""

    MOST_RECENT = "most_recent"
    ORIGINAL = "original"
    ALL = "all"
    """Every value so far, each once; see ``engine.journeys.groups.values_so_far``."""
    FIRST_KNOWN = "first_known"
    """The first one, also on events before it."""
    LAST_KNOWN = "last_known"
    """The last one, also on events before it."""


class Expiration(StrEnum):
    """When a kept value is dropped: with its session or person, some time after, or after a metric."""

    SESSION = "session"
    PERSON = "person"
    CUSTOM = "custom"
    METRIC = "metric"


def resets(offsets: _Times, starts: _Mask, expiration: Expiration, happened: _Mask | None = None) -> _Mask:
    """Mark the events on which nothing is left of what was kept before.

    Args:
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        starts: uint8[N], 1 on the first event of each session.
        expiration: when a value is dropped.
        happened: uint8[N], 1 where the metric of a metric expiration happened; that event still has the
            value, the next one has not.

    Returns:
        uint8[N]; each stretch from a mark to the next shares what is kept.
    """
    if expiration is Expiration.SESSION:
        return starts
    marks = np.zeros(starts.size, np.uint8)
    firsts = offsets[:-1]
    marks[firsts[firsts < offsets[1:]]] = 1
    if expiration is Expiration.METRIC and happened is not None:
        marks[1:] |= happened[:-1]
    return marks


def stretches(marks: _Mask) -> _Rows:
    """Return int32[N]: the number of the stretch that an event lies in, from 0 on."""
    found: _Rows = np.cumsum(marks, dtype=np.int32) - np.int32(1)
    return found


def persisted_rows(
    times: _Times, present: _Mask, marks: _Mask, allocation: Allocation, ttl: int | None = None
) -> _Rows:
    """Return for each event the row whose value it shows; O(N).

    Person expiration means the report's window: the caller clears ``present`` outside of it.

    Args:
        times: int64[N], µs, ascending within a person.
        present: uint8[N], 1 where the dimension is set.
        marks: uint8[N], 1 where nothing is left of what was kept before; see ``resets``.
        allocation: which of several values is kept; not ALL, which keeps more than one.
        ttl: µs; a value is dropped when more than this has passed since it was set; None: never. Only
            for MOST_RECENT and ORIGINAL.

    Returns:
        int32[N]: row numbers, -1 where no value applies.
    """
    if allocation in (Allocation.FIRST_KNOWN, Allocation.LAST_KNOWN):
        own = np.where(present != 0, np.arange(times.size, dtype=np.int32), np.int32(NO_VALUE))
        return known_rows(stretches(marks), own, allocation)
    rows = np.empty(times.size, np.int32)
    kernel = _most_recent if allocation is Allocation.MOST_RECENT else _original
    kernel(times, present, marks, NEVER if ttl is None else ttl, rows)
    return rows


def known_rows(groups: _Rows, sources: _Rows, allocation: Allocation) -> _Rows:
    """Return what the first or the last of each group gives, on every row of the group; O(N).

    Args:
        groups: int32[N], dense from 0 on; -1 belongs to none.
        sources: int32[N], what a row gives; -1 gives nothing.
        allocation: FIRST_KNOWN or LAST_KNOWN.

    Returns:
        int32[N], -1 where no row of the group gives anything.
    """
    giving = np.flatnonzero((groups >= 0) & (sources >= 0))
    if allocation is Allocation.FIRST_KNOWN:
        giving = giving[::-1]
    found = np.full(int(groups.max(initial=-1)) + 2, NO_VALUE, np.int32)
    # Of several values for one place, the last one stays.
    found[groups[giving]] = sources[giving]
    known: _Rows = found[groups]
    return known


@nb.njit(_SIGNATURE, nogil=True, cache=True)
def _most_recent(times: _Times, present: _Mask, resets: _Mask, limit: int, rows: _Rows) -> None:
    # Two loops of plain selections: real data is unpredictable, and a mispredicted branch costs
    # more than all the rest of a row.
    holder = NO_VALUE
    for row in range(times.size):
        holder = NO_VALUE if resets[row] != 0 else holder
        holder = row if present[row] != 0 else holder
        rows[row] = holder
    if limit < NEVER:
        for row in range(times.size):
            if times[row] - times[max(rows[row], 0)] > limit:
                rows[row] = NO_VALUE


@nb.njit(_SIGNATURE, nogil=True, cache=True)
def _original(times: _Times, present: _Mask, resets: _Mask, limit: int, rows: _Rows) -> None:
    holder, set_at = NO_VALUE, 0
    for row in range(times.size):
        if resets[row] or (holder >= 0 and times[row] - set_at > limit):
            holder = NO_VALUE
        if holder < 0 and present[row]:
            holder, set_at = row, times[row]
        rows[row] = holder
