"""The slow twin of the report engine: one event at a time, written from the specification.

Events are dicts with ``person``, ``time`` (µs UTC), ``order`` (place among equal times) and field values;
``None`` is no value. Only totals of additive metrics, people and sessions are computed, per group.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.oracle.attribution import split


@dataclass(frozen=True)
class Persistence:
    allocation: str
    expiration: str | int


@dataclass(frozen=True)
class Attribution:
    model: str
    container: str
    lookback: int | None
    half_life: int = 7 * 86_400_000_000
    weights: tuple[float, float, float] = (30, 40, 30)


@dataclass(frozen=True)
class Question:
    """What is asked: grouped names ("day" and "hour" are local), metrics as name → (field, attribution)."""

    timeout: int
    zone: str
    groups: tuple[str, ...]
    metrics: dict[str, tuple[str, Attribution | None]]
    persistence: dict[str, Persistence] = field(default_factory=dict)
    start: int | None = None
    end: int | None = None
    segment: object = None  # event dict (persisted values) → bool


def journeys(events):
    people = defaultdict(list)
    for event in sorted(events, key=lambda e: (e["person"], e["time"], e["order"])):
        people[event["person"]].append(dict(event))
    return list(people.values())


def sessionize(journey, timeout):
    number = 0
    for previous, event in zip([None, *journey], journey, strict=False):
        if previous is None or event["time"] - previous["time"] > timeout:
            number += 1
        event["session"] = number
        event["session_start"] = 1 if previous is None or previous["session"] != number else None


def persist(journey, name, rule, start, reach):
    """Put the value that applies on each event under ``shown:name``.

    Values count from the range's start on for a person, and from one lifetime before the earliest event
    that can matter for a time.
    """
    since = None
    if rule is not None and start is not None and rule.expiration != "session":
        since = start if rule.expiration == "person" else start - reach - rule.expiration
    for position, event in enumerate(journey):
        shown = event[name]
        if rule is not None:
            shown = None
            held = None  # (value, when, session)
            for seen in journey[: position + 1]:
                if held is not None and _expired(held, seen, rule):
                    held = None
                value = seen[name]
                if since is not None and seen["time"] < since:
                    value = None
                if value is not None and (rule.allocation == "most_recent" or held is None):
                    held = (value, seen["time"], seen["session"])
            if held is not None:
                shown = held[0]
        event[f"shown:{name}"] = shown


def _expired(held, seen, rule):
    if rule.expiration == "session":
        return seen["session"] != held[2]
    if rule.expiration == "person":
        return False
    return seen["time"] - held[1] > rule.expiration


def local_day(time, zone):
    return _local(time, zone).date()


def local_hour(time, zone):
    return _local(time, zone).replace(minute=0, second=0, microsecond=0, tzinfo=None, fold=0)


def _local(time, zone):
    moment = datetime.fromtimestamp(0, UTC).timestamp() + time / 1_000_000
    return datetime.fromtimestamp(moment, ZoneInfo(zone))


def month_start(start, zone):
    local = datetime.fromtimestamp(start / 1_000_000, ZoneInfo(zone))
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    return int(first.timestamp()) * 1_000_000


DIMENSIONS = ("channel", "campaign")


def report(events, question):
    """Return group tuple → metric → total (float, or int for people and sessions)."""
    answer = defaultdict(lambda: defaultdict(float))
    people, sessions = defaultdict(set), defaultdict(set)
    touch_names = [name for name in question.groups if name in DIMENSIONS]
    reach = _reach(question) if touch_names else 0
    for journey in journeys(events):
        sessionize(journey, question.timeout)
        for name in DIMENSIONS:
            persist(journey, name, question.persistence.get(name), question.start, reach)
        for event in journey:
            event["in"] = (question.start is None or event["time"] >= question.start) and (
                question.end is None or event["time"] < question.end
            )
            event["segment"] = question.segment is None or bool(question.segment(event))
        for position, event in enumerate(journey):
            if not (event["in"] and event["segment"]):
                continue
            own = _group(event, event, question, "shown:")
            people[own].add(event["person"])
            sessions[own].add((event["person"], event["session"]))
            answer[own]["events"] += 1
            for metric, (source, attribution) in question.metrics.items():
                value = event[source]
                if value is None:
                    continue
                if attribution is None or not touch_names:
                    answer[own][metric] += value
                    continue
                if value == 0:
                    continue
                touches = _touches(journey, position, touch_names, attribution, question)
                prefix = "" if len(touch_names) == 1 else "shown:"
                shares = split(
                    attribution.model,
                    touches,
                    position,
                    times=[seen["time"] for seen in journey],
                    items=[tuple(seen[f"{prefix}{name}"] for name in touch_names) for seen in journey],
                    half_life=attribution.half_life,
                    weights=attribution.weights,
                )
                for touch, weight in shares:
                    credited = None if touch is None else journey[touch]
                    answer[_group(credited, event, question, prefix)][metric] += value * weight
    return {
        group: {
            **{m: v for m, v in metrics.items() if m != "events"},
            "events": int(metrics["events"]),
            "people": len(people[group]),
            "sessions": len(sessions[group]),
        }
        for group, metrics in answer.items()
    }


def _reach(question):
    """How long before the range a touch may lie."""
    window = 0 if question.start is None else question.start - month_start(question.start, question.zone)
    rules = [attribution for _, attribution in question.metrics.values() if attribution is not None]
    return max((window if rule.lookback is None else rule.lookback for rule in rules), default=0)


def _group(touch, conversion, question, prefix):
    return tuple(
        local_day(conversion["time"], question.zone)
        if name == "day"
        else local_hour(conversion["time"], question.zone)
        if name == "hour"
        else conversion["person"]
        if name == "person"
        else (None if touch is None else touch[f"{prefix}{name}"])
        for name in question.groups
    )


def _touches(journey, position, names, attribution, question):
    conversion = journey[position]
    prefix = "" if len(names) == 1 else "shown:"
    return [
        place
        for place, touch in enumerate(journey[: position + 1])
        if touch["segment"]
        and all(touch[f"{prefix}{name}"] is not None for name in names)
        and _within(touch, conversion, attribution, question)
    ]


def _within(touch, conversion, attribution, question):
    """Whether a touch lies in the conversion's container and lookback window."""
    if attribution.lookback is not None and conversion["time"] - touch["time"] > attribution.lookback:
        return False
    if attribution.container == "session":
        return touch["session"] == conversion["session"]
    if attribution.lookback is None and question.start is not None:
        return touch["time"] >= month_start(question.start, question.zone)
    return True
