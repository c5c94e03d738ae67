"""UTC instants to a time zone's wall clock, a whole column at a time.

A zone's offsets are looked up once per day of the data and searched by binary search, so that a column
costs one pass and no call per row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

_DAY = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime(10, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime(9990, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""Instants beyond these have months around them that no datetime can hold."""

Int64Array = np.ndarray[tuple[int], np.dtype[np.int64]]


def local_times(times: Int64Array, zone: str) -> Int64Array:
    """Return wall-clock microseconds since 1970-01-01 00:00 local for UTC microseconds.

    Args:
        times: int64[N], microseconds since the epoch, UTC, any order.
        zone: IANA time zone.
    """
    if zone == "UTC" or times.size == 0:
        return times
    instants, offsets = _offsets(zone, int(times.min()) // _DAY, int(times.max()) // _DAY + 1)
    periods = np.searchsorted(instants, times, side="right") - 1 if instants.size > 1 else 0
    local: Int64Array = np.add(times, offsets[periods])
    return local


def to_utc(local: datetime, zone: str) -> int:
    """Return the UTC microseconds of a wall-clock time; the earlier pass where it happens twice."""
    if local.tzinfo is None:
        local = local.replace(tzinfo=ZoneInfo(zone), fold=0)
    return (local - _EPOCH) // _MICROSECOND


def to_local(instant: int, zone: str) -> datetime:
    """Return the wall-clock time, without zone, of UTC microseconds; in the years 10 to 9989."""
    held = min(max(instant, _FIRST), _LAST)
    return (_EPOCH + held * _MICROSECOND).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def month_start(instant: int, zone: str, earlier: int = 0) -> int:
    """Return the UTC microseconds at which a local month begins: the instant's, or so many months earlier."""
    local = to_local(instant, zone)
    months = 12 * local.year + local.month - 1 - earlier
    return to_utc(datetime(months // 12, months % 12 + 1, 1), zone)


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = (_EPOCH + instant * _MICROSECOND).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // _MICROSECOND


@lru_cache(maxsize=256)
def _offsets(zone: str, first_day: int, last_day: int) -> tuple[Int64Array, Int64Array]:
    """Return the instants at which the offset changes (the first being the range's start) and the offsets."""
    info = ZoneInfo(zone)
    first_day, last_day = max(first_day, -50_000), min(last_day, 100_000)
    instants, offsets = [first_day * _DAY], [_offset(info, first_day * _DAY)]
    for day in range(first_day, last_day):
        after = _offset(info, (day + 1) * _DAY)
        if after != offsets[-1]:
            instants.append(_change(info, day * _DAY, (day + 1) * _DAY))
            offsets.append(after)
    return np.array(instants, np.int64), np.array(offsets, np.int64)


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """Bisect the second at which the offset changes between two instants."""
    before = _offset(zone, low)
    while high - low > 1_000_000:
        middle = (low + high) // 2_000_000 * 1_000_000
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high
