"""Field-based stitching, one device and one instant at a time, as the specification words it.

An event is a mapping with ``row``, ``device``, ``person`` (both None when blank) and ``time``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

Event = Mapping[str, Any]
Stitched = dict[int, tuple[str | None, bool]]
"""Row → (person, whether a person id said so)."""


def live(events: Iterable[Event], memory: Mapping[str, str]) -> tuple[Stitched, dict[str, str]]:
    """Stitch one arriving batch; return the rows and the memory after it."""
    result: Stitched = {}
    known = dict(memory)
    for instant in _instants(events):
        device = instant[0]["device"]
        persons = [event["person"] for event in instant if event["person"] is not None]
        if persons and device is not None:
            known[device] = min(persons)
        for event in instant:
            result[event["row"]] = _answer(event, known.get(device))
    return result, known


def replay(
    events: Iterable[Event],
    evidence: Mapping[str, str],
    transition_limit: int | None = None,
    last: bool = False,
) -> Stitched:
    """Restitch the events of one window; evidence is each device's last known person before it.

    With ``last`` the person known last on a device gets all its events, those of other persons too.
    """
    all_events = list(events)
    instants = _instants(all_events)
    result: Stitched = {}
    for event in all_events:
        device, time = event["device"], event["time"]
        timeline = [
            (
                instant[0]["time"],
                min(other["person"] for other in instant if other["person"] is not None),
            )
            for instant in instants
            if instant[0]["device"] == device and any(other["person"] is not None for other in instant)
        ]
        before = [person for at, person in timeline if at <= time]
        after = [person for at, person in timeline if at > time]
        if device in evidence:
            before.insert(0, evidence[device])
        person = before[-1] if before else after[0] if after else None
        sequence = [evidence[device]] if device in evidence else []
        sequence += [person for _, person in timeline]
        if last and device is not None and sequence:
            person = sequence[-1]
        changes = sum(left != right for left, right in pairwise(sequence))
        if transition_limit is not None and changes > transition_limit:
            person = None
        elif last and device is not None and person is not None:
            result[event["row"]] = (person, True)
            continue
        result[event["row"]] = _answer(event, None if device is None else person)
    return result


def _instants(events: Iterable[Event]) -> list[list[Event]]:
    groups: dict[tuple[str | None, int], list[Event]] = {}
    for event in events:
        groups.setdefault((event["device"], event["time"]), []).append(event)
    return [groups[key] for key in sorted(groups, key=lambda key: (key[0] or "", key[1]))]


def _answer(event: Event, known: str | None) -> tuple[str | None, bool]:
    person = event["person"] if event["person"] is not None else known
    return (person, True) if person is not None else (event["device"], False)
