"""Persistence, segments, deduplication and attribution in one question: what each must read for the others."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from sqlglot import exp

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.journeys.scan import Chunk
from engine.report.local import answer
from engine.report.plan import plan
from engine.report.request import Aggregate, DimensionColumn, MetricColumn, ReportRequest, TimeRange

HOUR = 3_600_000_000
DAY = 24 * HOUR
MAY = int(datetime(2024, 5, 1, tzinfo=UTC).timestamp()) * 1_000_000
FIELDS = {"who": "string", "tag": "string", "order_id": "string", "price": "integer"}
DEFINITIONS = {
    "datasets": {"web": {"timestamp": "ts", "fields": FIELDS | {"ts": "timestamp"}}},
    "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
    "data_views": {
        "shop": {
            "connection": "all",
            "dimensions": {
                "tag": "tag",
                "order": "order_id",
                "recent": {"field": "tag", "persistence": {"expiration": "1d"}},
                "original": {
                    "field": "tag",
                    "persistence": {"allocation": "original", "expiration": "1d"},
                },
            },
            "metrics": {
                "price": "price",
                "once": {"field": "price", "deduplication": {"by": "order"}},
                "starts": "adobe_sessionstarts",
                "first": {"field": "price", "attribution": {"model": "first", "lookback": "10d"}},
            },
        }
    },
}


def ask(rows, dimension, metrics, start, segments=(), only_scanned=False):
    """Ask about one person's events (time, tag, order, price) from a time on."""
    view = DEFINITIONS["data_views"]["shop"] | {"segments": list(segments)}
    known = Definitions.model_validate(DEFINITIONS | {"data_views": {"shop": view}})
    dimensions = (DimensionColumn("d", exp.column(dimension)),) if dimension else ()
    columns = tuple(MetricColumn(name, Aggregate.VALUE, exp.column(name)) for name in metrics)
    planned = plan(ReportRequest("shop", dimensions, columns, TimeRange(start)), known)
    if only_scanned and planned.scan_start is not None:
        rows = [row for row in rows if row[0] >= planned.scan_start]
    times, tags, orders, prices = zip(*rows, strict=True)
    texts = {"_person": ["ann"] * len(rows), "tag": tags, "order_id": orders}
    held = {name: pa.array(values, pa.string()).dictionary_encode() for name, values in texts.items()}
    chunk = Chunk(
        np.array([0, len(rows)]), np.array(times, np.int64), held | {"price": pa.array(prices, pa.int32())}
    )
    found = answer(planned, [chunk], known, Cancellation())
    return sorted((tuple(row.values()) for row in found.to_pylist()), key=str)


@pytest.mark.parametrize("only_scanned", [False, True])
def test_a_value_that_lasts_a_time_depends_neither_on_the_range_nor_on_what_else_is_asked(only_scanned):
    rows = [(MAY - 30 * HOUR, "a", None, None), (MAY - 20 * HOUR, "b", None, None), (MAY, None, None, 1)]
    everybody = {"container": "person", "where": "TRUE"}
    assert ask(rows, "original", ["price"], MAY, only_scanned=only_scanned) == [(None, 1)]
    assert ask(rows, "original", ["price"], MAY, [everybody], only_scanned) == [(None, 1)]
    credited = ask(rows, "original", ["price", "first"], MAY, (), only_scanned)
    assert credited == [("a", None, 1), (None, 1, None)]


@pytest.mark.parametrize("only_scanned", [False, True])
def test_a_segment_on_a_kept_value_reaches_before_the_month_of_the_duplicates(only_scanned):
    rows = [
        (MAY - 12 * HOUR, "a", None, None),
        (MAY + HOUR, None, "A", 1),
        (MAY + 10 * DAY, "a", "A", 1),
    ]
    assert ask(rows, None, ["once"], MAY + 9 * DAY, ["recent = 'a'"], only_scanned) == [(0,)]


@pytest.mark.parametrize("only_scanned", [False, True])
def test_a_segment_on_sessions_reaches_before_the_oldest_touch(only_scanned):
    rows = [
        (MAY - 10 * DAY - HOUR // 4, None, None, None),
        (MAY - 10 * DAY, "a", None, None),
        (MAY - 2 * DAY, "b", None, None),
        (MAY, None, None, 1),
    ]
    assert ask(rows, "tag", ["first"], MAY, ["starts = 1"], only_scanned) == [("b", 1), (None, None)]
