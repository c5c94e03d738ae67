"""A home whose events have objects, arrays of objects and identity maps, and sessions on it."""

from __future__ import annotations

from datetime import timedelta

from engine.definitions.model import Definitions
from sqlfront.session import Session
from sqlfront.wire import messages as m
from tests.journeys.support import ingest_rows, new_home
from tests.sqlfront.wire_client import simplified
from tests.world.homes import START

FIELDS = {
    "id": "string",
    "at": "timestamp",
    "device": "string",
    "commerce": {
        "type": "object",
        "fields": {
            "order": {
                "type": "object",
                "fields": {"purchaseID": "string", "priceTotal": "double", "currency": "string"},
            },
            "purchases": {"type": "object", "fields": {"value": "double"}},
            "2ndLook": "string",
        },
    },
    "items": {"type": "array", "fields": {"SKU": "string", "price": "double"}},
    "tags": {"type": "array", "items": "string"},
    "identityMap": "identity_map",
}
DEFINITIONS = {
    "datasets": {
        "purchases": {"kind": "event", "timestamp": "at", "event_id": "id", "fields": FIELDS},
        "sessions": {
            "kind": "lookup",
            "key": "device",
            "fields": {"device": "string", "name": "string"},
        },
    },
    "connections": {"shop": {"datasets": {"purchases": {"person_id": "device"}}}},
    "data_views": {
        "shop": {
            "connection": "shop",
            "dimensions": {"currency": {"field": "commerce.order.currency"}},
            "metrics": {"revenue": {"field": "commerce.order.priceTotal"}},
        }
    },
}


def _order(number, price, currency):
    return {
        "order": {"purchaseID": number, "priceTotal": price, "currency": currency},
        "purchases": {"value": 1.0},
        "2ndLook": f"seen {number}",
    }


def _identity(namespace, value, primary=False):
    return {"namespace": namespace, "id": value, "primary": primary}


EVENTS = [
    {
        "id": "1",
        "at": START,
        "device": "x",
        "commerce": _order("p1", 10.5, "EUR"),
        "items": [{"SKU": "hat", "price": 4.0}, {"SKU": "shoe", "price": 6.5}],
        "tags": ["new", "red"],
        "identityMap": [_identity("ECID", "e1", True), _identity("CRM", "c1"), _identity("ECID", "e2")],
    },
    {
        "id": "2",
        "at": START + timedelta(hours=1),
        "device": "y",
        "commerce": _order("p2", 20.0, "USD"),
        "items": [{"SKU": "hat", "price": 4.0}],
        "tags": ["red"],
        "identityMap": [_identity("CRM", "c2")],
    },
    {
        "id": "3",
        "at": START + timedelta(days=1),
        "device": "y",
        "commerce": None,
        "items": [],
        "tags": None,
        "identityMap": None,
    },
]


def purchases_home(folder):
    """Return a home with three events."""
    home = new_home(folder, Definitions.model_validate(DEFINITIONS))
    ingest_rows(home, "purchases", EVENTS)
    return home


def answers(front, sql, database="demo"):
    """Return the rows of the last of some statements as texts, or the SQLSTATE and message of an error."""
    session = Session(front, {"user": "ada", "database": database}, 7, b"1234")
    session.greet()
    found = simplified(b"".join(session.process([m.SimpleQuery(sql)])))
    errors = [message for message in found if message[0] == "E"]
    return errors[0] if errors else [message[1:] for message in found if message[0] == "D"]
