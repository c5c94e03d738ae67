"""Whole reports against their slow twin, over journeys built in memory and cut into chunks at will."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.journeys.scan import Chunk
from engine.report.local import answer
from engine.report.plan import plan
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest, TimeRange
from tests.oracle import report as oracle
from tests.oracle.attribution import MODELS

HOUR = 3_600_000_000
DAY = 24 * HOUR
T0 = 1_711_800_000_000_000  # 2024-03-30 12:00 UTC: a change of clocks in Berlin lies a day ahead
ZONE = "Europe/Berlin"
COLUMN = {
    "channel": "channel",
    "campaign": "campaign",
    "day": "daterangeday",
    "hour": "daterangehour",
    "week": "daterangeweek",
    "person": "adobe_personid",
}

events = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.sampled_from(["ann", "bob", "cid", "dee"]),
            "time": st.integers(-60, 60).map(lambda n: T0 + n * HOUR)
            | st.integers(-90, 90).map(lambda n: T0 + n * 1_800_000_000),
            "channel": st.sampled_from([None, None, "email", "paid", "social"]),
            "campaign": st.sampled_from([None, None, "x", "y"]),
            "revenue": st.sampled_from([None, None, 10.0, 30.5, 0.0]),
            "orders": st.sampled_from([None, None, 1, 2]),
        }
    ),
    max_size=25,
).map(lambda found: [dict(event, order=place) for place, event in enumerate(found)])

attributions = st.builds(
    oracle.Attribution,
    st.sampled_from(MODELS),
    st.sampled_from(["person", "session"]),
    st.sampled_from([None, 2 * HOUR, 30 * DAY]),
    st.sampled_from([60_000_000, 5 * HOUR, 7 * DAY]),
    st.sampled_from([(30.0, 40.0, 30.0), (0.0, 2.0, 1.0)]),
)
persistences = st.none() | st.builds(
    oracle.Persistence,
    st.sampled_from(["most_recent", "original"]),
    st.sampled_from(["session", "person", 3 * HOUR]),
)
segments = st.sampled_from(
    [
        (None, None),
        ("channel = 'email'", lambda e: e["shown:channel"] == "email"),
        (
            "campaign IS NULL OR channel = 'paid'",
            lambda e: e["shown:campaign"] is None or e["shown:channel"] == "paid",
        ),
    ]
)
ranges = st.sampled_from([(None, None), (T0 - 5 * HOUR, T0 + 20 * HOUR), (T0, None), (None, T0 + HOUR)])


@st.composite
def questions(draw):
    start, end = draw(ranges)
    return oracle.Question(
        timeout=1_800_000_000,
        zone=ZONE,
        groups=draw(
            st.sampled_from(
                [
                    (),
                    ("channel",),
                    ("day",),
                    ("channel", "day"),
                    ("hour", "channel"),
                    ("channel", "campaign"),
                    ("campaign", "day", "channel"),
                    ("person", "channel"),
                    ("person", "channel", "hour"),
                ]
            )
        ),
        metrics={
            "revenue": ("revenue", draw(st.none() | attributions)),
            "orders": ("orders", draw(st.none() | attributions)),
            "starts": ("session_start", draw(st.none() | attributions)),
        },
        persistence={name: rule for name in oracle.DIMENSIONS if (rule := draw(persistences)) is not None},
        start=start,
        end=end,
    )


def definitions(question: oracle.Question) -> Definitions:
    def dimension(name):
        rule = question.persistence.get(name)
        if rule is None:
            return {"field": name}
        expiration = (
            rule.expiration if isinstance(rule.expiration, str) else timedelta(microseconds=rule.expiration)
        )
        return {"field": name, "persistence": {"allocation": rule.allocation, "expiration": expiration}}

    def metric(source, attribution):
        settings = {"field": {"session_start": "adobe_sessionstarts"}.get(source, source)}
        if attribution is not None:
            lookback = None if attribution.lookback is None else timedelta(microseconds=attribution.lookback)
            settings["attribution"] = {
                "model": attribution.model,
                "container": attribution.container,
                "lookback": lookback,
            }
            if attribution.model == "time_decay":
                settings["attribution"]["half_life"] = timedelta(microseconds=attribution.half_life)
            if attribution.model == "custom":
                names = ("starter", "player", "closer")
                settings["attribution"]["weights"] = dict(zip(names, attribution.weights, strict=True))
        return settings

    return Definitions.model_validate(
        {
            "datasets": {
                "web": {
                    "timestamp": "ts",
                    "fields": {
                        "ts": "timestamp",
                        "who": "string",
                        "channel": "string",
                        "campaign": "string",
                        "revenue": "double",
                        "orders": "integer",
                    },
                }
            },
            "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
            "data_views": {
                "shop": {
                    "connection": "all",
                    "time_zone": question.zone,
                    "sessions": {"timeout": timedelta(microseconds=question.timeout)},
                    "dimensions": {name: dimension(name) for name in oracle.DIMENSIONS},
                    "metrics": {
                        f"m_{name}": metric(*settings) for name, settings in question.metrics.items()
                    },
                }
            },
        }
    )


def chunk_of(found: list[list[dict]]) -> Chunk:
    rows = [event for journey in found for event in journey]
    types = {
        "channel": pa.string(),
        "campaign": pa.string(),
        "revenue": pa.float64(),
        "orders": pa.int32(),
        "person": pa.string(),
    }
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()}
    columns["_person"] = columns.pop("person")
    for name in ("channel", "campaign", "_person"):
        columns[name] = columns[name].dictionary_encode()
    sizes = [len(journey) for journey in found]
    return Chunk(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.array([row["time"] for row in rows], np.int64),
        columns,
    )


def request_of(question: oracle.Question, segment: str | None) -> ReportRequest:
    names = {name: f"m_{name}" for name in question.metrics}
    names |= {"events": "occurrences", "people": "visitors", "sessions": "visits"}
    return ReportRequest(
        view="shop",
        dimensions=tuple(
            DimensionColumn(name, exp.column(COLUMN[name], quoted=True)) for name in question.groups
        ),
        metrics=tuple(
            MetricColumn(name, Aggregate.VALUE, exp.column(column, quoted=True))
            for name, column in names.items()
        ),
        range=TimeRange(question.start, question.end),
        segment=None if segment is None else parse_one(segment, read="duckdb"),
    )


def ask(question, found, segment=None, cuts=1, *, only_scanned=False, make=chunk_of):
    known = definitions(question)
    planned = plan(request_of(question, segment), known)
    if only_scanned and planned.scan_start is not None:
        found = [event for event in found if event["time"] >= planned.scan_start]
    journeys = oracle.journeys(found)
    chunks = [make(journeys[cut::cuts]) for cut in range(cuts)]
    return by_group(answer(planned, chunks, known, Cancellation()), question)


def by_group(table, question):
    """Return group → metric → value of an answer."""
    rows = {}
    for row in table.to_pylist():
        group = tuple(
            row[name].date() if name == "day" and row[name] is not None else row[name]
            for name in question.groups
        )
        assert group not in rows
        rows[group] = {name: row[name] for name in (*question.metrics, "events", "people", "sessions")}
    return rows


def same(ours, theirs, question):
    empty = {"events": 0, "people": 0, "sessions": 0}
    theirs = theirs or ({(): empty} if not question.groups else {})
    assert set(ours) == set(theirs)
    for group, metrics in theirs.items():
        for name in ("events", "people", "sessions"):
            assert ours[group][name] == metrics[name], (group, name)
        for name in question.metrics:
            assert (ours[group][name] or 0.0) == pytest.approx(metrics.get(name, 0.0), abs=1e-9), (
                group,
                name,
            )


@settings(max_examples=120, deadline=None)
@given(events, questions(), segments, st.sampled_from([1, 2, 3]))
def test_report_equals_oracle_however_it_is_partitioned(found, question, segment, cuts):
    text, condition = segment
    asked = oracle.Question(**{**question.__dict__, "segment": condition})
    same(ask(question, found, text, cuts), oracle.report(found, asked), question)


def with_strangers(chunk: Chunk, strangers: Chunk) -> Chunk:
    """Lay persons who do not count between those who do: every second one."""
    sizes = [np.diff(chunk.offsets), np.diff(strangers.offsets)]
    bounds = [chunk.offsets, strangers.offsets + chunk.rows]
    people = [(place, kind) for kind in (0, 1) for place in range(sizes[kind].size)]
    order, kept, offsets = [np.zeros(0, np.int64)], [np.zeros(0, np.uint8)], [0]
    for place, kind in sorted(people):
        rows = np.arange(bounds[kind][place], bounds[kind][place + 1])
        order.append(rows)
        kept.append(np.full(rows.size, 1 - kind, np.uint8))
        offsets.append(offsets[-1] + rows.size)
    columns = {}
    for name, column in chunk.columns.items():
        both = pa.chunked_array([column, strangers.columns[name]])
        if pa.types.is_dictionary(both.type):
            both = both.unify_dictionaries()
        columns[name] = pa.concat_arrays(both.chunks).take(pa.array(np.concatenate(order)))
    times = np.concatenate([chunk.times, strangers.times])[np.concatenate(order)]
    return Chunk(np.array(offsets, np.int64), times, columns, np.concatenate(kept))


@settings(max_examples=100, deadline=None)
@given(events, events, questions(), segments)
def test_persons_who_do_not_count_change_nothing(found, others, question, segment):
    text, condition = segment
    asked = oracle.Question(**{**question.__dict__, "segment": condition})
    strangers = chunk_of(oracle.journeys(others))

    def mixed(cut):
        return with_strangers(chunk_of(cut), strangers)

    same(ask(question, found, text, make=mixed), oracle.report(found, asked), question)


def conserved(metrics):
    """Return the metrics that give no more than they have."""
    return {name for name, (_, rule) in metrics.items() if rule is None or rule.model != "participation"}


@settings(max_examples=40, deadline=None)
@given(events, questions())
def test_conservation_credit_over_all_items_is_the_total(found, question):
    rows = ask(question, found)
    totals = ask(oracle.Question(**{**question.__dict__, "groups": ()}), found)[()]
    for name in conserved(question.metrics):
        credited = sum(row[name] or 0.0 for row in rows.values())
        assert credited == pytest.approx(totals[name] or 0.0, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(events, questions(), attributions)
def test_time_a_total_per_day_does_not_depend_on_the_model(found, question, attribution):
    by_day = oracle.Question(**{**question.__dict__, "groups": ("channel", "day")})
    other = {name: (source, attribution) for name, (source, _) in question.metrics.items()}
    for name in conserved(question.metrics) & conserved(other):
        totals = []
        for metrics in (question.metrics, other):
            per_day = {}
            rows = ask(oracle.Question(**{**by_day.__dict__, "metrics": metrics}), found)
            for (_, day), row in rows.items():
                per_day[day] = per_day.get(day, 0.0) + (row[name] or 0.0)
            totals.append({day: total for day, total in per_day.items() if abs(total) > 1e-9})
        assert totals[0].keys() == totals[1].keys()
        assert all(totals[0][day] == pytest.approx(totals[1][day]) for day in totals[0])


@settings(max_examples=40, deadline=None)
@given(events, questions())
def test_sessions_partition_events(found, question):
    total = ask(oracle.Question(**{**question.__dict__, "groups": ()}), found)[()]
    assert total["people"] <= total["sessions"] <= total["events"]
    assert total["events"] == sum(row["events"] for row in ask(question, found).values())


@settings(max_examples=80, deadline=None)
@given(events, questions(), segments)
def test_what_is_not_scanned_does_not_matter(found, question, segment):
    everything = ask(question, found, segment[0])
    scanned = ask(question, found, segment[0], only_scanned=True)
    for rows in (everything, scanned):
        for row in rows.values():
            row.update({name: round(value or 0.0, 9) for name, value in row.items()})
    assert scanned == everything
