"""Segments: containers, exclusion and nesting against the slow twin, in the view and in the request."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from engine.cancellation import Cancellation
from engine.definitions.model import SegmentDefinition
from engine.report.local import answer
from engine.report.plan import plan
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest
from tests.oracle import report as oracle
from tests.report import test_laws as laws
from tests.report.conftest import DEFINITIONS

CONDITIONS = {
    "channel = 'email'": lambda e: e["shown:channel"] == "email",
    "campaign IS NULL": lambda e: e["shown:campaign"] is None,
    "m_orders > 1 OR channel IN ('paid', 'social')": lambda e: (
        (e["orders"] or 0) > 1 or e["shown:channel"] in ("paid", "social")
    ),
    "daterangeday = '2024-03-31'": lambda e: str(laws.oracle.local_day(e["time"], laws.ZONE)) == "2024-03-31",
    "adobe_sessionstarts = 1": lambda e: e["session_start"] == 1,
    "adobe_personid = 'ann'": lambda e: e["person"] == "ann",
}

_kinds = {"container": st.sampled_from(["event", "session", "person"]), "exclude": st.booleans()}
_leaves = st.fixed_dictionaries({**_kinds, "where": st.sampled_from(list(CONDITIONS))})
segments = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.fixed_dictionaries({**_kinds, key: st.lists(inner, min_size=1, max_size=3)})
        for key in ("all", "any")
    ),
    max_leaves=4,
)


def twin(segment):
    """Return a segment as the slow twin takes it: conditions are functions."""
    given_ = {key: segment[key] for key in ("container", "exclude")}
    if "where" in segment:
        return given_ | {"where": CONDITIONS[segment["where"]]}
    return given_ | {key: [twin(part) for part in segment[key]] for key in ("all", "any") if key in segment}


def with_segments(known, found):
    """Return definitions whose view has segments."""
    view = known.data_views["shop"].model_copy(update={"segments": defined(found)})
    return known.model_copy(update={"data_views": {"shop": view}})


def defined(found):
    return tuple(SegmentDefinition.model_validate(segment) for segment in found)


def ask(question, found, *, of_view=(), asked=(), cuts=1, only_scanned=False):
    known = with_segments(laws.definitions(question), of_view)
    request = replace(laws.request_of(question, None), segments=defined(asked))
    planned = plan(request, known)
    if only_scanned:
        start, end = planned.scan_start, planned.scan_end
        found = [
            e for e in found if (start is None or e["time"] >= start) and (end is None or e["time"] < end)
        ]
    journeys = oracle.journeys(found)
    chunks = [laws.chunk_of(journeys[cut::cuts]) for cut in range(cuts)]
    return laws.by_group(answer(planned, chunks, known, Cancellation()), question)


@settings(max_examples=80, deadline=None)
@given(
    laws.events,
    laws.questions(),
    st.lists(segments, max_size=2),
    st.lists(segments, max_size=2),
    st.sampled_from([1, 3]),
)
def test_segments_of_the_view_and_the_request_equal_the_oracle(found, question, of_view, asked, cuts):
    expected = replace(question, segments=tuple(map(twin, [*of_view, *asked])))
    ours = ask(question, found, of_view=of_view, asked=asked, cuts=cuts)
    laws.same(ours, oracle.report(found, expected), question)


@settings(max_examples=25, deadline=None)
@given(laws.events, laws.questions(), segments)
def test_what_is_not_scanned_does_not_matter_to_segments(found, question, segment):
    everything = ask(question, found, asked=[segment])
    scanned = ask(question, found, asked=[segment], only_scanned=True)
    for group, row in everything.items():
        assert scanned[group] == {name: pytest.approx(value, abs=1e-9) for name, value in row.items()}
    assert scanned.keys() == everything.keys()


@settings(max_examples=25, deadline=None)
@given(laws.events, laws.questions(), segments)
def test_a_segment_and_its_exclusion_are_disjoint_and_make_up_everything(found, question, segment):
    total = replace(question, groups=())
    kept, rest = (ask(total, found, asked=[segment | {"exclude": flag}]) for flag in (False, True))
    events = ask(total, found)[()]["events"]
    assert kept[()]["events"] + rest[()]["events"] == events
    assert (
        ask(total, found, asked=[segment, segment | {"exclude": not segment["exclude"]}])[()]["events"] == 0
    )


@settings(max_examples=25, deadline=None)
@given(laws.events, laws.questions(), st.lists(segments, min_size=1, max_size=3))
def test_all_within_events_is_the_intersection_and_any_follows_de_morgan(found, question, parts):
    nested = [{"all": parts}]
    assert ask(question, found, asked=nested) == ask(question, found, asked=parts)
    without = [part | {"exclude": not part["exclude"]} for part in parts]
    either = ask(question, found, asked=[{"any": parts}])
    assert either == ask(question, found, asked=[{"exclude": True, "all": without}])


@settings(max_examples=25, deadline=None)
@given(laws.events, laws.questions(), segments)
def test_whether_a_rule_stands_in_the_view_or_in_the_request_makes_no_difference(found, question, segment):
    assert ask(question, found, of_view=[segment]) == ask(question, found, asked=[segment])


@pytest.mark.parametrize("where", ["channel = 'email'", "channel = 'social'"], ids=["before", "after"])
@pytest.mark.parametrize(("container", "events"), [("event", 0), ("session", 1), ("person", 1)])
def test_sessions_and_persons_are_looked_at_beyond_the_range(container, events, where):
    minute = laws.HOUR // 60
    found = [
        {"person": "ann", "time": laws.T0 + at * minute, "channel": channel, "order": at}
        | dict.fromkeys(("campaign", "revenue", "orders"))
        for at, channel in ((-50, "email"), (-25, None), (5, "paid"), (30, None), (55, "social"))
    ]
    question = oracle.Question(30 * minute, laws.ZONE, (), {}, start=laws.T0, end=laws.T0 + 10 * minute)
    for exclude in (False, True):
        segment = {"container": container, "exclude": exclude, "where": where}
        rows = ask(question, found, asked=[segment], only_scanned=True)
        assert rows[()]["events"] == (1 - events if exclude else events)


# The small connection of conftest: ann has a session on minutes 0 to 6 and one on minute 90; bob has one.
PAY = "page = 'pay'"
CASES = {
    "events": ({"where": PAY}, 2),
    "sessions": ({"container": "session", "where": PAY}, 5),
    "persons": ({"container": "person", "where": "channel = 'email'"}, 4),
    "events without": ({"exclude": True, "where": PAY}, 4),
    "sessions without": ({"container": "session", "exclude": True, "where": PAY}, 1),
    "persons without": ({"container": "person", "exclude": True, "where": "channel = 'email'"}, 2),
    "the same event": ({"container": "person", "where": "channel = 'email' AND page = 'pay'"}, 0),
    "different events": ({"container": "person", "all": ["channel = 'email'", PAY]}, 4),
    "different events of a session": ({"container": "session", "all": ["channel = 'email'", PAY]}, 3),
    "sessions of persons": (
        {
            "all": [
                {"container": "person", "where": "channel = 'email'"},
                {"container": "session", "where": PAY},
            ]
        },
        3,
    ),
    "persons with a session without": (
        {"container": "person", "all": [{"container": "session", "exclude": True, "where": PAY}]},
        4,
    ),
    "an element": ({"where": "product = 'a'"}, 1),
    "sessions with an element": ({"container": "session", "where": "product = 'c'"}, 2),
    "a sum over elements": ({"where": "item_revenue > 80"}, 1),
}


def metric(text, aggregate=Aggregate.VALUE, condition=None):
    return MetricColumn("m", aggregate, parse_one(text), condition and parse_one(condition))


@pytest.mark.parametrize("case", CASES)
def test_containers_take_what_their_words_say(ask_shop, case):
    segment, events = CASES[case]
    assert ask_shop(segment, metrics=(metric("occurrences"),)).column("m").to_pylist() == [events]


@pytest.fixture
def ask_shop(chunk):
    def run(segment, **asked):
        known = with_segments(DEFINITIONS, [segment])
        request = ReportRequest("shop", **asked)
        return answer(plan(request, known), [chunk], known, Cancellation())

    return run


def column(name):
    return DimensionColumn(name, exp.column(name, quoted=True))


# Each kind of lane over a view whose rule leaves bob only: rows of ann may show up in none of them.
ONLY_BOB = {"container": "person", "exclude": True, "where": "channel = 'email'"}
LANES = {
    "a total": ((), metric("visitors"), [1]),
    "events by a dimension": ((column("page"),), metric("occurrences"), [1, 1]),
    "values of a dimension": ((column("page"),), None, ["home", "pay"]),
    "one touch": ((column("channel"),), metric("orders_last"), [None, 2]),
    "elements": ((column("product"),), metric("item_revenue"), [None, 5.0, 80.0]),
    "events by element": ((column("product"),), metric("orders"), [None, 2, 2]),
    "distinct values": ((), metric("page", Aggregate.DISTINCT), [2]),
    "distinct values of elements": ((), metric("product", Aggregate.DISTINCT), [2]),
    "the earliest time": ((), metric("orders", Aggregate.MINIMUM), [2]),
    "a count": ((), metric("orders", Aggregate.COUNT), [1]),
    "a condition": ((), metric("orders", condition="page = 'pay'"), [2]),
}


@pytest.mark.parametrize("lane", LANES)
def test_no_kind_of_lane_bypasses_the_rules_of_a_view(ask_shop, lane):
    dimensions, measured, expected = LANES[lane]
    table = ask_shop(ONLY_BOB, dimensions=dimensions, metrics=() if measured is None else (measured,))
    shown = table.column(table.num_columns - 1).to_pylist()
    assert sorted(shown, key=str) == sorted(expected, key=str)


def test_single_rows_keep_to_the_rules_of_a_view(ask_shop):
    asked = {"dimensions": (column("adobe_personid"), column("page")), "metrics": (metric("visitors"),)}
    rows = ask_shop(ONLY_BOB, row_level=True, **asked).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("bob", "home", 1), ("bob", "pay", 0)]


def test_an_answer_of_no_events_has_the_types_of_others(ask_shop):
    table = ask_shop({"where": "FALSE"}, dimensions=(column("page"),), metrics=(metric("occurrences"),))
    assert table.num_rows == 0
    assert table.schema.field("m").type == pa.int64()
