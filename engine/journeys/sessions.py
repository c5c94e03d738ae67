"""Sessions, computed when a question is asked: where each one starts and ends in journey order.

What follows from them is here too: the time spent, the depth of events, and whether a session is the
person's first.
"""

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
    end_marks: npt.NDArray[np.uint8] | None = None,
) -> npt.NDArray[np.uint8]:
    """Mark the first event of each session.

    A session starts on a person's first event, after a gap longer than the timeout (a gap equal to
    it does not end a session), on every event marked as a start, and after every one marked as an end.

    Args:
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        timeout: µs.
        start_marks: uint8[N], 1 on events that start a session whatever the gap.
        end_marks: uint8[N], 1 on events that are the last of their session.

    Returns:
        uint8[N]: 1 on the first event of a session, else 0.
    """
    starts = np.empty(times.size, np.uint8)
    _mark_starts(offsets, times, timeout, starts)
    if start_marks is not None:
        starts |= start_marks
    if end_marks is not None:
        starts[1:] |= end_marks[:-1]
    return starts


def session_ends(starts: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Mark the last event of each session.

    Args:
        starts: uint8[N], 1 on the first event of each session; a person's first event starts one.
    """
    return np.append(starts[1:], np.uint8(1))[: starts.size]


def time_spent(times: npt.NDArray[np.int64], starts: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return int64[N]: µs from each event to the next one of its session, 0 on the last.

    Args:
        times: int64[N], µs, ascending within a person.
        starts: uint8[N], 1 on the first event of each session; a person's first event starts one.
    """
    spent = np.zeros(times.size, np.int64)
    np.multiply(np.diff(times), starts[1:] == 0, out=spent[:-1])
    return spent


def depths(starts: npt.NDArray[np.uint8], marks: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return int32[N]: the place of each marked event among those of its container, from 1; 0 elsewhere.

    Args:
        starts: uint8[N], 1 on the first event of each container, session or person.
        marks: uint8[N], 1 on the events that are counted.
    """
    if not starts.size:
        return np.zeros(0, np.int32)
    counted = np.cumsum(marks, dtype=np.int32)
    firsts = np.flatnonzero(starts)
    before = counted[firsts] - marks[firsts]
    sizes = np.diff(np.append(firsts, starts.size))
    return np.where(marks != 0, counted - np.repeat(before, sizes), 0)


def first_time_sessions(
    offsets: npt.NDArray[np.int64],
    times: npt.NDArray[np.int64],
    starts: npt.NDArray[np.uint8],
    since: int | None = None,
    begin: int | None = None,
) -> npt.NDArray[np.bool_]:
    """Return bool[S]: whether each session is its person's first one.

    Args:
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        starts: uint8[N], 1 on the first event of each of the S sessions.
        since: µs; events before are ignored.
        begin: µs; a session that begins before is none, however early the person's first event is.
    """
    rows = np.flatnonzero(starts)
    of_person = np.zeros(times.size + 1, np.bool_)
    of_person[offsets] = True
    firsts: npt.NDArray[np.bool_] = of_person[rows]
    if since is not None and rows.size:
        firsts |= times[np.maximum(rows - 1, 0)] < since
    return firsts if begin is None else firsts & (times[rows] >= begin)


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
