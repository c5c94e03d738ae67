"""People and sessions counted on their first event in a group: where that is done, and where it must not be."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definitions.model import Definitions
from engine.report.once import counts_once, with_firsts
from engine.report.plan import Kind, plan
from engine.report.request import Aggregate, LookupJoin, ReportRequest
from tests.oracle.distinct import distinct
from tests.report.conftest import DEFINITIONS
from tests.report.test_shapes import dimension, metric, sql

RELATION = sql("SELECT * FROM (VALUES ('email', 'push')) AS t(channel, kind)")
JOINED = {"lookups": (LookupJoin("k", RELATION, sql("channel = k.channel"), True),)}


def fires(dimensions, *metrics, definitions=DEFINITIONS, **more):
    asked = ReportRequest("shop", tuple(map(dimension, dimensions)), metrics, **more)
    planned = plan(asked, definitions)
    return [counts_once(planned, lane) for lane in planned.lanes if lane.kind is not Kind.DISTINCT]


@pytest.mark.parametrize(
    "dimensions", [(), ("channel",), ("channel", "page"), ("adobe_personid", "adobe_sessiontype")]
)
def test_it_fires_for_totals_and_texts(dimensions):
    assert fires(dimensions, metric("visitors"), metric("visits"), metric("orders")) == [True]
    assert fires(dimensions, metric("visits"), metric("orders", condition="page = 'pay'")) == [True]


@pytest.mark.parametrize(
    ("dimensions", "asked", "more"),
    [
        (("upper(channel)",), metric("visitors"), {}),
        (("daterangeday",), metric("visitors"), {}),
        (("timepartdayofweek",), metric("visitors"), {}),
        (("adobe_eventdepth",), metric("visitors"), {}),
        (("product",), metric("visitors"), {}),
        (("channel",), metric("visitors", condition="page = 'pay'"), {}),
        (("channel",), metric("visitors", condition="channel = 'email'"), {}),
        (("channel",), metric("visits", Aggregate.COUNT), {}),
        (("channel",), metric("visits", Aggregate.MAXIMUM), {}),
        (("channel",), metric("visits * 2"), {}),
        (("channel",), metric("visitors"), JOINED),
    ],
)
def test_it_does_not_fire_where_rows_are_not_groups_of_texts(dimensions, asked, more):
    assert not any(fires(dimensions, asked, **more))


def test_it_does_not_fire_where_an_event_has_several_values():
    changed = DEFINITIONS.model_dump(exclude_defaults=True)
    changed["data_views"]["shop"]["dimensions"]["channel"]["persistence"] = {"allocation": "all"}
    assert not any(fires(("channel",), metric("visitors"), definitions=Definitions.model_validate(changed)))


def test_other_metrics_may_have_conditions_beside_people(ask):
    request = ReportRequest(
        "shop",
        (dimension("channel"), dimension("page")),
        (metric("visitors"), metric("visits"), metric("occurrences", condition="page = 'pay'", name="n")),
    )
    assert ask(request) == [
        ("email", "home", 1, 1, 0),
        ("paid", "home", 2, 2, 0),
        (None, "home", 1, 1, 0),
        (None, "pay", 2, 2, 2),
    ]


texts = st.lists(st.sampled_from([None, *"abcdefgh"]), min_size=40, max_size=40)


@settings(max_examples=40, deadline=None)
@given(texts, texts, st.lists(st.integers(0, 1), min_size=40, max_size=40), st.booleans())
def test_firsts_are_those_of_each_group_of_texts(first, second, steps, wide):
    """With many possible pairs for few rows too, where codes are made anew."""
    unused = [f"unused {number}" for number in range(40 * wide)]
    columns = [
        pa.array([*unused, *values], pa.string()).dictionary_encode().slice(len(unused))
        for values in (first, second)
    ]
    index = np.cumsum(steps).astype(np.int32)
    table = pa.table({"channel": columns[0], "page": columns[1], "_person_index": index})
    asked = ReportRequest("shop", (dimension("channel"), dimension("page")), (metric("visitors"),))
    planned = plan(asked, DEFINITIONS)
    marked = with_firsts(table, planned, planned.lanes[0]).column("_person_index").to_pylist()
    pairs = [repr(pair) for pair in zip(first, second, strict=True)]
    found = {
        pair: sum(mark for mark, other in zip(marked, pairs, strict=True) if other == pair) for pair in pairs
    }
    assert found == distinct(index.tolist(), pairs)
