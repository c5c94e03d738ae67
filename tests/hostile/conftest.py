"""A small home with an array of objects, stitching and a look-up, for all that tries to break it."""

import json

import pytest

from engine import flow
from engine.definitions import project
from engine.world import Home

PROJECT = """
datasets:
  web:
    kind: event
    timestamp: ts
    event_id: id
    fields:
      id: string
      ts: timestamp
      device: {type: string, identity: device}
      customer: {type: string, identity: customer}
      channel: string
      revenue: double
      items: {type: array, fields: {sku: string, price: double, size: integer}}
connections:
  shop: {datasets: {web: {stitching: {persistent_id: device, person_id: customer, lookback: 7d}}}}
data_views:
  shop:
    connection: shop
    time_zone: Europe/Berlin
    dimensions: {channel: channel, item: items.sku}
    metrics: {revenue: revenue, item_revenue: items.price}
"""
EVENTS = [
    {"id": "1", "ts": "2026-03-28T23:30:00Z", "device": "a", "channel": "Email"},
    {
        "id": "2",
        "ts": "2026-03-29T00:59:00Z",
        "device": "a",
        "revenue": 10,
        "items": [{"sku": "x", "price": 4}, {"sku": "y", "price": 6}],
    },
    {"id": "3", "ts": "2026-03-29T01:01:00Z", "device": "b", "channel": "Social"},
    {"id": "4", "ts": "2026-03-29T22:30:00Z", "device": "b", "revenue": 5, "items": [{"sku": "x"}]},
]


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    definitions = folder / "project.yaml"
    definitions.write_text(PROJECT)
    events = folder / "events.jsonl"
    events.write_text("\n".join(map(json.dumps, EVENTS)))
    made = Home.create(folder / "a home")
    flow.apply(made, project.load(definitions))
    flow.ingest(made, "web", [events])
    return made
