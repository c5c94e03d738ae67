"""A shop to plan questions for: definitions, and the same events as a plain table to compare with."""

from __future__ import annotations

from engine.definitions.model import Definitions

FIELDS = {
    "ts": "timestamp",
    "who": "string",
    "channel": "string",
    "campaign": "string",
    "product": "string",
    "page": "string",
    "revenue": "double",
    "orders": "integer",
}
DEFINITIONS = Definitions.model_validate(
    {
        "datasets": {
            "events": {"timestamp": "ts", "fields": FIELDS},
            "channels": {
                "kind": "lookup",
                "key": "channel",
                "fields": {"channel": "string", "region": "string", "rate": "double"},
            },
            "visits_plan": {
                "kind": "lookup",
                "key": "id",
                "fields": {"id": "string", "channel": "string", "budget": "double"},
            },
        },
        "connections": {"all": {"datasets": {"events": {"person_id": "who"}}}},
        "data_views": {
            "web": {
                "connection": "all",
                "dimensions": {
                    "channel": "channel",
                    "campaign": "campaign",
                    "product": "product",
                    "page": "page",
                    "commerce.order": "page",
                },
                "metrics": {
                    "revenue": "revenue",
                    "orders": "orders",
                    "credited": {"field": "revenue", "attribution": {"model": "last"}},
                },
            },
            "web_berlin": {
                "connection": "all",
                "time_zone": "Europe/Berlin",
                "dimensions": {"channel": "channel"},
                "metrics": {"revenue": "revenue"},
            },
        },
    }
)
