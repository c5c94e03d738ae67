"""Sessions, computed when a question is asked: where each one starts in journey order."""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np
import numpy.typing as npt

_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)


def session_starts(
    offsets: npt.NDArray[np.int64],
    times: npt.NDArray[np.int64],
    timeout: int,
    start_marks: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """Mark the first event of each session.

    A session starts on a person's first event, after a gap longer than the timeout (a gap equal to
    it does not end a session), and on every marked event.

    Args:
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        timeout: µs.
        start_marks: uint8[N], 1 on events that start a session whatever the gap.

    Returns:
        uint8[N]: 1 on the first event of a session, else 0.
    """
    starts = np.empty(times.size, np.uint8)
    _mark_starts(offsets, times, timeout, starts)
    return starts if start_marks is None else starts | start_marks


@nb.njit(nb.void(_TIMES, _TIMES, nb.int64, nb.uint8[::1]), nogil=True, cache=True)
def _mark_starts(
    offsets: npt.NDArray[np.int64],
    times: npt.NDArray[np.int64],
    timeout: int,
    starts: npt.NDArray[np.uint8],
) -> None:
    # The gap before a person's first event is nonsense here: the second loop overwrites it, and the
    # first one stays a straight run that the compiler vectorises.
    for row in range(1, times.size):
        starts[row] = times[row] - times[row - 1] > timeout
    for person in range(offsets.size - 1):
        if offsets[person] < offsets[person + 1]:
            starts[offsets[person]] = 1
