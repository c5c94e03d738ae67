"""Credit of elements: fields of objects in an array as touches, against the twin over elements as events.

To the twin each element is an event by itself, at its event's time; what happens on the whole event is on the
last of its elements that was touched.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.errors import UnsupportedError
from engine.journeys.scan import Chunk
from engine.report.local import answer
from engine.report.plan import plan
from engine.report.request import (
    Aggregate,
    DimensionColumn,
    LookupJoin,
    MetricColumn,
    ReportRequest,
    TimeRange,
)
from tests.oracle import report as oracle
from tests.report import test_laws as laws

ITEM = pa.struct([("sku", pa.string()), ("price", pa.float64())])
COLUMN = {"channel": "sku", "campaign": "campaign", "day": "daterangeday"}
"""Name of a group in the twin → the component: its channel is our sku."""

events = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.sampled_from(["ann", "bob", "cid"]),
            "time": st.integers(-40, 40).map(lambda n: laws.T0 + n * laws.HOUR),
            "campaign": st.sampled_from([None, None, "x", "y"]),
            "revenue": st.sampled_from([None, 10.0, 30.5, 0.0]),
            "orders": st.sampled_from([None, None, 1, 2]),
            "items": st.none()
            | st.lists(
                st.fixed_dictionaries(
                    {
                        "sku": st.sampled_from([None, "a", "b", "c"]),
                        "price": st.sampled_from([None, 1.0, 2.5]),
                    }
                ),
                max_size=3,
            ),
        }
    ),
    max_size=16,
).map(lambda found: [dict(event, order=place) for place, event in enumerate(found)])


@st.composite
def questions(draw):
    start, end = draw(laws.ranges)
    return oracle.Question(
        timeout=1_800_000_000,
        zone=laws.ZONE,
        groups=draw(st.sampled_from([("channel",), ("channel", "day"), ("channel", "campaign")])),
        metrics={
            "revenue": ("revenue", draw(laws.attributions)),
            "orders": ("orders", draw(laws.attributions)),
            "price": ("price", draw(st.none() | laws.attributions)),
        },
        persistence={
            name: rule for name in oracle.DIMENSIONS if (rule := draw(laws.persistences)) is not None
        },
        start=start,
        end=end,
    )


def definitions(question):
    known = laws.definitions(question).model_dump(exclude_none=True)
    fields = known["datasets"]["web"]["fields"]
    fields["items"] = {"type": "array", "fields": {"sku": "string", "price": "double"}}
    view = known["data_views"]["shop"]
    view["dimensions"]["sku"] = view["dimensions"].pop("channel") | {"field": "items.sku"}
    for name in view["metrics"].keys() & {"m_price"}:
        view["metrics"][name]["field"] = "items.price"
    return Definitions.model_validate(known)


def chunk_of(journeys):
    rows = [event | {"channel": None} for journey in journeys for event in journey]
    chunk = laws.chunk_of([[event | {"channel": None} for event in journey] for journey in journeys])
    items = pa.array([row["items"] for row in rows], pa.list_(ITEM))
    return Chunk(chunk.offsets, chunk.times, chunk.columns | {"items": items})


def as_events(found):
    """Return the elements of events as events of the twin."""
    for event in found:
        elements = event["items"] or [{"sku": None, "price": None}]
        touched = [place for place, element in enumerate(elements) if element["sku"] is not None]
        bearer = touched[-1] if touched else len(elements) - 1
        for place, element in enumerate(elements):
            own = {"channel": element["sku"], "price": element["price"], "order": (event["order"], place)}
            whole = {} if place == bearer else {"revenue": None, "orders": None}
            yield event | own | whole


def credit(rows, question):
    return {
        (group, name): row[name]
        for group, row in rows.items()
        for name in question.metrics
        if abs(row.get(name) or 0.0) > 1e-9
    }


def request_of(question, segment=None):
    return ReportRequest(
        view="shop",
        dimensions=tuple(DimensionColumn(n, exp.column(COLUMN[n], quoted=True)) for n in question.groups),
        metrics=tuple(
            MetricColumn(name, Aggregate.VALUE, exp.column(f"m_{name}", quoted=True))
            for name in question.metrics
        ),
        range=TimeRange(question.start, question.end),
        segment=None if segment is None else parse_one(segment, read="duckdb"),
    )


def ask(question, found, segment=None, cuts=1):
    known = definitions(question)
    journeys = oracle.journeys(found)
    chunks = [chunk_of(journeys[cut::cuts]) for cut in range(cuts)]
    planned = plan(request_of(question, segment), known)
    table = answer(planned, chunks, known, Cancellation())
    return {
        tuple(row[n].date() if n == "day" and row[n] is not None else row[n] for n in question.groups): row
        for row in table.to_pylist()
    }


@settings(max_examples=150, deadline=None)
@given(events, questions(), st.booleans(), st.sampled_from([1, 2]))
def test_elements_get_the_credit_that_events_in_their_place_would(found, question, narrowed, cuts):
    text = "campaign IS NULL OR campaign = 'x'" if narrowed else None
    condition = (lambda e: e["shown:campaign"] in (None, "x")) if narrowed else None
    wanted = oracle.report(list(as_events(found)), replace(question, segment=condition))
    assert credit(ask(question, found, text, cuts), question) == pytest.approx(
        credit(wanted, question), abs=1e-9
    )


def single(model, **settings_):
    return oracle.Attribution(model, "person", None, **settings_)


def question(metrics, groups=("channel",)):
    return oracle.Question(1_800_000_000, laws.ZONE, groups, metrics)


def event(hour, items, revenue=None, person="ann"):
    elements = None if items is None else [{"sku": sku, "price": price} for sku, price in items]
    own = {"person": person, "time": laws.T0 + hour * laws.HOUR, "order": hour}
    return own | {"campaign": None, "orders": None, "revenue": revenue, "items": elements}


JOURNEY = [
    event(0, [("a", None), ("b", None)]),
    event(1, [(None, 7.0)]),
    event(2, [("c", 5.0), ("a", 1.0), (None, 2.0)], revenue=12.0),
]


@pytest.mark.parametrize(
    ("model", "revenue", "price"),
    [
        ("last", {"a": 12.0}, {"b": 7.0, "c": 5.0, "a": 3.0}),
        ("first", {"a": 12.0}, {"a": 15.0}),
        ("same", {"a": 12.0}, {"c": 5.0, "a": 1.0, None: 9.0}),
        ("participation", {"a": 12.0, "b": 12.0, "c": 12.0}, {"a": 15.0, "b": 15.0, "c": 8.0}),
        ("linear", {"a": 6.0, "b": 3.0, "c": 3.0}, None),
    ],
)
def test_an_event_comes_after_its_elements_and_an_element_at_its_own_place(model, revenue, price):
    asked = question({"revenue": ("revenue", single(model)), "price": ("price", single(model))})
    rows = ask(asked, JOURNEY)
    assert {group[0]: row["revenue"] for group, row in rows.items() if row["revenue"]} == revenue
    if price is not None:
        assert {group[0]: row["price"] for group, row in rows.items() if row["price"]} == price


@pytest.mark.parametrize("model", ["algorithmic", "markov"])
@settings(max_examples=25, deadline=None)
@given(events)
def test_models_that_learn_keep_totals_over_elements(model, found):
    asked = question({"revenue": ("revenue", single(model)), "price": ("price", single(model))})
    rows = ask(asked, found)
    paid = [element["price"] or 0.0 for each in found for element in each["items"] or ()]
    assert sum(row["price"] or 0.0 for row in rows.values()) == pytest.approx(sum(paid))
    whole = sum(each["revenue"] or 0.0 for each in found)
    assert sum(row["revenue"] or 0.0 for row in rows.values()) == pytest.approx(whole)


def test_a_lookup_of_elements_gets_their_credit():
    asked = question({"revenue": ("revenue", single("linear"))})
    known = definitions(asked)
    values = "SELECT * FROM (VALUES ('a', 'fruit'), ('b', 'fruit'), ('c', 'nut')) AS v(sku, kind)"
    lookup = LookupJoin(
        "p", parse_one(values, read="duckdb"), parse_one('"sku" = "p"."sku"', read="duckdb"), outer=True
    )
    request = replace(
        request_of(asked),
        dimensions=(DimensionColumn("kind", exp.column("kind", table="p", quoted=True)),),
        lookups=(lookup,),
    )
    table = answer(plan(request, known), [chunk_of(oracle.journeys(JOURNEY))], known, Cancellation())
    assert dict(zip(*table.select(["kind", "revenue"]).to_pydict().values(), strict=True)) == {
        "fruit": 9.0,
        "nut": 3.0,
        None: None,
    }


def test_two_arrays_are_refused_with_a_remedy():
    known = definitions(question({"revenue": ("revenue", single("last"))})).model_dump(exclude_none=True)
    known["datasets"]["web"]["fields"]["tags"] = {"type": "array", "fields": {"name": "string"}}
    known["data_views"]["shop"]["dimensions"]["tag"] = {"field": "tags.name"}
    request = ReportRequest(
        "shop",
        (DimensionColumn("sku", exp.column("sku")), DimensionColumn("tag", exp.column("tag"))),
        (MetricColumn("revenue", Aggregate.VALUE, exp.column("m_revenue")),),
    )
    with pytest.raises(UnsupportedError, match="different arrays") as caught:
        plan(request, Definitions.model_validate(known))
    assert "one array of objects at a time" in (caught.value.hint or "")
