"""Persisted dimension values of one person: look at every event from every other one, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Rule:
    """How a dimension persists; ``ttl`` belongs to the expiration ``custom``."""

    allocation: str = "most_recent"
    expiration: str = "session"
    ttl: int = 0


@dataclass(frozen=True)
class Moment:
    """One event.

    Attributes:
        value: the dimension's value on the event.
        metric: whether the metric that makes values expire is there.
        binds: whether values are bound here: the binding metric is there, or there is none.
        elements: (bound item, the dimension's own value) of each element; an event-level dimension repeats
            its value there.
    """

    time: int
    session: int
    value: Any = None
    metric: bool = False
    binds: bool = True
    elements: tuple[tuple[Any, Any], ...] = field(default=())


def persisted(moments: Sequence[Moment], rule: Rule) -> list[Any]:
    """Return what each event shows: a value or None; for allocation ``all`` the list of its values."""
    shown: list[Any] = []
    for now in range(len(moments)):
        stints = _stint(moments, rule)
        mine = [place for place in range(len(moments)) if stints[place] == stints[now]]
        known = [place for place in mine if moments[place].value is not None]
        past = [place for place in known if place <= now]
        if rule.allocation == "first_known":
            shown.append(moments[known[0]].value if known else None)
        elif rule.allocation == "last_known":
            shown.append(moments[known[-1]].value if known else None)
        elif rule.allocation == "all":
            shown.append(list(dict.fromkeys(moments[place].value for place in past)))
        else:
            settings = [(moments[place].time, moments[place].value) for place in past]
            shown.append(_lasting(settings, moments[now].time, rule))
    return shown


def bound(moments: Sequence[Moment], rule: Rule) -> list[list[Any]]:
    """Return what each element of each event shows, where values are kept apart for each item.

    An element without an item shows its own value.
    """
    stints = _stint(moments, rule)
    shown: list[list[Any]] = []
    for now, moment in enumerate(moments):
        mine = [place for place in range(len(moments)) if stints[place] == stints[now]]
        shown.append([])
        for item, own in moment.elements:
            if item is None:
                shown[-1].append(own)
                continue
            settings = [
                (moments[place].time, value, place)
                for place in mine
                if moments[place].binds
                for other, value in moments[place].elements
                if other == item and value is not None
            ]
            shown[-1].append(_allocated(settings, moment.time, now, rule))
    return shown


def _allocated(settings: list[tuple[int, Any, int]], time: int, now: int, rule: Rule) -> Any:
    if rule.allocation in ("first_known", "last_known"):
        chosen = settings[0 if rule.allocation == "first_known" else -1 :][:1]
        return chosen[0][1] if chosen else None
    return _lasting([(when, value) for when, value, place in settings if place <= now], time, rule)


def _stint(moments: Sequence[Moment], rule: Rule) -> list[int]:
    """Number the stretches that no value outlives: sessions, or what lies between events with the metric."""
    if rule.expiration == "session":
        return [moment.session for moment in moments]
    if rule.expiration == "metric":
        return [sum(moment.metric for moment in moments[:place]) for place in range(len(moments))]
    return [0] * len(moments)


def _lasting(settings: list[tuple[int, Any]], time: int, rule: Rule) -> Any:
    """What is kept of values set one after the other: the newest, or the oldest since the last expired."""
    held: tuple[int, Any] | None = None
    for when, value in settings:
        expired = held is not None and rule.expiration == "custom" and when - held[0] > rule.ttl
        if held is None or expired or rule.allocation == "most_recent":
            held = (when, value)
    if held is not None and rule.expiration == "custom" and time - held[0] > rule.ttl:
        return None
    return None if held is None else held[1]


def duplicates(ids: Sequence[Any], counted: Sequence[bool], scopes: Sequence[int], keep: str) -> list[bool]:
    """Return which instances of a metric do not count: those of an id that another one stands for.

    Args:
        ids: the id of each instance, None where it has none.
        counted: whether the metric is there at all, and where it is looked for.
        scopes: the session or person of each.
        keep: ``first`` or ``last``.
    """
    found = []
    for place, name in enumerate(ids):
        alike = [
            other
            for other, its in enumerate(ids)
            if its is not None and its == name and counted[other] and scopes[other] == scopes[place]
        ]
        stands = alike[:1] if keep == "first" else alike[-1:]
        found.append(place in alike and [place] != stands)
    return found
