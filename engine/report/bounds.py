"""How far before and beyond its range a question reads: for touches, kept values, sessions and months."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from engine.dataview.components import Component, DataView
from engine.dataview.local_time import month_start
from engine.definitions.model import AttributionDefinition
from engine.definitions.values import microseconds
from engine.report.around import earliest, latest
from engine.report.keeping import (
    by_first_value,
    by_person,
    by_session,
    deduplication_of,
    months_around,
    persistence_of,
    reading,
)
from engine.report.request import TimeRange

_KNOWN: Final = ("first_known", "last_known")
"""Allocations that show a value on events before it."""


def touch_start(start: int | None, time_zone: str) -> int | None:
    """Return where the reporting window begins: with the month of the range's begin (``[EX-DV-A0]``).

    Args:
        start: the range's begin in µs UTC, or None.
        time_zone: of the view.
    """
    return None if start is None else month_start(start, time_zone)


def touch_reach(start: int | None, time_zone: str, attributions: Iterable[AttributionDefinition]) -> int:
    """Return how long before the range, in µs, touches may lie that count in it."""
    month = touch_start(start, time_zone)
    window = 0 if start is None or month is None else start - month
    lookbacks = (attribution.lookback for attribution in attributions)
    return max((window if lookback is None else microseconds(lookback) for lookback in lookbacks), default=0)


def within_sessions(attributions: Iterable[AttributionDefinition]) -> bool:
    """Tell whether touches count within sessions only."""
    return any(attribution.container == "session" for attribution in attributions)


def scan_start(
    window: TimeRange,
    view: DataView,
    components: list[Component],
    attributions: list[AttributionDefinition],
    sessions: bool,
    reach: int | None,
) -> int | None:
    """Return the time in µs before which no event is needed; None reads from the beginning.

    A session may have begun any time before the range, so what depends on its first events reads all.

    Args:
        window: the report's range.
        view: where its components are.
        components: all that is used.
        attributions: of all lanes.
        sessions: whether session starts are needed.
        reach: how long before the range an event may matter, in µs; None: however long.
    """
    month, _ = months_around(window)
    begin = month if by_person(components) else window.start
    timeout = microseconds(view.definition.sessions.timeout)
    first = earliest(begin, timeout, view.definition.time_zone, components)
    endless = by_session(components) or within_sessions(attributions) or by_first_value(components)
    if begin is None or first is None or reach is None or endless:
        return None
    settings = [p for p in map(persistence_of, components) if p is not None]
    kept = [reading(p.expiration, p.binding) for p in settings if isinstance(p.expiration, timedelta)]
    return min(first, begin - reach - max([timeout if sessions else 0, *kept]))


def scan_end(window: TimeRange, view: DataView, components: list[Component]) -> int | None:
    """Return the time in µs from which on no event is needed; None reads to the end.

    What depends on a session's or a month's last events reads beyond the range.
    """
    kept = [p for p in map(persistence_of, components) if p is not None]
    once = [d for d in map(deduplication_of, components) if d is not None]
    known = any(p.expiration == "session" and p.allocation in _KNOWN for p in kept)
    months_end = months_around(window)[1]
    needed = months_end if by_person(components) else window.end
    end = latest(needed, microseconds(view.definition.sessions.timeout), components)
    whole = any(d.scope == "session" and d.keep == "last" for d in once)
    return None if known or whole else end
