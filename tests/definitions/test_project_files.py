"""Project files: what loads, and what every mistake is told to be."""

from datetime import timedelta
from pathlib import Path

import pytest

from engine.definitions.model import Definitions
from engine.definitions.project import load
from engine.errors import DefinitionError

SHOP = """\
datasets:
  web:
    timestamp: ts
    event_id: id
    fields:
      id: string
      ts: timestamp
      device: {type: string, identity: ecid}
      user: {type: string, identity: crm}
      channel: string
      commerce: {type: object, fields: {total: "decimal(12,2)"}}
      items: {type: array, fields: {sku: string, price: double}}
connections:
  shop:
    datasets:
      web: {stitching: {persistent_id: device, person_id: user, lookback: 7d}}
data_views:
  sales:
    connection: shop
    time_zone: Europe/Berlin
    dimensions:
      channel: {field: channel, persistence: {expiration: 30m}}
      sku: items.sku
    metrics:
      revenue: commerce.total
      orders: {field: id, count: true}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "shop.yaml"
    path.write_text(text)
    return path


def test_a_good_file_loads_and_survives_the_catalog(tmp_path):
    definitions = load(write(tmp_path, SHOP))
    view = definitions.data_views["sales"]
    assert view.dimensions["sku"].field == "items.sku"
    assert view.dimensions["channel"].persistence.expiration == timedelta(minutes=30)
    stored = definitions.model_dump_json(exclude_defaults=True)
    assert Definitions.model_validate_json(stored) == definitions


# (text, replacement, start of the message after the file's name, part of the hint)
MISTAKES = [
    (
        "channel: string",
        "channel: strng",
        ":10: datasets.web.fields.channel.type: unknown",
        "string",
    ),
    ("event_id: id", "event_idd: id", ":4: datasets.web.event_idd: unknown key", "event_id"),
    ("event_id: id", "event_id: iid", ":4: datasets.web.event_id: there is no field 'iid'", "id"),
    ("event_id: id", "event_id: items", ":4: datasets.web.event_id: 'items' must be", ""),
    ("timestamp: ts", "timestamp: channel", ":3: datasets.web.timestamp: timestamp field", ""),
    ("    timestamp: ts\n", "", ":2: datasets.web: an event dataset needs timestamp", ""),
    ("30m", "30x", ":22: data_views.sales.dimensions.channel.persistence.expiration: '30x'", ""),
    ("30m", "sesion", ":22: data_views.sales.dimensions.channel.persistence.exp", "session"),
    ("7d", "0d", ":16: connections.shop.datasets.web.stitching.lookback: '0d'", ""),
    ("7d", "99999999999999d", ":16: connections.shop.datasets.web.stitching.lookback:", ""),
    ("Europe/Berlin", "Europe/Berln", ":20: data_views.sales.time_zone:", "Europe/Berlin"),
    ("      id: string", "\tid: string", ":6:1: not valid YAML", ""),
    ("      id: string", "      id: string\n      id: long", ':7:7: key "id" is there already', ""),
    ("connection: shop", "connection: shp", ":19: data_views.sales.connection: there is", "shop"),
    ("persistent_id: device", "persistent_id: devise", ":16: connections.shop", "device"),
    ("person_id: user", "person_id: ts", ":16: connections.shop", ""),
    ("persistent_id: device, ", "", ":16: connections.shop.datasets.web.stitching: key", ""),
    ("items.sku", "items.skuu", ":23: data_views.sales.dimensions.sku.field:", "items.sku"),
    ("commerce.total", "channel", ":25: data_views.sales.metrics.revenue: ", "count: true"),
    ("commerce.total", "commerce.totl", ":25: data_views.sales.metrics.revenue", "commerce.total"),
    ("      web: {", "      wep: {", ":16: connections.shop.datasets.wep: there is no", "web"),
    (
        "time_zone: Europe/Berlin",
        "sessions: {start_on: [ordr]}",
        ":20: data_views.sales.",
        "orders",
    ),
    ("time_zone: Europe/Berlin", "sessions: {end_on: [ordr]}", ":20: data_views.sales.", "orders"),
    (
        "count: true}",
        "count: true}\n      ends: adobe_sessionends\n    sessions: {start_on: [ends]}",
        ":28: data_views.sales.sessions.start_on",
        "logins",
    ),
    ("dimensions:", "dimension:", ":21: data_views.sales.dimension: unknown", "dimensions"),
    ("persistence: {", "persistance: {", ":22: data_views.sales.dimensions.channel", "persistence"),
    ("count: true", "count: maybe", ":26: data_views.sales.metrics.orders.count:", ""),
    ("id: string", "_row: string\n      id: string", ":6: datasets.web.fields._row:", ""),
    ("id: string", "a b: string\n      id: string", ":6: datasets.web.fields.a b:", ""),
    ("id: string", "ID: string\n      id: string", ":7: datasets.web.fields.id:", ""),
    ("  sales:", "  Sales:", ":18: data_views.Sales: 'Sales' is not a name", ""),
    ("orders: {", "channel: {", ":26: data_views.sales.metrics.channel:", ""),
    (
        "fields: {sku: string, price: double}",
        "items: strin",
        ":12: datasets.web.fields.it",
        "string",
    ),
    ("channel: string", "channel: &a [*a]", ":10:16: an alias contains itself", ""),
    ("channel: string", "? [a]\n      : string", ":10:9: a key must be a plain word", ""),
]


@pytest.mark.parametrize(("text", "replacement", "message", "hint"), MISTAKES)
def test_a_mistake_is_named_with_file_line_path_and_remedy(tmp_path, text, replacement, message, hint):
    assert text in SHOP
    path = write(tmp_path, SHOP.replace(text, replacement, 1))
    with pytest.raises(DefinitionError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "text\n"])
def test_a_file_without_definitions_is_refused(tmp_path, text):
    with pytest.raises(DefinitionError, match="holds no definitions"):
        load(write(tmp_path, text))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(DefinitionError, match="cannot read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="not UTF-8"):
        load(tmp_path / "binary.yaml")


def test_a_file_may_refer_to_what_is_defined_already(tmp_path):
    base = load(write(tmp_path, SHOP))
    view = "data_views: {more: {connection: shop, metrics: {revenue: commerce.total}}}"
    assert list(load(write(tmp_path, view), base).data_views) == ["more"]
    with pytest.raises(DefinitionError, match="there is no connection"):
        load(write(tmp_path, view))


def test_merge_keys_and_anchors_work(tmp_path):
    text = """\
    datasets:
      a: &a {timestamp: ts, fields: {ts: timestamp, id: string}}
      b: {<<: *a, event_id: id}
    """
    loaded = load(write(tmp_path, text))
    assert loaded.datasets["b"].fields == loaded.datasets["a"].fields
    assert loaded.datasets["b"].event_id == "id"


def test_editors_accept_the_short_forms():
    schema = Definitions.model_json_schema()
    assert {"type": "string"} in schema["$defs"]["FieldDefinition"]["anyOf"]
