"""The components that every data view has: persons, events, what follows from sessions, parts of time.

Each is declared here once: its name and type in SQL, and how far around a report's range it looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from engine.definitions.model import COUNTABLE


class Scope(StrEnum):
    """What a dimension is read on; only event dimensions make touches (docs/semantics.md)."""

    TIME = "time"
    PERSON = "person"
    SESSION = "session"
    DATASET = "dataset"
    EVENT = "event"


class Around(StrEnum):
    """How far before or after a report's range a component looks."""

    NOWHERE = "nowhere"
    GAP = "one session timeout"
    THIRTEEN_MONTHS = "thirteen months"
    EVERYWHERE = "everywhere"


@dataclass(frozen=True)
class Standard:
    """A component that needs no field: its values follow from persons, sessions or the journey's columns.

    Attributes:
        id: its column in SQL.
        scope: what a dimension is read on; None for metrics.
        additive: the metric may be summed over groups.
        sessions: it needs to know where sessions start.
        column: the journey's own column that it needs, if any.
    """

    id: str
    type: pa.DataType
    description: str
    scope: Scope | None = None
    additive: bool = True
    sessions: bool = True
    before: Around = Around.NOWHERE
    after: Around = Around.NOWHERE
    column: str | None = None


PEOPLE: Final = "visitors"
SESSIONS: Final = "visits"
EVENTS, SESSION_STARTS, SESSION_ENDS, TIME_SPENT = COUNTABLE
FIRST_TIME_SESSIONS: Final = "adobe_firsttimesessions"
RETURN_SESSIONS: Final = "adobe_returnsessions"
REPEAT_SESSIONS: Final = "adobe_repeatsessions"
PERSON_ID: Final = "adobe_personid"
EVENT_DEPTH: Final = "adobe_eventdepth"
SESSION_TYPE: Final = "adobe_sessiontype"
TIME_PER_EVENT: Final = "adobe_timespentperevent"
TIME_PER_SESSION: Final = "adobe_timespentpersession"
TIME_PER_PERSON: Final = "adobe_timespentperperson"
PERSON_NAMESPACE: Final = "adobe_personidnamespace"
DATASET_ID: Final = "adobe_datasetid"

METRICS: Final = (
    Standard(PEOPLE, pa.int64(), "People: distinct persons", additive=False, sessions=False),
    Standard(SESSIONS, pa.int64(), "Sessions", additive=False, before=Around.GAP),
    Standard(EVENTS, pa.int64(), "Events", sessions=False),
    Standard(SESSION_STARTS, pa.int64(), "Session starts: first events of sessions", before=Around.GAP),
    Standard(SESSION_ENDS, pa.int64(), "Session ends: last events of sessions", after=Around.GAP),
    Standard(
        TIME_SPENT, pa.float64(), "Time spent (seconds) until the next event of the session", after=Around.GAP
    ),
    Standard(
        FIRST_TIME_SESSIONS,
        pa.int64(),
        "First-time sessions: no event of the person in the 13 months before",
        additive=False,
        before=Around.THIRTEEN_MONTHS,
    ),
    Standard(
        RETURN_SESSIONS,
        pa.int64(),
        "Return sessions: all that are not first-time sessions",
        additive=False,
        before=Around.THIRTEEN_MONTHS,
    ),
    Standard(
        REPEAT_SESSIONS,
        pa.int64(),
        "Repeat sessions: all but the first that the person ever had",
        additive=False,
        before=Around.EVERYWHERE,
    ),
)
"""The metrics that every view has."""

DIMENSIONS: Final = (
    Standard(
        PERSON_ID, pa.string(), "Person ID after stitching", Scope.PERSON, sessions=False, column="_person"
    ),
    Standard(
        EVENT_DEPTH, pa.int64(), "Place of the event in its session", Scope.SESSION, before=Around.EVERYWHERE
    ),
    Standard(
        SESSION_TYPE,
        pa.string(),
        "First-time or Returning session",
        Scope.SESSION,
        before=Around.THIRTEEN_MONTHS,
    ),
    Standard(TIME_PER_EVENT, pa.string(), "Time spent on the event", Scope.SESSION, after=Around.GAP),
    Standard(
        TIME_PER_SESSION,
        pa.string(),
        "Time spent in the whole session",
        Scope.SESSION,
        before=Around.EVERYWHERE,
        after=Around.EVERYWHERE,
    ),
    Standard(
        TIME_PER_PERSON,
        pa.string(),
        "Time that the person spent in the report's range",
        Scope.PERSON,
        after=Around.GAP,
    ),
    Standard(
        PERSON_NAMESPACE,
        pa.string(),
        "Namespace of the person ID",
        Scope.DATASET,
        sessions=False,
        column="_namespace",
    ),
    Standard(
        DATASET_ID,
        pa.string(),
        "Dataset that the event is from",
        Scope.DATASET,
        sessions=False,
        column="_dataset",
    ),
)
"""The dimensions that every view has besides those of time."""

STANDARDS: Final[Mapping[str, Standard]] = MappingProxyType({s.id: s for s in (*METRICS, *DIMENSIONS)})


@dataclass(frozen=True)
class TimePart:
    """A dimension that recurs, such as the hour of the day.

    Attributes:
        sql: its value in DuckDB's dialect, over the event's time in the view's zone.
    """

    type: pa.DataType
    description: str
    sql: str


TIME_PARTS: Final[Mapping[str, TimePart]] = MappingProxyType(
    {
        "timepartminuteofhour": TimePart(pa.int64(), "Minute of hour: 0–59", 'minute("timestamp")'),
        "timeparthourofday": TimePart(pa.int64(), "Hour of day: 0–23", 'hour("timestamp")'),
        "timepartampm": TimePart(
            pa.string(), "AM or PM", """CASE WHEN hour("timestamp") < 12 THEN 'AM' ELSE 'PM' END"""
        ),
        "timepartdayofweek": TimePart(pa.string(), "Day of week: Monday to Sunday", 'dayname("timestamp")'),
        "timepartweekend": TimePart(
            pa.string(),
            "Weekday or Weekend",
            """CASE WHEN dayofweek("timestamp") IN (0, 6) THEN 'Weekend' ELSE 'Weekday' END""",
        ),
        "timepartdayofmonth": TimePart(pa.int64(), "Day of month: 1–31", 'day("timestamp")'),
        "timepartdayofyear": TimePart(pa.int64(), "Day of year: 1–366", 'dayofyear("timestamp")'),
        "timepartweekofyear": TimePart(pa.int64(), "Week of year: 1–53 (ISO)", 'weekofyear("timestamp")'),
        "timepartmonthofyear": TimePart(
            pa.string(), "Month of year: January to December", 'monthname("timestamp")'
        ),
        "timepartquarterofyear": TimePart(
            pa.string(), "Quarter of year: Q1–Q4", """'Q' || quarter("timestamp")"""
        ),
    }
)
"""Recurring parts of time, in the view's zone."""
