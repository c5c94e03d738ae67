"""Attribution through whole reports: the worked cases EX-DV-A0, EX-DV-A1 and EX-OWN-FT1."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.report.local import answer
from engine.report.plan import plan
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest
from tests.oracle import report as oracle
from tests.report import test_laws as laws

PERSON, SESSION = "person", "session"


def utc(day, hour=12, month=9):
    return int(datetime(2026, month, day, hour, tzinfo=UTC).timestamp()) * 1_000_000


def event(time, *, channel=None, campaign=None, revenue=None, order=0):
    values = {"channel": channel, "campaign": campaign, "revenue": revenue, "orders": None}
    return {"person": "ann", "time": time, "order": order, **values}


def credited(events, groups, model, container, **window):
    """Return group → revenue of the groups that get some."""
    question = oracle.Question(
        timeout=1_800_000_000,
        zone=laws.ZONE,
        groups=groups,
        metrics={"revenue": ("revenue", oracle.Attribution(model, container, None))},
        persistence=window.pop("persistence", {}),
        **window,
    )
    found = laws.ask(question, events)
    return {group: row["revenue"] for group, row in found.items() if row["revenue"] is not None}


PURCHASE = [
    event(utc(15), channel="paid search"),
    event(utc(18), channel="social"),
    event(utc(24), channel="email", order=1),
    event(utc(24), channel="display", order=2),
    event(utc(24), revenue=50.0, order=3),
]


def by_channel(paid_search, social, email, display):
    names = ("paid search", "social", "email", "display")
    shares = (paid_search, social, email, display)
    return {(name,): share for name, share in zip(names, shares, strict=True) if share}


@pytest.mark.parametrize(
    ("model", "container", "expected"),
    [
        ("first", SESSION, by_channel(0, 0, 50, 0)),
        ("first", PERSON, by_channel(50, 0, 0, 0)),
        ("last", SESSION, by_channel(0, 0, 0, 50)),
        ("last", PERSON, by_channel(0, 0, 0, 50)),
        ("linear", SESSION, by_channel(0, 0, 25, 25)),
        ("linear", PERSON, by_channel(12.5, 12.5, 12.5, 12.5)),
        ("j_curve", PERSON, by_channel(10, 5, 5, 30)),
        ("inverse_j", PERSON, by_channel(30, 5, 5, 10)),
        ("u_shaped", PERSON, by_channel(20, 5, 5, 20)),
        ("time_decay", PERSON, by_channel(6.92, 9.32, 16.88, 16.88)),
        ("participation", PERSON, by_channel(50, 50, 50, 50)),
    ],
)
def test_ex_dv_a1(model, container, expected):
    assert credited(PURCHASE, ("channel",), model, container) == pytest.approx(expected, abs=0.005)
    day = datetime(2026, 9, 24).date()
    by_day = {(*group, day): share for group, share in expected.items()}
    assert credited(PURCHASE, ("channel", "day"), model, container) == pytest.approx(by_day, abs=0.005)


@pytest.mark.parametrize("model", ["participation", "linear", "time_decay"])
def test_ex_dv_a1_the_total_is_the_metric(model):
    assert credited(PURCHASE, (), model, PERSON) == {(): 50}
    assert credited(PURCHASE, ("day",), model, PERSON) == {(datetime(2026, 9, 24).date(),): 50}


@pytest.mark.parametrize("model", ["first", "linear", "participation", "u_shaped", "time_decay"])
def test_ex_dv_a0_the_reporting_window_begins_with_the_month(model):
    midnight = utc(31, 22, month=8)  # in Berlin
    conversion = event(utc(20), revenue=8.0, order=9)
    window = {"start": utc(14, 22), "end": utc(30, 22)}
    counts = [event(midnight, channel="email"), conversion]
    assert credited(counts, ("channel",), model, PERSON, **window) == pytest.approx({("email",): 8})
    too_old = [event(midnight - 1, channel="email"), conversion]
    assert credited(too_old, ("channel",), model, PERSON, **window) == {(None,): 8}


def test_ex_own_ft1_several_dimensions_touch_with_their_persisted_tuple():
    events = [
        event(utc(1, 8), campaign="A", channel="p1"),
        event(utc(1, 9), channel="p2"),
        event(utc(1, 10), campaign="B", channel="p3"),
        event(utc(1, 11), channel="p4", revenue=1.0),
    ]
    recent = {"persistence": {"campaign": oracle.Persistence("most_recent", "person")}}
    assert credited(events, ("campaign",), "first", PERSON, **recent) == {("A",): 1}
    pairs = ("campaign", "channel")
    assert credited(events, pairs, "first", PERSON, **recent) == {("A", "p1"): 1}
    quarters = {("A", "p1"): 0.25, ("A", "p2"): 0.25, ("B", "p3"): 0.25, ("B", "p4"): 0.25}
    assert credited(events, pairs, "linear", PERSON, **recent) == pytest.approx(quarters)
    ones = dict.fromkeys(quarters, 1)
    assert credited(events, pairs, "participation", PERSON, **recent) == ones


@settings(max_examples=40, deadline=None)
@given(laws.events, laws.questions(), laws.segments)
def test_filter_a_filter_on_the_grouped_column_is_that_row(found, question, segment):
    """A column's own condition on the grouped dimension keeps the row of the answer without it."""
    question = oracle.Question(**{**question.__dict__, "groups": ("channel", "day")})
    condition = exp.EQ(this=exp.column("channel", quoted=True), expression=exp.convert("email"))
    request = laws.request_of(question, segment[0])
    narrowed = tuple(
        MetricColumn(m.name, Aggregate.VALUE, m.expression, condition) for m in request.metrics[:3]
    )
    both = ReportRequest("shop", request.dimensions, narrowed, request.range, request.segment)
    known = laws.definitions(question)
    chunks = [laws.chunk_of(oracle.journeys(found))]
    rows = answer(plan(both, known), chunks, known, Cancellation()).to_pylist()
    expected = laws.ask(question, found, segment[0])
    for row in rows:
        whole = expected[row["channel"], row["day"].date()]
        for name in question.metrics:
            kept = whole[name] if row["channel"] == "email" else None
            assert row[name] == (None if kept is None else pytest.approx(kept)), name


WHOLE = {
    "datasets": {
        "web": {
            "timestamp": "ts",
            "fields": {
                "ts": "timestamp",
                "who": "string",
                "channel": "string",
                "orders": "integer",
                "price": "decimal(10,2)",
            },
        }
    },
    "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
    "data_views": {
        "shop": {
            "connection": "all",
            "dimensions": {"channel": "channel"},
            "metrics": {
                f"{field}_{model}": {"field": field, "attribution": {"model": model}}
                for field in ("orders", "price")
                for model in ("last", "participation", "linear")
            },
        }
    },
}


def test_models_that_do_not_divide_keep_integers_and_decimals():
    known = Definitions.model_validate(WHOLE)
    names = list(known.data_views["shop"].metrics)
    asked = ReportRequest(
        "shop",
        (DimensionColumn("channel", exp.column("channel", quoted=True)),),
        tuple(MetricColumn(name, Aggregate.VALUE, exp.column(name, quoted=True)) for name in names),
    )
    types = {
        field.name: str(field.type) for field in answer(plan(asked, known), [], known, Cancellation()).schema
    }
    assert types["orders_last"] == types["orders_participation"] == "int64"
    assert types["price_last"] == types["price_participation"] == "decimal128(38, 2)"
    assert types["orders_linear"] == types["price_linear"] == "double"
