"""Events of a web shop, a few thousand at a time, for homes that are mistreated."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa

from tests.journeys.support import definitions

ROWS = 1_500
START = datetime(2024, 1, 5, tzinfo=UTC)


def web_events(number: int, rows: int = ROWS) -> pa.Table:
    """Return web events: some hundred devices, some persons, some ids that came before, some bad rows."""
    chosen = random.Random(number)
    first = max(number * rows - rows // 10, 0)
    devices = [chosen.randrange(300) for _ in range(rows)]
    columns = {
        "id": [f"e{first + place}" if chosen.random() < 0.95 else None for place in range(rows)],
        "at": [START + timedelta(seconds=chosen.randrange(50 * 86_400)) for _ in range(rows)],
        "device": [f"d{device}" if chosen.random() < 0.99 else None for device in devices],
        "login": [{"customer": f"c{device // 2}" if chosen.random() < 0.1 else None} for device in devices],
        "channel": [chosen.choice(["paid", "mail", None]) for _ in range(rows)],
        "revenue": [float(chosen.randrange(100)) for _ in range(rows)],
        "items": [[{"sku": "a", "price": None}] if chosen.random() < 0.1 else None for _ in range(rows)],
    }
    return pa.table(columns, definitions().datasets["web"].arrow())


def calls(number: int, rows: int = 200) -> pa.Table:
    """Return calls of the same persons."""
    chosen = random.Random(number)
    columns = {
        "at": [START + timedelta(seconds=chosen.randrange(50 * 86_400)) for _ in range(rows)],
        "customer": [f"c{chosen.randrange(150)}" for _ in range(rows)],
        "channel": ["phone"] * rows,
        "topic": [chosen.choice(["order", "return"]) for _ in range(rows)],
    }
    return pa.table(columns, definitions().datasets["calls"].arrow())


def write_events(path: Path, number: int, rows: int = ROWS) -> str:
    """Write web events to a file; return its name."""
    frame = pl.from_arrow(web_events(number, rows))
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(path)
    return str(path)
