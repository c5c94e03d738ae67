"""Persisted dimension values of one person: look back from every event, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Value = TypeVar("Value")


def persisted(
    times: Sequence[int],
    values: Sequence[Value | None],
    sessions: Sequence[int],
    allocation: str,
    expiration: str,
    ttl: int = 0,
) -> list[Value | None]:
    """Return the value that each event of one person shows.

    Args:
        times: event times in journey order.
        values: the value set on each event, None where none is.
        sessions: session number of each event.
        allocation: ``most_recent`` or ``original``.
        expiration: ``session``, ``person`` or ``custom``.
        ttl: for ``custom``: a value older than this has expired; the same unit as the times.
    """
    shown: list[Value | None] = []
    for event in range(len(times)):
        holder = _holder(event, times, values, sessions, allocation, expiration, ttl)
        shown.append(None if holder is None else values[holder])
    return shown


def _holder(
    event: int,
    times: Sequence[int],
    values: Sequence[object | None],
    sessions: Sequence[int],
    allocation: str,
    expiration: str,
    ttl: int,
) -> int | None:
    holder: int | None = None
    for earlier in range(event + 1):
        if expiration == "session" and sessions[earlier] != sessions[event]:
            continue
        expired = holder is not None and expiration == "custom" and times[earlier] - times[holder] > ttl
        if expired:
            holder = None
        if values[earlier] is not None and (holder is None or allocation == "most_recent"):
            holder = earlier
    return holder
