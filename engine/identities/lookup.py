"""Asks the identity graph for persons: of a device, the person whose graph it is in."""

from __future__ import annotations

import polars as pl

from engine.identities import table
from engine.world import Home


def persons_of(home: Home, version: int, values: pl.Series, namespace: str, wanted: str) -> pl.Series:
    """Return for each identity the lexically first value of a namespace in its graph, or null.

    Args:
        home: the home.
        version: version of its identity graph, published or not.
        values: N strings or nulls, as often as they please.
        namespace: the namespace of the values.
        wanted: the namespace of the answers.

    Returns:
        N strings or nulls, in the order of the values. The cost is in their number.
    """
    path = home.identities_path()
    graphs = table.graphs(path, version, values, namespace)
    return table.firsts(path, version, graphs, wanted)
