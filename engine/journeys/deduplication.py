"""Metric deduplication: of several instances of a metric with one id, which one counts."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engine.journeys.groups import first_rows, numbered_groups

_Mask: TypeAlias = npt.NDArray[np.uint8]
_Rows: TypeAlias = npt.NDArray[np.int32]


class Keep(StrEnum):
    """Which of several instances counts."""

    FIRST = "first"
    LAST = "last"


def duplicates(stretches: _Rows, codes: _Rows, keep: Keep) -> _Mask:
    """Mark the instances for which another one with the same id counts; O(N + codes).

    Args:
        stretches: int32[N], ascending: the session or the person of each row.
        codes: int32[N]: equal where the ids are; -1 where there is no instance, or it has no id.
        keep: which instance counts.

    Returns:
        uint8[N]: 1 on the instances that do not count.
    """
    if keep is Keep.LAST:
        backwards = duplicates(_reversed(stretches), np.ascontiguousarray(codes[::-1]), Keep.FIRST)
        return np.ascontiguousarray(backwards[::-1])
    marks = (codes >= 0).view(np.uint8)
    marks[first_rows(numbered_groups(stretches, codes))] = 0
    return marks


def _reversed(stretches: _Rows) -> _Rows:
    return np.ascontiguousarray(stretches.max(initial=0) - stretches[::-1])
