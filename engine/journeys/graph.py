"""Whom the identity graph of a world knows the devices of a dataset as, now or as of an instant."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from engine.identities import table
from engine.identities.past import persons_then
from engine.journeys.intake import Member
from engine.world import Home, World
from stitching.identity import joined, parted
from stitching.names import LookUp, nobody


@dataclass(frozen=True)
class Graph:
    """The identity graph of a world.

    Attributes:
        version: of its table; None if the world has none, so that nobody is known.
        past: the world that is asked as it was as of its ``identity_as_of``; None asks the version.
    """

    home: Home
    version: int | None
    past: World | None = None


def look_up(graph: Graph, member: Member, *, ahead: int = 0) -> LookUp:
    """Return what tells the persons of a graph-based dataset's devices.

    Args:
        graph: the graph.
        member: the dataset.
        ahead: on about how many events it will be asked for; a small graph is then read now
            (``engine.lake.keyed.look_up``).
    """
    namespace = member.namespace(member.device)
    if namespace is None:
        return lambda devices: _in_their_namespaces(graph, member, devices)
    return _persons(graph, member, namespace, ahead)


def _persons(graph: Graph, member: Member, namespace: str, ahead: int = 0) -> LookUp:
    past, wanted = graph.past, str(member.graph)
    if past is not None and past.identity_as_of is not None:
        instant = past.identity_as_of
        return lambda devices: persons_then(graph.home, past, instant, devices, namespace, wanted)
    if graph.version is None:
        return nobody
    return table.persons(graph.home.identities_path(), graph.version, namespace, wanted, ahead=ahead)


def _in_their_namespaces(graph: Graph, member: Member, devices: pl.Series) -> pl.Series:
    """Look up devices that tell their namespaces; so do the persons (``stitching.identity.joined``)."""
    namespace, value = parted(pl.col("device"))
    parts = devices.to_frame("device").with_row_index("place").with_columns(namespace=namespace, value=value)
    found = [
        group.select("place", person=_persons(graph, member, str(space))(group["value"]))
        for (space,), group in parts.group_by("namespace")
    ]
    none = pl.DataFrame(schema={"place": pl.UInt32, "person": pl.String})
    persons = pl.concat([none, *found]).sort("place")
    return persons.select(joined(pl.lit(member.graph), pl.col("person"))).to_series()
