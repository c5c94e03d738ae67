"""Whom the identity graph of a world knows the devices of a dataset as."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from engine.identities.lookup import persons_of
from engine.journeys.intake import Member
from engine.world import Home
from stitching.graph_based import LookUp
from stitching.identity import parted


@dataclass(frozen=True)
class Graph:
    """The identity graph of a world.

    Attributes:
        version: of its table; None if the world has none, so that nobody is known.
    """

    home: Home
    version: int | None


def look_up(graph: Graph, member: Member) -> LookUp:
    """Return what tells the persons of a graph-based dataset's devices; the cost is in what is asked."""
    namespace = member.device_namespace
    if namespace is not None:
        return lambda devices: _persons(graph, member, devices, namespace)
    return lambda devices: _persons_by_namespace(graph, member, devices)


def _persons(graph: Graph, member: Member, devices: pl.Series, namespace: str) -> pl.Series:
    if graph.version is None or not len(devices):
        return pl.Series([None] * len(devices), dtype=pl.String)
    return persons_of(graph.home, graph.version, devices, namespace, str(member.graph))


def _persons_by_namespace(graph: Graph, member: Member, devices: pl.Series) -> pl.Series:
    """Look devices up that say their namespaces themselves (``stitching.identity.joined``)."""
    namespace, value = parted(pl.col("device"))
    parts = devices.to_frame("device").with_row_index("place").with_columns(namespace=namespace, value=value)
    found = [
        group.select("place", person=_persons(graph, member, group["value"], str(space)))
        for (space,), group in parts.group_by("namespace")
    ]
    persons = pl.concat(found) if found else pl.DataFrame(schema={"place": pl.UInt32, "person": pl.String})
    return persons.sort("place")["person"]
