"""Reports on standard components, one event at a time, written from the specification.

Events are dicts with ``person``, ``time`` (µs UTC), ``order`` and the fields ``channel``, ``login``,
``logout`` and ``dataset``; ``None`` is no value.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.oracle import sessions
from tests.oracle.report import journeys

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND, MINUTE = 1_000_000, 60_000_000


@dataclass(frozen=True)
class Question:
    timeout: int
    zone: str
    groups: tuple[str, ...]
    start: int | None = None
    end: int | None = None
    start_on: bool = False
    end_on: bool = False
    segment: object = None  # event dict → bool


def local(time, zone):
    return (EPOCH + timedelta(microseconds=time)).astimezone(ZoneInfo(zone))


def thirteen_months_before(start, zone):
    """The first instant of the 13 whole months before the month in which a range starts."""
    first = local(start, zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for _ in range(13):
        first = (first - timedelta(days=1)).replace(day=1)
    return round((first.replace(tzinfo=ZoneInfo(zone)) - EPOCH) / timedelta(microseconds=1))


def bucket(time):
    bounds = [
        (MINUTE, "less than 1 minute"),
        (5 * MINUTE, "1 to 5 minutes"),
        (10 * MINUTE, "5 to 10 minutes"),
        (30 * MINUTE, "10 to 30 minutes"),
        (60 * MINUTE, "30 to 60 minutes"),
        (120 * MINUTE, "1 to 2 hours"),
        (300 * MINUTE, "2 to 5 hours"),
        (600 * MINUTE, "5 to 10 hours"),
    ]
    return next((label for bound, label in bounds if time < bound), "10 hours or more")


def described(journey, question):
    """Put what follows from sessions on each event of one person."""
    times = [event["time"] for event in journey]
    numbers = sessions.session_numbers(
        times,
        question.timeout,
        [bool(event["login"]) for event in journey] if question.start_on else None,
        [bool(event["logout"]) for event in journey] if question.end_on else None,
    )
    since = None if question.start is None else thirteen_months_before(question.start, question.zone)
    ends, spent = sessions.ends(numbers), sessions.time_spent(times, numbers)
    depths = sessions.depths(numbers, [True] * len(journey))
    first = sessions.first_time(times, numbers, since, question.start)
    ever = sessions.first_time(times, numbers, None, None)
    for at, event in enumerate(journey):
        own = [times[other] for other, number in enumerate(numbers) if number == numbers[at]]
        event["in"] = (question.start is None or times[at] >= question.start) and (
            question.end is None or times[at] < question.end
        )
        event |= {
            "session": numbers[at],
            "starts": at == 0 or numbers[at - 1] != numbers[at],
            "ends": ends[at],
            "spent": spent[at],
            "depth": depths[at],
            "first": first[at],
            "ever": ever[at],
            "type": "First-time" if first[at] else "Returning",
            "per_event": bucket(spent[at]),
            "per_session": bucket(own[-1] - own[0]),
            "hour": local(times[at], question.zone).hour,
            "weekday": f"{local(times[at], question.zone):%A}",
        }
    for at, event in enumerate(journey):
        kept = [e["channel"] for e in journey[: at + 1] if e["session"] == event["session"]]
        event["kept"] = next((channel for channel in reversed(kept) if channel is not None), None)
    total = sum(event["spent"] for event in journey if event["in"])
    for event in journey:
        event["per_person"] = bucket(total)


def report(events, question):
    """Return group tuple → metric → number."""
    counts = defaultdict(lambda: defaultdict(float))
    distinct = defaultdict(lambda: defaultdict(set))
    for journey in journeys(events):
        described(journey, question)
        for event in journey:
            if not event["in"] or not (question.segment is None or question.segment(event)):
                continue
            group = tuple(event[name] for name in question.groups)
            counts[group]["events"] += 1
            counts[group]["starts"] += event["starts"]
            counts[group]["ends"] += event["ends"]
            counts[group]["spent"] += event["spent"] / SECOND
            session = (event["person"], event["session"])
            distinct[group]["sessions"].add(session)
            distinct[group]["first" if event["first"] else "return"].add(session)
            if not event["ever"]:
                distinct[group]["repeat"].add(session)
    return {
        group: {
            **found,
            **{name: len(distinct[group][name]) for name in ("sessions", "first", "return", "repeat")},
        }
        for group, found in counts.items()
    }
