"""What a device tells, one instant at a time: its timeline, who was known when, who it saw last.

An event is a mapping with ``device``, ``person`` (both None when blank), ``time`` and ``batch``, the
number of the batch that brought it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Event = Mapping[str, Any]


def timeline(events: Iterable[Event], device: str) -> list[tuple[int, int, str]]:
    """Return the runs (first instant, last instant, person) of a device, in order."""
    runs: list[tuple[int, int, str]] = []
    for time, person in _instants(events, device):
        if runs and runs[-1][2] == person:
            runs[-1] = (runs[-1][0], time, person)
        else:
            runs.append((time, time, person))
    return runs


def evidence(events: Iterable[Event], device: str, instant: int) -> str | None:
    """Return the last person named on a device at or before an instant."""
    told = [person for time, person in _instants(events, device) if time <= instant]
    return told[-1] if told else None


def known(events: Iterable[Event], device: str) -> str | None:
    """Return the person that a device saw last in order of arrival: newest batch, then latest time."""
    told = [event for event in events if event["device"] == device and event["person"] is not None]
    if not told:
        return None
    newest = max((event["batch"], event["time"]) for event in told)
    return min(event["person"] for event in told if (event["batch"], event["time"]) == newest)


def _instants(events: Iterable[Event], device: str) -> list[tuple[int, str]]:
    """Return (time, person) of the instants that name somebody: the alphabetically first of several."""
    persons: dict[int, list[str]] = {}
    for event in events:
        if event["device"] == device and event["person"] is not None:
            persons.setdefault(event["time"], []).append(event["person"])
    return [(time, min(persons[time])) for time in sorted(persons)]
