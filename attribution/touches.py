"""Models that give a conversion to a single touch: last, first and same touch.

One pass over the journey; the answer is a row number, so any type of dimension follows by ``take``.
"""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from attribution.models import Container, Mask, Model, Rows, Times
from attribution.windows import NO_LIMIT, age_limit, container_starts

NO_TOUCH: Final = -1
"""Stands for the row of a touch where there is none."""

_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_SIGNATURE: Final = nb.void(_TIMES, _MASK, _MASK, _MASK, nb.int64, nb.int32[::1])


def touch_rows(
    model: Model,
    container: Container,
    offsets: Times,
    times: Times,
    touches: Mask,
    wanted: Mask,
    starts: Mask,
    lookback: int | None,
) -> Rows:
    """Return the touch that each wanted conversion is credited to.

    Args:
        model: last, first or same; linear has no single touch.
        container: touches count in the conversion's session, or in the person's whole journey.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        touches: uint8[N], 1 where the dimension is set.
        wanted: uint8[N], 1 where a conversion is.
        starts: uint8[N], 1 on the first event of each session.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.

    Returns:
        int32[N]: the row of the touch; -1 where there is none, and on rows that are not wanted.

    Raises:
        ValueError: the model is linear.
    """
    if model is Model.LINEAR:
        raise ValueError("linear splits a conversion over many touches: use linear_credit")
    if model is Model.SAME:
        own = np.arange(times.size, dtype=np.int32)
        return np.where((touches & wanted) != 0, own, np.int32(NO_TOUCH))
    rows = np.empty(times.size, np.int32)
    resets = container_starts(container, offsets, starts)
    kernel = _last_touches if model is Model.LAST else _first_touches
    kernel(times, touches, wanted, resets, age_limit(lookback), rows)
    return rows


@nb.njit(_SIGNATURE, nogil=True, cache=True)
def _last_touches(times: Times, touches: Mask, wanted: Mask, resets: Mask, limit: int, rows: Rows) -> None:
    # Two loops of plain selections: real data is unpredictable, and a mispredicted branch costs
    # more than all the rest of a row.
    touch = NO_TOUCH
    for row in range(times.size):
        touch = NO_TOUCH if resets[row] != 0 else touch
        touch = row if touches[row] != 0 else touch
        rows[row] = touch if wanted[row] != 0 else NO_TOUCH
    if limit < NO_LIMIT:
        for row in range(times.size):
            if times[row] - times[max(rows[row], 0)] > limit:
                rows[row] = NO_TOUCH


@nb.njit(_SIGNATURE, nogil=True, cache=True)
def _first_touches(times: Times, touches: Mask, wanted: Mask, resets: Mask, limit: int, rows: Rows) -> None:
    first = 0
    for row in range(times.size):
        if resets[row]:
            first = row
        rows[row] = NO_TOUCH
        if wanted[row]:
            while first < row and (not touches[first] or times[row] - times[first] > limit):
                first += 1
            if touches[first]:
                rows[row] = first
