"""Every allocation, expiration and binding in whole reports, against their slow twin."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.journeys.scan import Chunk
from engine.report import rows as opening
from engine.report.frame import Frame
from engine.report.lanes import lane_rows
from engine.report.local import answer
from engine.report.plan import Kind, plan
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest, TimeRange
from engine.report.sql import Statements
from tests.oracle import kept as oracle
from tests.oracle.persistence import Rule
from tests.oracle.report import journeys

ITEM = pa.struct([("sku", pa.string()), ("colour", pa.string()), ("price", pa.float64())])
VALUES = st.sampled_from([None, None, "x", "y", "z"])
METRICS = {
    "events": "occurrences",
    "people": "visitors",
    "sessions": "visits",
    "orders": "buy",
    "price": "price",
}

events = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.sampled_from(["ann", "bob", "cid"]),
            "time": st.integers(-12, 12),
            "tag": VALUES,
            "shelf": st.sampled_from([None, "s", "t"]),
            "buy": st.sampled_from([None, None, 0, 1, 2]),
            "cart": st.sampled_from([None, 1]),
            "items": st.none()
            | st.lists(
                st.fixed_dictionaries(
                    {
                        "sku": st.sampled_from([None, "a", "b"]),
                        "colour": VALUES,
                        "price": st.sampled_from([None, 1.0, 5.5]),
                    }
                ),
                max_size=3,
            ),
        }
    ),
    max_size=14,
).map(lambda found: [dict(event, order=place) for place, event in enumerate(found)])

BINDINGS = [
    ("tag", None, False),
    ("colour", None, False),
    ("tag", "shelf", False),
    ("tag", "shelf", True),
    ("tag", "sku", True),
    ("colour", "sku", False),
    ("colour", "sku", True),
    ("colour", "shelf", False),
]
ALLOCATIONS = {
    "session": ["most_recent", "original", "all", "first_known", "last_known"],
    "person": ["most_recent", "original", "all", "first_known", "last_known"],
    "custom": ["most_recent", "original"],
    "metric": ["most_recent", "original"],
}
CASES = [
    (Rule(allocation, expiration, 4 if expiration == "custom" else 0), *binding)
    for expiration, allocations in ALLOCATIONS.items()
    for allocation in allocations
    for binding in BINDINGS
    if not (allocation == "all" and binding[1])
]
RANGES = st.sampled_from([(None, None), (-4, 6), (0, None), (None, 1)])


@cache
def definitions(rule: Rule, field: str, item: str | None, at_cart: bool) -> Definitions:
    expiration: object = rule.expiration
    if rule.expiration == "custom":
        expiration = timedelta(microseconds=rule.ttl)
    elif rule.expiration == "metric":
        expiration = {"metric": "buy"}
    persistence = {"allocation": rule.allocation, "expiration": expiration}
    if item is not None:
        persistence["binding"] = {"dimension": item, "metric": "cart" if at_cart else None}
    return Definitions.model_validate(
        {
            "datasets": {
                "web": {
                    "timestamp": "ts",
                    "fields": {
                        "ts": "timestamp",
                        "who": "string",
                        "tag": "string",
                        "shelf": "string",
                        "buy": "integer",
                        "cart": "integer",
                        "items": {
                            "type": "array",
                            "fields": {"sku": "string", "colour": "string", "price": "double"},
                        },
                    },
                }
            },
            "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
            "data_views": {
                "shop": {
                    "connection": "all",
                    "sessions": {"timeout": timedelta(microseconds=3)},
                    "dimensions": {
                        "shelf": "shelf",
                        "sku": "items.sku",
                        "shelves": {
                            "field": "shelf",
                            "persistence": {"allocation": "all", "expiration": "person"},
                        },
                        "kept": {
                            "field": "tag" if field == "tag" else "items.colour",
                            "persistence": persistence,
                        },
                    },
                    "metrics": {"buy": "buy", "cart": "cart", "price": "items.price"},
                }
            },
        }
    )


def chunk_of(found) -> Chunk:
    rows = [event for journey in found for event in journey]
    columns = {
        name: pa.array([row[source] for row in rows], pa.string()).dictionary_encode()
        for name, source in (("tag", "tag"), ("shelf", "shelf"), ("_person", "person"))
    }
    columns |= {name: pa.array([row[name] for row in rows], pa.int32()) for name in ("buy", "cart")}
    columns["items"] = pa.array([row["items"] for row in rows], pa.list_(ITEM))
    offsets = np.concatenate([[0], np.cumsum([len(journey) for journey in found])]).astype(np.int64)
    return Chunk(offsets, np.array([row["time"] for row in rows], np.int64), columns)


def ask(case, window, found, cuts=1, segment=None, *, row_level=False, only_scanned=False):
    known = definitions(*case)
    column = DimensionColumn("kept", exp.column("kept", quoted=True))
    metrics = [
        MetricColumn(name, Aggregate.VALUE, exp.column(source, quoted=True))
        for name, source in METRICS.items()
    ]
    person = DimensionColumn("person", exp.column("adobe_personid", quoted=True))
    request = ReportRequest(
        "shop",
        (person, column) if row_level else (column,),
        () if row_level else tuple(metrics),
        TimeRange(*window),
        None if segment is None else parse_one(segment, read="duckdb"),
        row_level=row_level,
    )
    planned = plan(request, known)
    if only_scanned:
        first, last = planned.scan_start, planned.scan_end
        found = [event for event in found if first is None or event["time"] >= first]
        found = [event for event in found if last is None or event["time"] < last]
    people = journeys(found)
    chunks = [chunk_of(people[cut::cuts]) for cut in range(cuts)]
    table = answer(planned, chunks, known, Cancellation())
    return [tuple(row.values()) for row in table.to_pylist()]


def by_value(table):
    assert len({row[0] for row in table}) == len(table)
    return {row[0]: tuple(value or 0 for value in row[1:]) for row in table}


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=3, deadline=None)
@given(
    found=events,
    window=RANGES,
    cuts=st.sampled_from([1, 2, 3]),
    wanted=st.sampled_from([None, None, "x"]),
    only_scanned=st.booleans(),
)
def test_reports_agree_with_the_oracle(case, found, window, cuts, wanted, only_scanned):
    asked = oracle.Kept(*case, *window)
    segment = None if wanted is None else f"kept = '{wanted}'"
    expected = oracle.report(found, asked, wanted)
    got = ask(case, window, found, cuts, segment, only_scanned=only_scanned)
    assert by_value(got) == expected


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CASES), events, RANGES)
def test_single_rows_show_the_same_values(case, found, window):
    expected = oracle.rows(found, oracle.Kept(*case, *window))
    assert ask(case, window, found, row_level=True) == expected


def event(time, **fields):
    blank = {"tag": None, "shelf": None, "buy": None, "cart": None, "items": None}
    return {"person": "ann", "time": time, "order": time + 100} | blank | fields


def test_opened_rows_come_in_blocks_however_many_values_an_event_has():
    count = 1_500
    found = [event(0, tag=f"v{number:04}") | {"order": number} for number in range(count)]
    case = Rule("all", "person"), "tag", None, False
    request = ReportRequest("shop", (DimensionColumn("kept", exp.column("kept", quoted=True)),))
    planned = plan(request, definitions(*case))
    frame = Frame(planned, chunk_of([found]), Statements(Cancellation(), {}))
    sizes = [batch.num_rows for batch in lane_rows(frame, planned.lanes[0])]
    assert sum(sizes) == count * (count + 1) // 2
    assert max(sizes) <= opening.BLOCK_ROWS < sum(sizes)
    answered = ask(case, (None, None), found)
    assert sorted(row[1] for row in answered) == list(range(1, count + 1))
    assert {row[2:4] for row in answered} == {(1, 1)}


def pairs(case, other, found, metric):
    """Group by the dimension and another one; return the pairs with a value."""
    dimensions = tuple(DimensionColumn(name, exp.column(name, quoted=True)) for name in ("kept", other))
    columns = (MetricColumn("m", Aggregate.VALUE, exp.column(metric, quoted=True)),)
    known = definitions(*case)
    planned = plan(ReportRequest("shop", dimensions, columns), known)
    table = answer(planned, [chunk_of([found])], known, Cancellation())
    return {(row["kept"], row[other]): row["m"] for row in table.to_pylist() if row["m"]}


def test_all_values_of_an_event_stand_beside_each_of_its_elements():
    case = Rule("all", "person"), "tag", None, False
    items = [{"sku": "a", "price": 1.0}, {"sku": "b", "price": 5.5}, {"sku": "a", "price": 2.0}]
    found = [event(0, tag="x", buy=3), event(1, tag="y", items=items, buy=1)]
    prices = {("x", "a"): 3.0, ("y", "a"): 3.0, ("x", "b"): 5.5, ("y", "b"): 5.5}
    assert pairs(case, "sku", found, "price") == prices
    assert pairs(case, "sku", found, "buy") == {("x", None): 3} | dict.fromkeys(prices, 1)


def test_two_dimensions_that_keep_all_make_every_pair():
    case = Rule("all", "person"), "tag", None, False
    found = [event(0, tag="x"), event(1, tag="y", shelf="s", buy=1), event(2, shelf="t", buy=1)]
    assert pairs(case, "shelves", found, "buy") == {
        ("x", "s"): 2,
        ("y", "s"): 2,
        ("x", "t"): 1,
        ("y", "t"): 1,
    }


@pytest.mark.parametrize(
    ("dimensions", "condition", "once"),
    [
        (["kept"], None, False),
        (["kept", "shelves"], None, False),
        (["kept"], "kept = 'x'", False),
        (["UPPER(kept)"], None, True),
        (["kept"], "shelves IN ('s', 't')", True),
        (["kept", "sku"], None, True),
        (["shelf"], "kept IN ('x', 'y')", True),
    ],
)
def test_only_a_dimension_grouped_as_it_is_spares_looking_for_repeats(dimensions, condition, once):
    metric = MetricColumn("m", Aggregate.VALUE, exp.column("buy"), condition and parse_one(condition))
    columns = tuple(DimensionColumn(f"d{n}", parse_one(text)) for n, text in enumerate(dimensions))
    known = definitions(Rule("all", "person"), "tag", None, False)
    planned = plan(ReportRequest("shop", columns, (metric,)), known)
    assert any(lane.kind is Kind.ELEMENT_EVENTS for lane in planned.lanes) == once


EVERY = [case for case in CASES if case[0].allocation == "all"]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(EVERY), events, RANGES, st.integers(1, 5))
def test_many_values_are_opened_a_few_rows_at_a_time(case, found, window, rows):
    expected, before = by_value(ask(case, window, found)), opening.BLOCK_ROWS
    opening.BLOCK_ROWS = rows
    try:
        assert by_value(ask(case, window, found)) == expected
    finally:
        opening.BLOCK_ROWS = before


def test_what_a_metric_binds_may_have_been_set_one_lifetime_before():
    case = Rule("most_recent", "custom", 4), "tag", "shelf", True
    found = [event(-11, tag="x"), event(-8, shelf="s", cart=1), event(-4, shelf="s")]
    for only_scanned in (False, True):
        answered = ask(case, (-4, 6), found, only_scanned=only_scanned)
        assert list(by_value(answered)) == ["x"]
    assert list(by_value(ask(case, (-4, 6), [event(-13, tag="x"), *found[1:]]))) == [None]
