"""Graph-based stitching, one event at a time, as the specification words it.

An event is a mapping with ``row`` and ``device`` (None when blank). A graph is a collection of
(namespace, value); no two graphs share one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

Graph = Collection[tuple[str, str]]
Stitched = dict[int, tuple[str | None, bool]]
"""Row → (person, whether the graph said so)."""


def look_up(graphs: Iterable[Graph], namespace: str, value: str, wanted: str) -> str | None:
    """Return the lexically first value of the wanted namespace in the graph of an identity."""
    for graph in graphs:
        if (namespace, value) in graph:
            return min((other for space, other in graph if space == wanted), default=None)
    return None


def stitch(
    events: Iterable[Mapping[str, Any]], graphs: Collection[Graph], namespace: str, wanted: str
) -> Stitched:
    """Stitch events with graphs as they are: neither the events' times nor their persons count."""
    result: Stitched = {}
    for event in events:
        device = event["device"]
        person = None if device is None else look_up(graphs, namespace, device, wanted)
        result[event["row"]] = (device, False) if person is None else (person, True)
    return result
