"""What standard components need besides a report's own events: sessions, columns, events around its range."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.dataview.components import Component
from engine.dataview.local_time import month_start
from engine.dataview.standard import STANDARDS, Around, Standard

_MONTHS: Final = 13
"""How many whole months before the range's month make a session a return session."""


def needs_sessions(component: Component) -> bool:
    """Whether a component asks where sessions start."""
    known = _standard(component)
    return known is not None and known.sessions


def journey_columns(components: Iterable[Component]) -> set[str]:
    """Return the columns of the journey itself that standard components read."""
    return {known.column for known in map(_standard, components) if known and known.column}


def earliest(start: int | None, gap: int, zone: str, components: Iterable[Component]) -> int | None:
    """Return since when events matter to standard components, in µs UTC; None is the beginning.

    Args:
        start: where the report's range begins.
        gap: the timeout of sessions, in µs.
        zone: the view's time zone.
        components: what the question uses.
    """
    around = {known.before for known in map(_standard, components) if known}
    if start is None or Around.EVERYWHERE in around:
        return None
    if Around.THIRTEEN_MONTHS in around:
        return min(start - gap, first_time_since(start, zone))
    return start - gap if Around.GAP in around else start


def latest(end: int | None, gap: int, components: Iterable[Component]) -> int | None:
    """Return until when events matter to standard components, in µs UTC, half-open; None is the end."""
    around = {known.after for known in map(_standard, components) if known}
    if end is None or Around.EVERYWHERE in around:
        return None
    return end + gap if Around.GAP in around else end


def first_time_since(start: int, zone: str) -> int:
    """Return the first instant of the 13 whole months before the range's month (``[EX-DV-FT]``)."""
    return month_start(start, zone, earlier=_MONTHS)


def _standard(component: Component) -> Standard | None:
    return STANDARDS.get(component.standard or component.id) if component.source is None else None
