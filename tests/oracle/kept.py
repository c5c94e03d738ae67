"""Slow reports over one dimension that persists in some way, event by event and element by element.

Events are dicts: ``person``, ``time``, ``order``, ``tag`` (the dimension on events), ``shelf`` (an item on
events), ``buy`` (a metric), ``cart`` (the binding metric), ``items``: None or a list of dicts with ``sku``
(an item), ``colour`` (the dimension on elements) and ``price``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tests.oracle.persistence import Moment, Rule, bound, persisted
from tests.oracle.report import journeys, sessionize

NOTHING = {"sku": None, "colour": None, "price": None}


@dataclass(frozen=True)
class Kept:
    """A question: ``field`` is tag or colour, ``item`` None, shelf or sku."""

    rule: Rule
    field: str = "tag"
    item: str | None = None
    at_cart: bool = False
    start: int | None = None
    end: int | None = None

    @property
    def on_elements(self) -> bool:
        return self.field == "colour" or self.item == "sku"


def elements(event):
    return event["items"] or [NOTHING]


def inside(event, asked):
    return (asked.start is None or event["time"] >= asked.start) and (
        asked.end is None or event["time"] < asked.end
    )


def counts(event, asked):
    """Whether a value that is set on an event counts at all."""
    return asked.rule.expiration in ("session", "custom") or inside(event, asked)


def moment(event, asked, **more):
    return Moment(event["time"], event["session"], metric=bool(event["buy"]), **more)


def shown(journey, asked):
    """Return for each event its rows, and for each row the list of its values."""
    if asked.item is not None:
        return [[[value] for value in row] for row in _bound(journey, asked)]
    if asked.field == "tag":
        values = [event["tag"] if counts(event, asked) else None for event in journey]
        moments = [moment(event, asked, value=value) for event, value in zip(journey, values, strict=True)]
        return [[_listed(value)] for value in persisted(moments, asked.rule)]
    moments = []
    for event in journey:
        parts = elements(event)
        for part in parts:
            value = part["colour"] if counts(event, asked) else None
            last = part is parts[-1]
            moments.append(Moment(event["time"], event["session"], value, bool(event["buy"]) and last))
    found = iter(persisted(moments, asked.rule))
    return [[_listed(next(found)) for _ in elements(event)] for event in journey]


def _listed(value):
    return (value or [None]) if isinstance(value, list) else [value]


def _bound(journey, asked):
    values = [event["tag"] if counts(event, asked) else None for event in journey]
    if asked.at_cart and asked.field == "tag":
        plain = Rule("most_recent", asked.rule.expiration, asked.rule.ttl)
        values = persisted(
            [moment(event, asked, value=value) for event, value in zip(journey, values, strict=True)], plain
        )
    moments = []
    for event, value in zip(journey, values, strict=True):
        parts = elements(event) if asked.on_elements else [NOTHING]
        pairs = []
        for part in parts:
            item = event["shelf"] if asked.item == "shelf" else part["sku"]
            if item is None:
                own = part["colour"] if asked.field == "colour" else event["tag"]
            else:
                own = part["colour"] if asked.field == "colour" else value
            pairs.append((item, own))
        binds = counts(event, asked) and (bool(event["cart"]) or not asked.at_cart)
        moments.append(moment(event, asked, binds=binds, elements=tuple(pairs)))
    return bound(moments, asked.rule)


def report(events, asked, wanted=None):
    """Return value → events, people, sessions, orders, price; ``wanted`` is a segment on the dimension."""
    found = defaultdict(lambda: [set(), set(), set(), 0, 0.0])
    for journey in journeys(events):
        sessionize(journey, 3)
        for place, (event, rows) in enumerate(zip(journey, shown(journey, asked), strict=True)):
            if not inside(event, asked):
                continue
            if wanted is not None and not any(wanted in values for values in rows):
                continue
            for value in {value for values in rows for value in values}:
                sums = found[value]
                sums[0].add((event["person"], place))
                sums[1].add(event["person"])
                sums[2].add((event["person"], event["session"]))
                sums[3] += event["buy"] or 0
                prices = [part["price"] or 0 for part in elements(event)]
                kept = [value in values for values in rows] if asked.on_elements else [True] * len(prices)
                sums[4] += sum(price for price, there in zip(prices, kept, strict=True) if there)
    return {value: (len(of[0]), len(of[1]), len(of[2]), of[3], of[4]) for value, of in found.items()}


def rows(events, asked):
    """Return the text that each event of the range shows, sorted by person and journey order."""
    found = []
    for journey in journeys(events):
        sessionize(journey, 3)
        for event, parts in zip(journey, shown(journey, asked), strict=True):
            if inside(event, asked):
                texts = [value for values in parts for value in values if value is not None]
                found.append((event["person"], ", ".join(texts) or None))
    return found
