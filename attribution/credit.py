"""The linear model: each touch of a conversion's window gets an equal share.

A conversion never meets its touches one by one. Touches are numbered through the chunk, so that a
window is a range of touch numbers; going backwards, a touch's credit is the running sum of the
shares of those conversions whose window holds it. A sum that no conversion is left in is set to
zero, so no rounding error travels from one window to the next.
"""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np
import numpy.typing as npt

from attribution.models import Container, Mask, Rows, Times, Values
from attribution.touches import NO_TOUCH
from attribution.windows import NO_LIMIT, age_limit, container_starts

_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_VALUES: Final = nb.types.Array(nb.float64, 2, "C", readonly=True)
_ROWS_OUT: Final = nb.int32[::1]
_CREDIT_OUT: Final = nb.float64[:, ::1]
_ROW_BITS: Final = 32
_ROW_MASK: Final = (1 << _ROW_BITS) - 1


def linear_credit(
    container: Container,
    offsets: Times,
    times: Times,
    touches: Mask,
    values: Values,
    starts: Mask,
    lookback: int | None,
) -> tuple[Values, Values]:
    """Split each conversion evenly over the touches of its window.

    Args:
        container: touches count in the conversion's session, or in the person's whole journey.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        touches: uint8[N], 1 where the dimension is set.
        values: float64[M, N], M metrics; 0 is no conversion, NaN is not allowed.
        starts: uint8[N], 1 on the first event of each session.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.

    Returns:
        float64[M, N], the credit of each touch on its row, 0 elsewhere; and float64[M], the value
        of the conversions without a touch. Together they add up to the values.
    """
    begins, ends = _touch_windows(container, offsets, times, touches, starts, lookback)
    credit = np.zeros(values.shape, np.float64)
    unattributed = np.zeros(values.shape[0], np.float64)
    _spread(values, touches, begins, ends, credit, unattributed)
    return credit, unattributed


def linear_credit_by_key(
    container: Container,
    offsets: Times,
    times: Times,
    touches: Mask,
    values: Values,
    keys: Rows,
    starts: Mask,
    lookback: int | None,
) -> tuple[Rows, Rows, Values]:
    """Split each conversion evenly over the touches of its window, apart for each key.

    The key stands for all that a question takes from the conversion's side, such as its day. A
    touch has one entry for each key that it gets credit from.

    Args:
        container: touches count in the conversion's session, or in the person's whole journey.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        times: int64[N], µs, ascending within a person.
        touches: uint8[N], 1 where the dimension is set.
        values: float64[M, N], M metrics; 0 is no conversion, NaN is not allowed.
        keys: int32[N], the key of each conversion.
        starts: uint8[N], 1 on the first event of each session.
        lookback: µs; a touch counts if it is no older than this at the conversion. None: no limit.

    Returns:
        For each of E entries: int32[E], the touch's row, -1 for conversions without a touch;
        int32[E], the row of a conversion of the same person and key; float64[M, E], the credit.
    """
    begins, ends = _touch_windows(container, offsets, times, touches, starts, lookback)
    converts = (values != 0).any(axis=0)
    rows, run_ends = _runs(offsets, keys, converts & (begins < ends))
    lost, lost_ends = _runs(offsets, keys, converts & (begins == ends))
    shared = _count_entries(rows, run_ends, begins, ends)
    entries = shared + lost_ends.size
    credited, keyed = np.empty(entries, np.int32), np.empty(entries, np.int32)
    credit = np.empty((values.shape[0], entries), np.float64)
    touched = np.flatnonzero(touches)
    _flush(values, rows, run_ends, begins, ends, touched, shared, credited, keyed, credit)
    if lost.size:
        lost_begins = np.append(0, lost_ends[:-1])
        credited[shared:], keyed[shared:] = NO_TOUCH, lost[lost_begins]
        credit[:, shared:] = np.add.reduceat(values[:, lost], lost_begins, axis=1)
    return credited, keyed, credit


def _touch_windows(
    container: Container,
    offsets: Times,
    times: Times,
    touches: Mask,
    starts: Mask,
    lookback: int | None,
) -> tuple[Rows, Rows]:
    begins, ends = np.empty(times.size, np.int32), np.empty(times.size, np.int32)
    limit = age_limit(lookback)
    touched = np.flatnonzero(touches) if limit < NO_LIMIT else np.empty(0, np.int64)
    resets = container_starts(container, offsets, starts)
    _number_windows(times, touches, resets, touched, limit, begins, ends)
    return begins, ends


