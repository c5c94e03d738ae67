"""Standard components in whole reports, against their slow twin: any cut, any range, any scan."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

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
from tests.oracle import standard as oracle
from tests.oracle.report import journeys
from tests.report.test_laws import with_strangers

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
T0 = 1_654_700_000_000_000  # 2022-06-08 14:53:20 UTC
ZONE = "Europe/Berlin"
YEAR_AGO = oracle.thirteen_months_before(T0, ZONE)
DIMENSIONS = {
    "channel": "channel",
    "kept": "kept",
    "depth": "adobe_eventdepth",
    "type": "adobe_sessiontype",
    "per_event": "adobe_timespentperevent",
    "per_session": "adobe_timespentpersession",
    "per_person": "adobe_timespentperperson",
    "dataset": "adobe_datasetid",
    "namespace": "adobe_personidnamespace",
    "hour": "timeparthourofday",
    "weekday": "timepartdayofweek",
}
METRICS = {
    "events": "occurrences",
    "sessions": "visits",
    "starts": "adobe_sessionstarts",
    "ends": "adobe_sessionends",
    "spent": "adobe_timespent",
    "first": "adobe_firsttimesessions",
    "return": "adobe_returnsessions",
    "repeat": "adobe_repeatsessions",
}

times = (
    st.integers(-40, 40).map(lambda n: T0 + n * 10 * MINUTE)
    | st.sampled_from([YEAR_AGO - 1, YEAR_AGO, YEAR_AGO + 1, T0 - 1, T0, T0 + 1, T0 + 5 * HOUR - 1])
    | st.integers(-450, 20).map(lambda n: T0 + n * DAY)
)
events = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.sampled_from(["ann", "bob", "cid"]),
            "time": times,
            "channel": st.sampled_from([None, "email", "paid"]),
            "login": st.sampled_from([None, None, 1, 0]),
            "logout": st.sampled_from([None, None, 1]),
            "dataset": st.sampled_from(["web", "calls"]),
            "namespace": st.sampled_from([None, "crm", "device"]),
        }
    ),
    max_size=25,
).map(lambda found: [dict(event, order=place) for place, event in enumerate(found)])

groups = st.sampled_from([(), *((name,) for name in DIMENSIONS), ("channel", "type"), ("hour", "depth")])
ranges = st.sampled_from([(None, None), (T0, None), (T0, T0 + 5 * HOUR), (None, T0), (T0 - HOUR, T0)])
segments = st.sampled_from(
    [
        (None, None),
        ("channel = 'email'", lambda event: event["channel"] == "email"),
        ("adobe_eventdepth > 1", lambda event: event["depth"] > 1),
        ("adobe_sessiontype = 'First-time'", lambda event: event["first"]),
    ]
)


@st.composite
def questions(draw):
    start, end = draw(ranges)
    return oracle.Question(
        timeout=draw(st.sampled_from([10 * MINUTE, 30 * MINUTE, 450 * DAY])),
        zone=ZONE,
        groups=draw(groups),
        start=start,
        end=end,
        start_on=draw(st.booleans()),
        end_on=draw(st.booleans()),
    )


def definitions(question: oracle.Question, **metrics) -> Definitions:
    fields = {
        "ts": "timestamp",
        "who": "string",
        "channel": "string",
        "login": "integer",
        "logout": "integer",
    }
    sessions = {"timeout": timedelta(microseconds=question.timeout)}
    sessions |= {"start_on": ["logins"]} if question.start_on else {}
    sessions |= {"end_on": ["logouts"]} if question.end_on else {}
    return Definitions.model_validate(
        {
            "datasets": {name: {"timestamp": "ts", "fields": fields} for name in ("web", "calls")},
            "connections": {"all": {"datasets": {n: {"person_id": "who"} for n in ("web", "calls")}}},
            "data_views": {
                "shop": {
                    "connection": "all",
                    "time_zone": question.zone,
                    "sessions": sessions,
                    "dimensions": {"channel": "channel", "kept": {"field": "channel", "persistence": {}}},
                    "metrics": {"logins": "login", "logouts": "logout", **metrics},
                }
            },
        }
    )


def chunk_of(found: list[list[dict]]) -> Chunk:
    rows = [event for journey in found for event in journey]
    texts = {"channel": "channel", "_person": "person", "_namespace": "namespace"}
    columns = {
        column: pa.array([row[name] for row in rows], pa.string()).dictionary_encode()
        for column, name in texts.items()
    }
    columns |= {name: pa.array([row[name] for row in rows], pa.int32()) for name in ("login", "logout")}
    columns["_dataset"] = pa.array([("web", "calls").index(row["dataset"]) for row in rows], pa.int16())
    sizes = [len(journey) for journey in found]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Chunk(offsets, np.array([row["time"] for row in rows], np.int64), columns)


def request_of(question: oracle.Question, segment=None, metrics=METRICS, **more) -> ReportRequest:
    return ReportRequest(
        view="shop",
        dimensions=tuple(
            DimensionColumn(name, exp.column(DIMENSIONS[name], quoted=True)) for name in question.groups
        ),
        metrics=tuple(
            MetricColumn(name, Aggregate.VALUE, exp.column(column, quoted=True))
            for name, column in metrics.items()
        ),
        range=TimeRange(question.start, question.end),
        segment=None if segment is None else parse_one(segment, read="duckdb"),
        **more,
    )


def run(request, known, found, cuts=1):
    """Answer from what the plan scans, and nothing else, cut into chunks."""
    planned = plan(request, known)
    since, until = planned.scan_start, planned.scan_end
    near = [e for e in found if (since is None or e["time"] >= since)]
    near = [e for e in near if until is None or e["time"] < until]
    people = journeys(near)
    chunks = [chunk_of(people[cut::cuts]) for cut in range(cuts)]
    return answer(planned, chunks, known, Cancellation()).to_pylist()


def ask(question, found, segment=None, cuts=1, metrics=METRICS):
    rows = run(request_of(question, segment, metrics), definitions(question), found, cuts)
    return {
        tuple(row[name] for name in question.groups): {name: row[name] for name in metrics} for row in rows
    }


@settings(max_examples=150, deadline=None)
@given(events, questions(), segments, st.sampled_from([1, 2]))
def test_standard_components_equal_the_oracle_from_what_is_scanned(found, question, segment, cuts):
    text, condition = segment
    theirs = oracle.report(found, oracle.Question(**{**question.__dict__, "segment": condition}))
    ours = ask(question, found, text, cuts)
    theirs = theirs or ({(): dict.fromkeys(METRICS, 0)} if not question.groups else {})
    assert set(ours) == set(theirs)
    for group, numbers in theirs.items():
        assert ours[group] == pytest.approx({name: numbers[name] for name in METRICS}, abs=1e-9), group


@settings(max_examples=40, deadline=None)
@given(events, events, questions())
def test_persons_who_do_not_count_change_nothing(found, others, question):
    strangers = chunk_of(journeys(others))
    known, request = definitions(question), request_of(question)
    mixed = with_strangers(chunk_of(journeys(found)), strangers)
    rows = answer(plan(request, known), [mixed], known, Cancellation()).to_pylist()
    plain = answer(plan(request, known), [chunk_of(journeys(found))], known, Cancellation()).to_pylist()
    assert sorted(map(str, rows)) == sorted(map(str, plain))


@settings(max_examples=40, deadline=None)
@given(events, questions())
def test_first_time_and_return_sessions_are_all_sessions(found, question):
    for row in ask(question, found).values():
        assert row["first"] + row["return"] == row["sessions"]
        assert row["repeat"] <= row["sessions"] <= row["events"]
    total = ask(oracle.Question(**{**question.__dict__, "groups": ()}), found)[()]
    if question.start is None and question.end is None:
        assert total["starts"] == total["ends"] == total["sessions"]
        assert total["repeat"] == total["return"]


@settings(max_examples=60, deadline=None)
@given(events, st.sampled_from([10 * MINUTE, 30 * MINUTE]), st.sampled_from(["channel", "kept"]))
def test_time_spent_on_a_value_is_that_of_its_stretches(found, timeout, name):
    """From the event that begins a run of one value to the one that ends it, or the session's last."""
    question = oracle.Question(timeout, ZONE, (name,))
    expected: dict[object, float] = {}
    for journey in journeys(found):
        oracle.described(journey, question)
        stretches: list[list[dict]] = []
        for event in journey:
            if stretches and event["starts"] == 0 and stretches[-1][-1][name] == event[name]:
                stretches[-1].append(event)
            else:
                if stretches and event["starts"] == 0:
                    stretches[-1].append(event)
                stretches.append([event])
        for stretch in stretches:
            seconds = (stretch[-1]["time"] - stretch[0]["time"]) / 1e6
            key = stretch[0][name]
            expected[key] = expected.get(key, 0.0) + seconds
    ours = {group[0]: row["spent"] for group, row in ask(question, found).items()}
    assert ours == pytest.approx(expected)


