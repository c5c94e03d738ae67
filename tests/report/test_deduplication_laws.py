"""Metric deduplication in whole reports against its slow twin: scopes, which one is kept, ids, ranges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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
from engine.report.local import answer
from engine.report.plan import plan
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest, TimeRange
from tests.oracle.persistence import duplicates
from tests.oracle.report import journeys, sessionize

HOUR = 3_600_000_000
DAY = 24 * HOUR
FEBRUARY = int(datetime(2024, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000
ITEM = pa.struct([("order", pa.string()), ("price", pa.float64())])
IDS = st.sampled_from([None, "A", "B"])
PRICES = st.sampled_from([None, 0.0, 1.0, 5.5])
CASES = [
    (what, scope, keep)
    for what in ("revenue by order", "price by order", "price by item order")
    for scope in ("session", "person")
    for keep in ("first", "last")
]

events = st.lists(
    st.fixed_dictionaries(
        {
            "person": st.sampled_from(["ann", "bob"]),
            "time": st.sampled_from([-40, -31, -2, -1, 0, 1, 2, 28, 29, 30]).map(lambda n: FEBRUARY + n * DAY)
            | st.integers(-3, 3).map(lambda n: FEBRUARY + n * HOUR),
            "tag": st.sampled_from([None, "x"]),
            "order_id": IDS,
            "revenue": PRICES,
            "items": st.none() | st.lists(st.fixed_dictionaries({"order": IDS, "price": PRICES}), max_size=3),
        }
    ),
    max_size=14,
).map(lambda found: [dict(event, order=place) for place, event in enumerate(found)])
RANGES = st.sampled_from(
    [
        (None, None),
        (FEBRUARY, FEBRUARY + 29 * DAY),
        (FEBRUARY - HOUR, FEBRUARY + HOUR),
        (FEBRUARY + DAY, None),
        (None, FEBRUARY),
    ]
)


@cache
def definitions(what: str, scope: str, keep: str) -> Definitions:
    field, by = what.split(" by ")
    once = {"by": by.replace(" ", "_"), "scope": scope, "keep": keep}
    fields = {"ts": "timestamp", "who": "string", "tag": "string", "order_id": "string", "revenue": "double"}
    items = {"type": "array", "fields": {"order": "string", "price": "double"}}
    return Definitions.model_validate(
        {
            "datasets": {"web": {"timestamp": "ts", "fields": fields | {"items": items}}},
            "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
            "data_views": {
                "shop": {
                    "connection": "all",
                    "sessions": {"timeout": timedelta(hours=1)},
                    "dimensions": {"tag": "tag", "order": "order_id", "item_order": "items.order"},
                    "metrics": {
                        "m": {
                            "field": {"revenue": "revenue", "price": "items.price"}[field],
                            "deduplication": once,
                        }
                    },
                }
            },
        }
    )


def chunk_of(found) -> Chunk:
    rows = [event for journey in found for event in journey]
    columns = {
        name: pa.array([row[source] for row in rows], pa.string()).dictionary_encode()
        for name, source in (("tag", "tag"), ("order_id", "order_id"), ("_person", "person"))
    }
    columns["revenue"] = pa.array([row["revenue"] for row in rows], pa.float64())
    columns["items"] = pa.array([row["items"] for row in rows], pa.list_(ITEM))
    offsets = np.concatenate([[0], np.cumsum([len(journey) for journey in found])]).astype(np.int64)
    return Chunk(offsets, np.array([row["time"] for row in rows], np.int64), columns)


def month(time: int) -> tuple[int, int]:
    moment = datetime.fromtimestamp(time / 1_000_000, UTC)
    return moment.year, moment.month


def in_months(time: int, window) -> bool:
    start, end = window
    after = start is None or month(time) >= month(start)
    return after and (end is None or month(time) <= month(end - 1))


def instances(journey, what):
    """Return event, id and value of each instance."""
    found = []
    for event in journey:
        parts = event["items"] or []
        prices = [part["price"] for part in parts if part["price"] is not None]
        if what == "price by item order":
            found += [(event, part["order"], part["price"]) for part in parts]
        elif what == "price by order":
            found.append((event, event["order_id"], sum(prices) if prices else None))
        else:
            found.append((event, event["order_id"], event["revenue"]))
    return found


def expected(found, case, window, segmented):
    what, scope, keep = case
    sums = {}
    for journey in journeys(found):
        sessionize(journey, HOUR)
        every = instances(journey, what)
        counted = [
            bool(value)
            and (not segmented or event["tag"] == "x")
            and (scope == "session" or in_months(event["time"], window))
            for event, _, value in every
        ]
        scopes = [event["session"] if scope == "session" else 0 for event, _, _ in every]
        gone = duplicates([name for _, name, _ in every], counted, scopes, keep)
        for (event, _, value), lost in zip(every, gone, strict=True):
            start, end = window
            inside = (start is None or event["time"] >= start) and (end is None or event["time"] < end)
            if inside and (not segmented or event["tag"] == "x"):
                sums[event["tag"]] = sums.get(event["tag"], 0.0) + (0.0 if lost else value or 0.0)
        for event in journey:
            start, end = window
            inside = (start is None or event["time"] >= start) and (end is None or event["time"] < end)
            if inside and (not segmented or event["tag"] == "x"):
                sums.setdefault(event["tag"], 0.0)
    return sums


@pytest.mark.parametrize("case", CASES, ids=str)
@settings(max_examples=12, deadline=None)
@given(found=events, window=RANGES, how=st.sampled_from(["plain", "segment", "condition"]))
def test_deduplication_agrees_with_the_oracle(case, found, window, how):
    known = definitions(*case)
    tag, condition = exp.column("tag", quoted=True), parse_one("tag = 'x' AND timestamp IS NOT NULL")
    request = ReportRequest(
        "shop",
        (DimensionColumn("tag", tag),),
        (
            MetricColumn(
                "m",
                Aggregate.VALUE,
                exp.column("m", quoted=True),
                condition if how == "condition" else None,
            ),
        ),
        TimeRange(*window),
        condition if how == "segment" else None,
    )
    planned = plan(request, known)
    first, last = planned.scan_start, planned.scan_end
    scanned = [event for event in found if first is None or event["time"] >= first]
    scanned = [event for event in scanned if last is None or event["time"] < last]
    people = journeys(scanned)
    chunks = [chunk_of(people[cut::2]) for cut in range(2)]
    table = answer(planned, chunks, known, Cancellation())
    got = {row["tag"]: row["m"] or 0.0 for row in table.to_pylist()}
    wanted = expected(found, case, window, how in ("segment", "condition"))
    assert {tag: value for tag, value in got.items() if value} == {
        tag: value for tag, value in wanted.items() if value
    }
