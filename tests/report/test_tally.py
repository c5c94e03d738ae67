"""Sums by a text without SQL: asked for only where they fit, and the same answer as the general way."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.report.local import answer
from engine.report.plan import Kind, plan
from engine.report.request import Aggregate, DimensionColumn, LookupJoin, MetricColumn, ReportRequest
from engine.report.tally import tallied_dimension
from tests.oracle import report as oracle
from tests.report import test_laws as laws

LAST = {"model": "last", "container": "person", "lookback": "30d"}
LINEAR = {**LAST, "model": "linear"}
FIELDS = {
    "ts": "timestamp",
    "who": "string",
    "channel": "string",
    "level": "integer",
    "clock": "timestamp",
    "revenue": "double",
    "orders": "integer",
    "views": "long",
    "price": "decimal(10,2)",
    "items": {"type": "array", "fields": {"sku": "string", "revenue": "double"}},
}
DEFINITIONS = Definitions.model_validate(
    {
        "datasets": {"web": {"timestamp": "ts", "fields": FIELDS}},
        "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
        "data_views": {
            "shop": {
                "connection": "all",
                "dimensions": {
                    "channel": {"field": "channel", "lower_case": True},
                    "level": "level",
                    "clock": "clock",
                    "product": "items.sku",
                },
                "metrics": {
                    "plain": "revenue",
                    "revenue": {"field": "revenue", "attribution": LAST},
                    "orders": {"field": "orders", "attribution": LAST},
                    "orders_linear": {"field": "orders", "attribution": LINEAR},
                    "starts": {"field": "adobe_sessionstarts", "attribution": LAST},
                    "visits_counted": {"field": "channel", "count": True, "attribution": LAST},
                    "views": {"field": "views", "attribution": LAST},
                    "price": {"field": "price", "attribution": LAST},
                    "events": {"field": "occurrences", "attribution": LAST},
                    "item_revenue": {"field": "items.revenue", "attribution": LAST},
                },
            }
        },
    }
)
CHANNEL = DimensionColumn("channel", exp.column("channel", quoted=True))
LOOKUP = LookupJoin(
    "k",
    parse_one("SELECT 'email' AS channel", read="duckdb"),
    parse_one("channel = k.channel", read="duckdb"),
    True,
)


def dimension(text):
    return DimensionColumn("d", parse_one(text, read="duckdb"))


def metric(text, aggregate=Aggregate.VALUE, condition=None):
    condition = condition and parse_one(condition, read="duckdb")
    return MetricColumn("m", aggregate, parse_one(text, read="duckdb"), condition)


def tallied(request):
    """Return for each kind of lane whether it is added up without SQL."""
    planned = plan(request, DEFINITIONS)
    return {lane.kind: tallied_dimension(planned, lane) is not None for lane in planned.lanes}


@pytest.mark.parametrize("name", ["revenue", "orders", "starts", "visits_counted"])
@pytest.mark.parametrize(
    "dimensions", [(CHANNEL,), (CHANNEL, dimension("daterangeday")), (dimension("daterange"), CHANNEL)]
)
def test_plain_sums_by_a_text_are_added_up_without_sql(name, dimensions):
    request = ReportRequest("shop", dimensions, (metric(name),))
    assert tallied(request) == {Kind.EVENTS: True, Kind.TOUCHES: True}
    assert tallied(ReportRequest("shop", (CHANNEL,), (metric("orders_linear"),)))[Kind.SHARES]


def test_without_metrics_the_values_that_occur_need_no_sql():
    assert tallied(ReportRequest("shop", (CHANNEL,))) == {Kind.EVENTS: True}


@pytest.mark.parametrize(
    "dimensions",
    [
        (CHANNEL, dimension("level")),
        (CHANNEL, dimension("timestamp")),
        (CHANNEL, dimension("adobe_personid")),
        (dimension("daterangeday"), dimension("daterangehour")),
        (CHANNEL, dimension("daterangeday"), DimensionColumn("h", exp.column("daterangehour"))),
        (dimension("UPPER(channel)"),),
        (dimension("level"),),
        (dimension("clock"),),
        (dimension("daterangeday"),),
        (dimension("adobe_personid"),),
        (dimension("k.channel"),),
        (),
    ],
)
def test_other_dimensions_go_the_general_way(dimensions):
    lookups = (LOOKUP,) if any("k" in str(d.expression) for d in dimensions) else ()
    request = ReportRequest("shop", dimensions, (metric("revenue"),), lookups=lookups)
    assert not any(tallied(request).values())


@pytest.mark.parametrize(
    "measured",
    [
        metric("views"),
        metric("price"),
        metric("events"),
        metric("item_revenue"),
        metric("revenue", condition="channel = 'email'"),
        metric("revenue", condition="level = 1"),
    ],
)
def test_other_attributed_metrics_go_the_general_way(measured):
    request = ReportRequest("shop", (CHANNEL,), (measured,))
    assert tallied(request) == {Kind.EVENTS: True, Kind.TOUCHES: False}
    assert not tallied(ReportRequest("shop", (CHANNEL,), (metric("orders"), measured)))[Kind.TOUCHES]


@pytest.mark.parametrize(
    "measured",
    [
        metric("plain"),
        metric("plain * 2"),
        metric("visitors"),
        metric("occurrences"),
        metric("revenue", Aggregate.MINIMUM),
        metric("revenue", Aggregate.COUNT),
        metric("level", Aggregate.DISTINCT),
    ],
)
def test_metrics_on_their_own_event_go_the_general_way(measured):
    found = tallied(ReportRequest("shop", (CHANNEL,), (measured,)))
    assert found.pop(Kind.DISTINCT, False) is False
    assert found[Kind.EVENTS] is (measured.aggregate is Aggregate.DISTINCT)


def test_elements_lookups_and_single_rows_go_the_general_way():
    assert not any(tallied(ReportRequest("shop", (dimension("product"),))).values())
    assert not any(
        tallied(ReportRequest("shop", (CHANNEL,), (metric("revenue"),), lookups=(LOOKUP,))).values()
    )
    assert not any(tallied(ReportRequest("shop", (CHANNEL,), (metric("revenue"),), row_level=True)).values())


@settings(max_examples=80, deadline=None)
@given(
    laws.events,
    laws.questions(),
    st.lists(laws.attributions, min_size=3, max_size=3),
    laws.segments,
    st.sampled_from([("channel",), ("channel", "day"), ("hour", "channel"), ("channel", "week")]),
    st.sampled_from([1, 3]),
    st.booleans(),
)
def test_both_ways_give_the_same_answer(found, question, attributions, segment, groups, cuts, mixed):
    metrics = {
        name: (source, attribution)
        for (name, (source, _)), attribution in zip(question.metrics.items(), attributions, strict=True)
    }
    question = oracle.Question(**{**question.__dict__, "groups": groups, "metrics": metrics})
    request = laws.request_of(question, segment[0])
    if not mixed:
        request = ReportRequest(
            request.view, request.dimensions, request.metrics[:3], request.range, request.segment
        )
    known, journeys = laws.definitions(question), oracle.journeys(found)
    chunks = [laws.chunk_of(journeys[cut::cuts]) for cut in range(cuts)]
    planned = plan(request, known)
    tallied_answer = answer(planned, chunks, known, Cancellation())
    assert mixed or all(tallied_dimension(planned, lane) for lane in planned.lanes)
    with patch("engine.report.pipeline.tallied_dimension", return_value=None):
        general = answer(planned, chunks, known, Cancellation())
    assert tallied_answer.schema == general.schema
    assert rows(tallied_answer, groups).keys() == rows(general, groups).keys()
    for group, values in rows(general, groups).items():
        assert rows(tallied_answer, groups)[group] == pytest.approx(values, abs=1e-9), group


def rows(table, groups):
    return {tuple(row.pop(name) for name in groups): row for row in table.to_pylist()}