def at(*moment):
    return round(datetime(*moment, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1_000_000


def event(person, time, **fields):
    blank = dict.fromkeys(("channel", "login", "logout", "namespace"))
    return {"person": person, "time": time, "order": 0, "dataset": "web", **blank, **fields}


def test_ex_dv_ft_first_time_looks_back_thirteen_whole_months():
    june = oracle.Question(30 * MINUTE, ZONE, ("type",), at(2022, 6, 1), at(2022, 6, 16))
    earlier = {
        "old": at(2021, 4, 30, 23, 59),  # more than 13 months ago: ignored
        "edge": at(2021, 5, 1),
        "late": at(2022, 5, 31, 23),
        "spans": at(2022, 5, 31, 23, 45),  # its session goes on into June
    }
    found = [event(person, time) for person, time in earlier.items()]
    found += [event(person, at(2022, 6, 1, 0, 10)) for person in (*earlier, "new")]
    found += [event("new", at(2022, 6, 3))]
    planned = plan(request_of(june), definitions(june))
    assert planned.scan_start is None  # repeat sessions look at everything
    first = {name: METRICS[name] for name in ("sessions", "first", "return")}
    planned = plan(request_of(june, metrics=first), definitions(june))
    assert planned.scan_start == at(2021, 5, 1)
    assert ask(june, found, metrics=first) == {
        ("First-time",): {"sessions": 2, "first": 2, "return": 0},
        ("Returning",): {"sessions": 4, "first": 0, "return": 4},
    }


def test_the_range_in_the_middle_of_a_month_looks_back_from_its_first():
    question = oracle.Question(30 * MINUTE, ZONE, (), at(2022, 6, 10), at(2022, 6, 16))
    found = [event("ann", at(2022, 6, 3)), event("ann", at(2022, 6, 11)), event("bob", at(2022, 6, 11))]
    row = ask(question, found)[()]
    assert (row["first"], row["return"], row["repeat"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("occurrences", 0, 0),
        ("visitors", 0, 0),
        ("visits", 30 * MINUTE, 0),
        ("adobe_sessionstarts", 30 * MINUTE, 0),
        ("adobe_sessionends", 30 * MINUTE, 30 * MINUTE),
        ("adobe_timespent", 30 * MINUTE, 30 * MINUTE),
        ("adobe_repeatsessions", None, 0),
    ],
)
def test_a_question_reads_no_more_around_its_range_than_it_needs(name, before, after):
    question = oracle.Question(30 * MINUTE, ZONE, (), T0, T0 + HOUR)
    planned = plan(request_of(question, metrics={"m": name}), definitions(question))
    assert planned.scan_start == (None if before is None else T0 - before)
    assert planned.scan_end == T0 + HOUR + after


def test_rows_show_each_kind_of_session_on_its_first_event_in_the_range():
    question = oracle.Question(30 * MINUTE, ZONE, ("channel", "depth"), T0, None)
    found = [
        event("ann", T0 - 10 * MINUTE, channel="a"),
        event("ann", T0, channel="b"),
        event("ann", T0 + HOUR, channel="c"),
        event("bob", T0, channel="d"),
        event("bob", T0 + MINUTE, channel="e"),
    ]
    rows = run(request_of(question, row_level=True), definitions(question), found)
    shown = sorted(
        (
            row["channel"],
            row["depth"],
            row["sessions"],
            row["first"],
            row["return"],
            row["repeat"],
            row["spent"],
        )
        for row in rows
    )
    assert shown == [
        ("b", 2, 1, 0, 1, 0, 0.0),
        ("c", 1, 1, 0, 1, 1, 0.0),
        ("d", 1, 1, 1, 0, 0, 60.0),
        ("e", 2, 0, 0, 0, 0, 0.0),
    ]


def test_metrics_of_sessions_take_settings_of_their_own():
    question = oracle.Question(30 * MINUTE, ZONE, ("channel",))
    known = definitions(
        question,
        spent_first={"field": "adobe_timespent", "attribution": {"model": "first"}},
        ends_linear={"field": "adobe_sessionends", "attribution": {"model": "linear"}},
        long={"field": "adobe_timespent", "values": {"at_least": 120}},
        stops={"field": "adobe_timespent", "count": True, "values": {"at_least": 60}},
    )
    found = [
        event("ann", T0, channel="a"),
        event("ann", T0 + MINUTE, channel="b"),
        event("ann", T0 + 4 * MINUTE),
    ]
    metrics = {name: name for name in ("spent_first", "ends_linear", "long", "stops")}
    rows = run(request_of(question, metrics=metrics), known, found)
    assert sorted((tuple(row.values()) for row in rows), key=str) == [
        ("a", 240.0, 0.5, None, 1),
        ("b", None, 0.5, 180.0, 1),
        (None, None, None, None, None),
    ]


@settings(max_examples=80, deadline=None)
@given(
    events,
    st.sampled_from(["last", "first", "linear"]),
    st.sampled_from(["type", "depth", "dataset", "namespace", "per_session", "hour", "weekday"]),
)
def test_what_sessions_datasets_and_times_say_is_read_on_the_conversion(found, model, name):
    """Credit by session type, depth, dataset or hour adds up to the metric there, whatever the model."""
    question = oracle.Question(30 * MINUTE, ZONE, ("channel", name))
    credited = {"field": "login", "attribution": {"model": model}}
    metrics = {"logins": "logins", "credited": "credited"}
    rows = run(request_of(question, metrics=metrics), definitions(question, credited=credited), found)
    totals: dict[object, list[float]] = {}
    for row in rows:
        both = totals.setdefault(row[name], [0.0, 0.0])
        both[0] += row["logins"] or 0
        both[1] += row["credited"] or 0
    for plain, attributed in totals.values():
        assert attributed == pytest.approx(plain)


@pytest.mark.parametrize("model", ["last", "linear"])
@pytest.mark.parametrize(
    ("name", "values"), [("type", ("First-time", "Returning")), ("weekday", ("Wednesday", "Thursday"))]
)
def test_one_touch_is_credited_apart_for_each_kind_of_conversion(model, name, values):
    question = oracle.Question(30 * MINUTE, ZONE, ("channel", name))
    found = [
        event("ann", T0, channel="a", login=1),
        event("ann", T0 + DAY, login=1),
        event("ann", T0 + DAY + HOUR, login=1),
    ]
    known = definitions(question, credited={"field": "login", "attribution": {"model": model}})
    rows = run(request_of(question, metrics={"credited": "credited"}), known, found)
    first, later = values
    assert {(row["channel"], row[name]): row["credited"] for row in rows if row["credited"]} == {
        ("a", first): 1,
        ("a", later): 2,
    }
