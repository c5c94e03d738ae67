"""Persistence, computed when a question is asked: which earlier event's value an event shows."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

NO_VALUE: Final = -1
"""Stands for the row of a value where none applies."""

_NEVER: Final = int(np.iinfo(np.int64).max)
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


class Expiration(StrEnum):
    """When a kept value is dropped: with its session, with its person, or some time after."""

    SESSION = "session"
    PERSON = "person"
    CUSTOM = "custom"


def persisted_rows(
    offsets: _Times,
    times: _Times,
    present: _Mask,
    starts: _Mask,
    allocation: Allocation,
    expiration: Expiration,
    ttl: int = 0,
) -> _Rows:
    """Return for each event the row whose value it shows.

    Person expiration means the report's window: the caller clears ``present`` outside of it.

    Args:
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        present: uint8[N], 1 where the dimension is set.
        starts: uint8[N], 1 on the first event of each session.
        allocation: which of several values is kept.
        expiration: when a value is dropped.
        ttl: µs, for custom expiration: a value is dropped when more than this has passed since
            it was set.

    Returns:
        int32[N]: row numbers, -1 where no value applies.
    """
    rows = np.empty(times.size, np.int32)
    limit = ttl if expiration is Expiration.CUSTOM else _NEVER
    resets = starts if expiration is Expiration.SESSION else _person_starts(offsets, times.size)
    kernel = _most_recent if allocation is Allocation.MOST_RECENT else _original
    kernel(times, present, resets, limit, rows)
    return rows


def _person_starts(offsets: _Times, events: int) -> _Mask:
    marks = np.zeros(events, np.uint8)
    firsts = offsets[:-1]
    marks[firsts[firsts < offsets[1:]]] = 1
    return marks


@nb.njit(_SIGNATURE, nogil=True, cache=True)
def _most_recent(times: _Times, present: _Mask, resets: _Mask, limit: int, rows: _Rows) -> None:
    # Two loops of plain selections: real data is unpredictable, and a mispredicted branch costs
    # more than all the rest of a row.
    holder = NO_VALUE
    for row in range(times.size):
        holder = NO_VALUE if resets[row] != 0 else holder
        holder = row if present[row] != 0 else holder
        rows[row] = holder
    if limit < _NEVER:
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