@nb.njit(
    nb.void(_TIMES, _MASK, _MASK, _TIMES, nb.int64, _ROWS_OUT, _ROWS_OUT),
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
    """Give each event the touches that count for it, as a range of touch numbers."""
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


@nb.njit(
    nb.void(_VALUES, _MASK, _ROWS, _ROWS, _CREDIT_OUT, nb.float64[::1]),
    nogil=True,
    cache=True,
)
def _spread(
    values: Values, touches: Mask, begins: Rows, ends: Rows, credit: Values, unattributed: Values
) -> None:
    for metric in range(values.shape[0]):
        share, active, last = 0.0, 0, values.shape[1] - 1
        for row in range(values.shape[1] - 1, -1, -1):
            value, window = values[metric, row], ends[row] - begins[row]
            if value != 0.0:
                if window > 0:
                    share, active = share + value / window, active + 1
                else:
                    unattributed[metric] += value
            if touches[row]:
                while active > 0 and begins[last] >= ends[row]:
                    value, window = values[metric, last], ends[last] - begins[last]
                    if value != 0.0 and window > 0:
                        share, active = share - value / window, active - 1
                    last -= 1
                if active == 0:
                    share = 0.0
                credit[metric, row] = share


def _runs(offsets: Times, keys: Rows, wanted: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Return the wanted rows by person, key and row, and where each run of equal ones ends."""
    packed, run_ends = np.empty(keys.size, np.int64), np.empty(keys.size, np.int32)
    runs = _pack_runs(offsets, keys, wanted.view(np.uint8), packed, run_ends)
    filled = run_ends[runs - 1] if runs else 0
    return (packed[:filled] & _ROW_MASK).astype(np.int32), run_ends[:runs]


@nb.njit(nb.int64(_TIMES, _ROWS, _MASK, nb.int64[::1], _ROWS_OUT), nogil=True, cache=True)
def _pack_runs(offsets: Times, keys: Rows, wanted: Mask, packed: Times, run_ends: Rows) -> int:
    filled, runs = 0, 0
    for person in range(offsets.size - 1):
        begin, ordered = filled, True
        for row in range(offsets[person], offsets[person + 1]):
            if wanted[row]:
                packed[filled] = (np.int64(keys[row]) << _ROW_BITS) | row
                ordered &= filled == begin or packed[filled - 1] < packed[filled]
                filled += 1
        if not ordered:
            packed[begin:filled].sort()
        for at in range(begin + 1, filled + 1):
            if at == filled or packed[at] >> _ROW_BITS != packed[at - 1] >> _ROW_BITS:
                run_ends[runs] = at
                runs += 1
    return runs


@nb.njit(nb.int64(_ROWS, _ROWS, _ROWS, _ROWS), nogil=True, cache=True)
def _count_entries(rows: Rows, run_ends: Rows, begins: Rows, ends: Rows) -> int:
    """Return how many touches the windows of each run hold together, over all runs."""
    entries, at = 0, 0
    for run_end in run_ends:
        reached = 0
        while at < run_end:
            row = rows[at]
            entries += ends[row] - max(begins[row], reached)
            reached = ends[row]
            at += 1
    return entries


@nb.njit(nogil=True)
def _add(shares: Values, values: Values, row: int, touches: int) -> None:
    for metric in range(values.shape[0]):
        shares[metric] += values[metric, row] / touches


@nb.njit(
    nb.void(
        _VALUES, _ROWS, _ROWS, _ROWS, _ROWS, _TIMES, nb.int64, _ROWS_OUT, _ROWS_OUT, _CREDIT_OUT
    ),
    nogil=True,
    cache=True,
)
def _flush(
    values: Values,
    rows: Rows,
    run_ends: Rows,
    begins: Rows,
    ends: Rows,
    touched: Times,
    entry: int,
    credited: Rows,
    keyed: Rows,
    credit: Values,
) -> None:
    """Write the entries of each run, from the last to the first."""
    shares = np.zeros(values.shape[0])
    for run in range(run_ends.size - 1, -1, -1):
        first, last, touch = (run_ends[run - 1] if run else 0), run_ends[run] - 1, 0
        for at in range(last, first - 1, -1):
            if last == at:
                touch = ends[rows[at]] - 1
                shares[:] = 0.0
            _add(shares, values, rows[at], ends[rows[at]] - begins[rows[at]])
            floor = ends[rows[at - 1]] if at > first else 0
            while last >= at and touch >= floor:
                left = rows[last]
                if begins[left] > touch:
                    _add(shares, values, left, begins[left] - ends[left])
                    last -= 1
                else:
                    entry -= 1
                    credited[entry], keyed[entry] = touched[touch], rows[at]
                    credit[:, entry] = shares
                    touch -= 1
