"""Homes for tests of journeys: a small definition, and batches written straight into the lake."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from engine.applying import apply
from engine.definitions.model import Definitions
from engine.ingest.ending import active_batches
from engine.journeys.scan import Chunk, scan
from engine.lake.batch import BatchWriter
from engine.recovery import recover
from engine.world import Home, World

WEB = {
    "timestamp": "at",
    "event_id": "id",
    "fields": {
        "id": "string",
        "at": "timestamp",
        "device": {"type": "string", "identity": "ecid"},
        "login": {
            "type": "object",
            "fields": {"customer": {"type": "string", "identity": "crm"}},
        },
        "channel": "string",
        "revenue": "double",
        "items": {"type": "array", "fields": {"sku": "string", "price": "decimal(12,2)"}},
    },
}
CALLS = {
    "timestamp": "at",
    "fields": {
        "at": "timestamp",
        "customer": {"type": "string", "identity": "crm"},
        "channel": "string",
        "topic": "string",
    },
}
STITCHED = {"stitching": {"persistent_id": "device", "person_id": "login.customer"}}


def definitions(*, buckets: int = 2, window: str = "30d", calls: bool = True, **more: Any) -> Definitions:
    """Return the web shop: a stitched dataset with event ids, and calls without."""
    datasets = {"web": STITCHED} | ({"calls": {"person_id": "customer"}} if calls else {})
    connection = {"datasets": datasets, "duplicate_window": window, "buckets": buckets}
    return Definitions.model_validate(
        {
            "datasets": {"web": WEB, "calls": CALLS},
            "connections": {"shop": connection},
        }
        | more
    )


def new_home(folder: Path, given: Definitions | None = None) -> Home:
    """Create a home with definitions applied, in a folder of its own."""
    home = Home.create(folder / uuid.uuid4().hex)
    if given is not None:
        apply(home, given)
    return home


def commit_batch(
    home: Home,
    dataset: str,
    rows: pa.Table | Sequence[dict[str, Any]],
    *,
    order_by: str = "at",
    replaces: Sequence[int] = (),
) -> str:
    """Commit rows to the lake only, as an ingest does first; return the batch id."""
    definition = home.current().definitions.datasets[dataset]
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), definition.arrow())
    replaced = [old.id for old in active_batches(home.catalog, dataset, replaces)]
    batch = home.catalog.start_batch(uuid.uuid4().hex, dataset, ["memory"])
    path = home.dataset_path(dataset)
    with BatchWriter(path, definition, batch.id, batch.number, [order_by]) as writer:
        writer.write(table)
        counts = {"input_records": str(len(table)), "output_records": str(len(table))}
        writer.commit(counts, replaced)
    return batch.id


def ingest_rows(
    home: Home,
    dataset: str,
    rows: pa.Table | Sequence[dict[str, Any]],
    *,
    replaces: Sequence[int] = (),
) -> World:
    """Commit rows to the lake and let the journeys follow."""
    with home.lease() as lease:
        commit_batch(home, dataset, rows, replaces=replaces)
        return recover(lease)


def journeys(home: Home, columns: Sequence[str], world: World | None = None) -> list[list[Any]]:
    """Return journeys as lists of row tuples, time first; persons in any order."""
    world = world or home.current()
    found = []
    for chunk in scan(home, "shop", world.journeys["shop"], columns, world=world):
        found += _persons(chunk, columns)
    return found


def _persons(chunk: Chunk, columns: Sequence[str]) -> list[list[Any]]:
    values = [chunk.times.tolist(), *(chunk.columns[name].to_pylist() for name in columns)]
    rows = list(zip(*values, strict=True))
    bounds = chunk.offsets.tolist()
    return [rows[start:end] for start, end in pairwise(bounds)]
