"""Credit by key: a person's conversions of one key are a run, and each run is credited at once.

Within a run the windows only move on, so one sweep from the last touch to the first gives each
touch the running sum of the shares of those conversions whose window holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from attribution.models import Mask, Rows, Times, Values
from attribution.spans import NO_TOUCH
from attribution.windows import Windows

_TIMES: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_VALUES: Final = nb.types.Array(nb.float64, 2, "C", readonly=True)
_ROW_BITS: Final = 32
_ROW_MASK: Final = (1 << _ROW_BITS) - 1


class Entries(NamedTuple):
    """Credit of touches by key.

    Attributes:
        touch_rows: int32[E], the row of a touch; -1 where conversions have none.
        conversion_rows: int32[E], the row of a conversion that carries the key.
        credit: float64[M, E].
    """

    touch_rows: Rows
    conversion_rows: Rows
    credit: Values


@dataclass(frozen=True)
class Runs:
    """Conversions by person, key and row; those of one person and key are a run.

    Attributes:
        rows: int32[C], the conversions.
        ends: int32[R], one past each run's last conversion.
        persons: int32[P + 1]; person p owns the runs ``persons[p]:persons[p + 1]``.
    """

    rows: Rows
    ends: Rows
    persons: Rows

    @property
    def firsts(self) -> Times:
        """int64[R], where each run begins."""
        return np.append(0, self.ends)[: self.ends.size]


def conversion_runs(offsets: Times, keys: Rows, wanted: npt.NDArray[np.bool_]) -> Runs:
    """Return the wanted rows as runs of one person and key."""
    packed, run_ends = np.empty(keys.size, np.int64), np.empty(keys.size, np.int32)
    persons = np.zeros(offsets.size, np.int32)
    runs = _pack_runs(offsets, keys, wanted.view(np.uint8), packed, run_ends, persons)
    filled = run_ends[runs - 1] if runs else 0
    return Runs((packed[:filled] & _ROW_MASK).astype(np.int32), run_ends[:runs], persons)


def touches_per_run(runs: Runs, windows: Windows) -> Times:
    """Return int64[R]: how many touches the windows of each run hold together."""
    counts = np.empty(runs.ends.size, np.int64)
    _count_touches(runs.rows, runs.ends, windows.begins, windows.ends, counts)
    return counts


def credit_by_touch(values: Values, runs: Runs, windows: Windows) -> Entries:
    """Return an entry for each touch of each run; all conversions must have a touch."""
    entries = int(touches_per_run(runs, windows).sum())
    touch_rows, conversion_rows = np.empty(entries, np.int32), np.empty(entries, np.int32)
    credit = np.empty((values.shape[0], entries), np.float64)
    _flush(
        values,
        runs.rows,
        runs.ends,
        windows.begins,
        windows.ends,
        windows.touched,
        touch_rows,
        conversion_rows,
        credit,
    )
    return Entries(touch_rows, conversion_rows, credit)


def credit_lost(values: Values, runs: Runs) -> Entries:
    """Return an entry without a touch for each run."""
    if not runs.ends.size:
        return Entries(runs.ends, runs.ends, np.empty((values.shape[0], 0)))
    credit = np.add.reduceat(values[:, runs.rows], runs.firsts, axis=1)
    touch_rows = np.full(runs.ends.size, NO_TOUCH, np.int32)
    return Entries(touch_rows, runs.rows[runs.firsts], credit)


def joined(parts: Sequence[Entries]) -> Entries:
    """Return all entries in one."""
    filled = [part for part in parts if part.touch_rows.size] or parts[:1]
    if len(filled) == 1:
        return filled[0]
    touch_rows, conversion_rows, credit = zip(*filled, strict=True)
    return Entries(
        np.concatenate(touch_rows), np.concatenate(conversion_rows), np.concatenate(credit, axis=1)
    )


@nb.njit(
    nb.int64(_TIMES, _ROWS, _MASK, nb.int64[::1], nb.int32[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _pack_runs(offsets: Times, keys: Rows, wanted: Mask, packed: Times, run_ends: Rows, persons: Rows) -> int:
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
        persons[person + 1] = runs
    return runs


@nb.njit(nb.void(_ROWS, _ROWS, _ROWS, _ROWS, nb.int64[::1]), nogil=True, cache=True)
def _count_touches(rows: Rows, run_ends: Rows, begins: Rows, ends: Rows, counts: Times) -> None:
    at = 0
    for run in range(run_ends.size):
        reached, counts[run] = 0, 0
        while at < run_ends[run]:
            row = rows[at]
            counts[run] += ends[row] - max(begins[row], reached)
            reached = ends[row]
            at += 1


@nb.njit(nogil=True)
def _add(shares: Values, values: Values, row: int, touches: int) -> None:
    for metric in range(values.shape[0]):
        shares[metric] += values[metric, row] / touches


@nb.njit(
    nb.void(
        _VALUES,
        _ROWS,
        _ROWS,
        _ROWS,
        _ROWS,
        _TIMES,
        nb.int32[::1],
        nb.int32[::1],
        nb.float64[:, ::1],
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
    touch_rows: Rows,
    conversion_rows: Rows,
    credit: Values,
) -> None:
    """Write the entries of each run, from the last to the first."""
    shares, entry = np.zeros(values.shape[0]), touch_rows.size
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
                    touch_rows[entry], conversion_rows[entry] = touched[touch], rows[at]
                    credit[:, entry] = shares
                    touch -= 1
