"""A small connection in memory: two persons, a handful of events, items in arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from engine.cancellation import Cancellation
from engine.definitions.model import Definitions
from engine.journeys.scan import Chunk
from engine.report.local import answer
from engine.report.plan import plan

MINUTE = 60_000_000
ITEMS = pa.list_(pa.struct([("sku", pa.string()), ("revenue", pa.float64())]))
DEFINITIONS = Definitions.model_validate(
    {
        "datasets": {
            "web": {
                "timestamp": "ts",
                "fields": {
                    "ts": "timestamp",
                    "who": "string",
                    "channel": "string",
                    "page": "string",
                    "event": "string",
                    "orders": "integer",
                    "price": "decimal(10,2)",
                    "items": {"type": "array", "fields": {"sku": "string", "revenue": "double"}},
                },
            }
        },
        "connections": {"all": {"datasets": {"web": {"person_id": "who"}}}},
        "data_views": {
            "shop": {
                "connection": "all",
                "dimensions": {
                    "channel": "channel",
                    "page": {"field": "page", "lower_case": True},
                    "product": "items.sku",
                    "product_ab": {"field": "items.sku", "values": {"equals": ["a", "b"]}},
                },
                "metrics": {
                    "orders": "orders",
                    "item_revenue": "items.revenue",
                    "big_item_revenue": {"field": "items.revenue", "values": {"at_least": 50}},
                    "purchases": {"field": "event", "count": True, "values": {"equals": "purchase"}},
                    "price": "price",
                    "price_once": {"field": "price", "deduplication": {"by": "page"}},
                    "orders_last": {"field": "orders", "attribution": {"model": "last"}},
                },
            }
        },
    }
)
EVENTS = [
    # person, minute, channel, page, event, orders, price, items
    ("ann", 0, "email", "Home", "view", None, None, None),
    ("ann", 5, None, "HOME", "view", None, None, []),
    ("ann", 6, None, "Pay", "purchase", 1, "10.10", [("a", 50.0), ("b", 25.0), ("a", 1.0)]),
    ("ann", 90, "paid", "Home", "view", None, None, None),
    ("bob", 3, "paid", "Home", "view", None, None, [("c", None)]),
    ("bob", 4, None, "Pay", "purchase", 2, "20.20", [("b", 80.0), (None, 5.0)]),
]


@pytest.fixture(scope="session")
def chunk() -> Chunk:
    columns = list(zip(*EVENTS, strict=True))
    items = [
        None if row is None else [{"sku": sku, "revenue": revenue} for sku, revenue in row]
        for row in columns[7]
    ]
    texts = {
        name: pa.array(columns[position], pa.string()).dictionary_encode()
        for name, position in (("_person", 0), ("channel", 2), ("page", 3), ("event", 4))
    }
    return Chunk(
        np.array([0, 4, 6], np.int64),
        np.array(columns[1], np.int64) * MINUTE,
        {
            **texts,
            "orders": pa.array(columns[5], pa.int32()),
            "price": pa.array(columns[6], pa.string()).cast(pa.decimal128(10, 2)),
            "items": pa.array(items, ITEMS),
        },
    )


@pytest.fixture
def ask(chunk):
    def run(request):
        table = answer(plan(request, DEFINITIONS), [chunk], DEFINITIONS, Cancellation())
        return sorted((tuple(row.values()) for row in table.to_pylist()), key=str)

    return run
