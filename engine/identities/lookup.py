"""Asks the identity graph for persons: of a device, the person whose graph it is in."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from engine.definitions.model import Definitions
from engine.identities import evidence, table
from engine.world import Home
from stitching import graph


def persons_of(home: Home, version: int, values: pl.Series, namespace: str, wanted: str) -> pl.Series:
    """Return for each identity the lexically first value of a namespace in its graph, or null.

    Args:
        home: the home.
        version: version of its identity graph, published or not.
        values: N strings or nulls, as often as they please.
        namespace: the namespace of the values.
        wanted: the namespace of the answers.

    Returns:
        N strings or nulls, in the order of the values. The cost is in the distinct values.
    """
    path = home.identities_path()
    distinct = values.drop_nulls().unique().to_frame("value")
    known = table.identities(path, version, distinct.with_columns(namespace=pl.lit(namespace)))
    inside = known.filter(pl.col("graph").is_not_null()).select("value", "graph")
    firsts = table.firsts(path, version, inside["graph"]).filter(pl.col("namespace") == wanted)
    found = inside.join(firsts.select("graph", person="value"), on="graph").select("value", "person")
    return values.to_frame("value").join(found, on="value", how="left", maintain_order="left")["person"]


def persons_then(
    home: Home,
    version: int,
    definitions: Definitions,
    instant: datetime,
    values: pl.Series,
    namespace: str,
    wanted: str,
) -> pl.Series:
    """Return the same of the graph that the batches made which had come by an instant.

    Args:
        home: the home.
        version: version of its identity graph, which batches that left since are not in.
        definitions: with the rules of the graph.
        instant: aware.
        values: as of ``persons_of``.
        namespace: likewise.
        wanted: likewise.
    """
    path = home.identities_path()
    asked = values.to_frame("value").with_columns(namespace=pl.lit(namespace))
    known = table.identities(path, version, asked.drop_nulls().unique())
    links = table.links(path, version, known["component"])
    came = [
        (record.dataset, record.number)
        for name in sorted(links["dataset"].unique())
        for record in home.catalog.batches(name)
        if record.finished_at is not None and record.finished_at <= instant
    ]
    by_then = pl.DataFrame(came, {"dataset": pl.String, "batch": pl.Int64}, orient="row")
    shown = links.join(by_then, on=["dataset", "batch"], how="semi")
    nodes = graph.resolve(shown, evidence.graph_rules(definitions)).nodes
    return graph.lookup(nodes, asked, wanted)
