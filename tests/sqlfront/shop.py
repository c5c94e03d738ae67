"""A shop to plan questions for: definitions, and the same events as a plain table to compare with."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

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
            "plans": {
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
        "segments": {
            "spenders": {"name": "Spenders", "segment": {"container": "person", "where": "revenue > 150"}},
            "sale": {"name": "On sale", "data_views": ["web"], "segment": "campaign = 'sale'"},
            "mail": {"name": "By mail", "data_views": ["web"], "segment": "channel = 'Email'"},
        },
        "date_ranges": {
            "january": {"name": "January 2024", "since": "2024-01-01", "before": "2024-02-01"},
            "until_march": {"name": "Until March", "before": "2024-03-01"},
            "lately": {"name": "Lately", "since": "start of year - 100 years"},
        },
    }
)


def _events() -> list[tuple[object, ...]]:
    """Events of three months: few persons, repeated days, gaps, missing values, equal dimensions."""
    random = Random(7)
    rows: list[tuple[object, ...]] = []
    taken: set[tuple[str, int]] = set()
    while len(rows) < 300:
        who = f"p{random.randrange(12)}"
        second = random.randrange(90) * 86_400 + random.choice((0, 9, 10, 23)) * 3_600
        second += random.randrange(60) * 60
        if (who, second) in taken:
            continue
        taken.add((who, second))
        order = random.choice((None, None, 1, 2))
        rows.append(
            (
                str(datetime(2024, 1, 1) + timedelta(seconds=second)),
                who,
                random.choice(("Email", "Social", "Search", "", "Direct")),
                random.choice(("spring", "sale", "")),
                random.choice(("shoe", "Hat", "sock", "")),
                random.choice(("home", "cart", "pay", "")),
                "" if order is None else round(random.random() * 100, 2) * order,
                "" if order is None else order,
            )
        )
    return rows


EVENTS = _events()
CHANNELS = [("Email", "EU", 1.5), ("Social", "US", 2.0), ("Search", "EU", 0.5)]
PLAN = [("a", "Email", 10.0), ("b", "Email", 20.0), ("c", "Search", 5.0), ("d", "Print", 7.0)]
