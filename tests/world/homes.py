"""Homes with a few batches of a web shop, and everything that a reader can see of a world."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine.catalog.pins import may_live
from engine.catalog.store import Catalog
from engine.definitions.model import Definitions
from engine.identities import table
from engine.lake import table as lake
from engine.world import Home, World
from tests.journeys.support import definitions, ingest_rows, journeys, new_home
from tests.laws.shop_homes import asker

START = datetime(2024, 1, 5, tzinfo=UTC)
VIEW = {
    "identities": {"priority": ["crm", "ecid"], "unique": ["crm"]},
    "data_views": {
        "shop": {
            "connection": "shop",
            "dimensions": {"channel": "channel"},
            "metrics": {"revenue": "revenue"},
        }
    },
}
QUESTION = "SELECT channel, SUM(occurrences), SUM(visitors), SUM(visits), SUM(revenue) FROM shop GROUP BY 1"


def shop(**options: Any) -> Definitions:
    return definitions(calls=False, **VIEW, **options)


def rows(seed: int, count: int = 40) -> list[dict[str, object]]:
    """Events of 20 devices, some logged in, some that repeat an earlier id, one without device and person."""
    chosen = random.Random(seed)
    found: list[dict[str, object]] = [
        {
            "id": f"e{chosen.randrange(seed * count, seed * count + count + 10)}",
            "at": START + timedelta(seconds=chosen.randrange(40 * 86_400)),
            "device": f"d{chosen.randrange(20)}",
            "login": {"customer": f"c{chosen.randrange(8)}" if chosen.random() < 0.2 else None},
            "channel": chosen.choice(["paid", "mail", None]),
            "revenue": float(chosen.randrange(100)),
        }
        for _ in range(count - 1)
    ]
    return [*found, {"id": None, "at": START, "device": None}]


def make_home(folder: Path, batches: int = 3) -> Home:
    home = new_home(folder, shop())
    for number in range(batches):
        ingest_rows(home, "web", rows(number))
    return home


def seen(home: Home, world: World | None = None) -> tuple[Any, ...]:
    """Return what a reader sees: journeys with their persons, lake rows, an answer in SQL, the graph."""
    world = world or home.current()
    if "shop" not in world.journeys:
        return ()
    names = ["_person", "_namespace", "_event_id", "channel", "revenue"]
    found = sorted((row for person in journeys(home, names, world) for row in person), key=repr)
    count = sum(file.rows for file in lake.files(home.dataset_path("web"), world.datasets["web"]))
    answer = asker(home)(QUESTION, world) if found else []
    return tuple(found), count, tuple(sorted(answer, key=repr)), graph_rows(home, world)


def graph_rows(home: Home, world: World) -> tuple[Any, ...]:
    """Return all that a world says of the identity graph, sorted."""
    if world.identities is None:
        return ()
    kept = table.content(home.identities_path(), world.identities)
    return tuple(tuple(sorted(part.rows(), key=repr)) for part in (kept.identities, kept.links, kept.firsts))


def data_files(home: Home) -> set[Path]:
    return set(_data_files(home))


def _data_files(home: Home) -> Iterator[Path]:
    for path in home.root.glob("*/*/**/*"):
        if path.is_file() and "_delta_log" not in path.parts:
            yield path.relative_to(home.root)


def pinned_worlds(catalog: Catalog) -> set[int]:
    """Return the worlds that some process may still read."""
    return {world for process, world in catalog.pins() if may_live(process)}
