"""How far back a conversion looks: where its container begins, and which touches are young enough.

Touches are numbered through a chunk, so the touches that count for an event are a range of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba as nb
import numpy as np

from attribution.models import Container, Mask, Rows, Times
from attribution.rows import mask_of

NO_LIMIT: Final = int(np.iinfo(np.int64).max)
"""A lookback in µs that no two event times exceed."""

_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)


@dataclass(frozen=True)
class Windows:
    """The touches that count for each event.

    Attributes:
        touched: int64[T], the row of each touch.
        begins: int32[N], the number of the first touch that counts for the event.
        ends: int32[N], one past the number of the last; equal to the first where none counts.
    """

    touched: Times
    begins: Rows
    ends: Rows


def container_starts(container: Container, offsets: Times, starts: Mask) -> Mask:
    """Return uint8[N], 1 on the first event of each container.

    Args:
        container: session or person.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        starts: uint8[N], 1 on the first event of each session; a person's first event starts one.
    """
    if container is Container.SESSION:
        return starts
    firsts = offsets[:-1]
    return mask_of(firsts[firsts < offsets[1:]].astype(np.int32), starts.size)


def age_limit(lookback: int | None) -> int:
    """Return the lookback in µs as the kernels take it: none is a limit beyond all ages."""
    return NO_LIMIT if lookback is None else lookback


def touch_windows(
    container: Container,
    offsets: Times,
    times: Times,
    touches: Mask,
    starts: Mask,
    lookback: int | None,
) -> Windows:
    """Return which touches count for each event: those before it, in its container, not too old.

    Args:
        container: session or person.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        touches: uint8[N], 1 where the dimension is set.
        starts: uint8[N], 1 on the first event of each session.
        lookback: µs; a touch counts if it is no older than this. None: no limit.
    """
    begins, ends = np.empty(times.size, np.int32), np.empty(times.size, np.int32)
    touched = np.flatnonzero(touches != 0)
    resets = container_starts(container, offsets, starts)
    _number_windows(times, touches, resets, touched, age_limit(lookback), begins, ends)
    return Windows(touched, begins, ends)


@nb.njit(
    nb.void(_TIMES, _MASK, _MASK, _TIMES, nb.int64, nb.int32[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _number_windows(
    times: Times,
    touches: Mask,
    resets: Mask,
    touched: Times,
    limit: int,
    begins: Rows,
    ends: Rows,
) -> None:
    begin, end = 0, 0
    for row in range(times.size):
        begin = end if resets[row] != 0 else begin
        end += touches[row] != 0
        begins[row] = begin
        ends[row] = end
    if limit < NO_LIMIT:
        begin = 0
        for row in range(times.size):
            begin = max(begin, begins[row])
            while begin < ends[row] and times[row] - times[touched[begin]] > limit:
                begin += 1
            begins[row] = begin
