"""Asks the identity graph for persons as of an instant: of the evidence of now, what had come by then."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

from engine.identities import evidence, table
from engine.identities.evidence import EVIDENCE
from engine.world import Home, World
from stitching.graph import lookup, resolve
from stitching.names import nobody

_BATCHES: Final = pl.Schema({"dataset": pl.String, "batch": pl.Int64})


def persons_then(
    home: Home, world: World, instant: datetime, values: pl.Series, namespace: str, wanted: str
) -> pl.Series:
    """Return for each identity the lexically first value of a namespace in its graph of then, or null.

    Batches count that the world shows and that had come by the instant; the rules are those of the world.

    Args:
        home: the home.
        world: the world.
        instant: aware.
        values: N strings or nulls, as often as they please.
        namespace: the namespace of the values.
        wanted: the namespace of the answers.

    Returns:
        N strings or nulls, in the order of the values. The cost is in all that they are linked to.
    """
    if world.identities is None:
        return nobody(values)
    path = home.identities_path()
    asked = values.to_frame("value").with_columns(namespace=pl.lit(namespace))
    components = table.identities(path, world.identities, asked.drop_nulls().unique())["component"]
    links = table.links(path, world.identities, components).select(list(EVIDENCE))
    come = links.join(_come(home, world, instant), on=list(_BATCHES), how="semi")
    nodes = resolve(come, evidence.graph_rules(world.definitions)).nodes
    return lookup(nodes, asked, wanted)


def last_came(home: Home, world: World, instant: datetime) -> datetime | None:
    """Return when the last batch came by an instant that may have linked identities; None without any."""
    return max((came for _, _, came in _arrivals(home, world) if came <= instant), default=None)


def _come(home: Home, world: World, instant: datetime) -> pl.DataFrame:
    """Return the batches that had come by an instant."""
    come = [(name, number) for name, number, came in _arrivals(home, world) if came <= instant]
    return pl.DataFrame(come, _BATCHES, orient="row")


def _arrivals(home: Home, world: World) -> list[tuple[str, int, datetime]]:
    return [
        (name, record.number, record.finished_at or record.started_at)
        for name in world.definitions.feeders()
        for record in home.catalog.batches(name)
    ]
