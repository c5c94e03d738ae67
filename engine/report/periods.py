"""Time dimensions as arithmetic: the number of a period from wall-clock times, and where a period begins."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.models import Times
from engine.dataview.components import LOCAL_TIME, TIME_DIMENSIONS

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_DAY: Final = 24 * 60 * _MINUTE
_WIDTHS: Final = {
    "second": _SECOND,
    "minute": _MINUTE,
    "5 minutes": 5 * _MINUTE,
    "15 minutes": 15 * _MINUTE,
    "30 minutes": 30 * _MINUTE,
    "hour": 60 * _MINUTE,
    "day": _DAY,
    "week": 7 * _DAY,
}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_BEFORE_MONDAY: Final = 3 * _DAY
"""The epoch was a Thursday; weeks begin on Mondays."""


def period_numbers(component_id: str, local: Times) -> Times:
    """Return int64[N], numbers of periods that ascend with time.

    Args:
        component_id: a time dimension, or ``daterange`` for days.
        local: int64[N], wall-clock µs since 1970-01-01 00:00.
    """
    period = TIME_DIMENSIONS.get(component_id, "day")
    if period in _MONTHS:
        months: Times = local.view("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        return np.floor_divide(months, _MONTHS[period])
    return np.floor_divide(local + _offset(period), _WIDTHS[period])


def period_starts(component_id: str, numbers: Times) -> pa.Array:
    """Return the wall-clock times at which periods begin.

    Args:
        component_id: a time dimension, or ``daterange`` for days.
        numbers: int64[K], from ``period_numbers``.
    """
    period = TIME_DIMENSIONS.get(component_id, "day")
    if period in _MONTHS:
        months = (numbers * _MONTHS[period]).astype("datetime64[M]")
        return pc.cast(pa.array(months.astype("datetime64[us]")), LOCAL_TIME)
    return pa.array(numbers * _WIDTHS[period] - _offset(period), pa.int64()).cast(LOCAL_TIME)


def _offset(period: str) -> int:
    return _BEFORE_MONDAY if period == "week" else 0
