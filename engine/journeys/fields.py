"""Which fields journeys hold: those that data views use, and those that stitching reads.

All other fields stay in the lake, where a row finds them by its dataset and row id.
"""

from __future__ import annotations

from engine.definitions.model import Definitions, path_of


def needed(definitions: Definitions, name: str) -> frozenset[str]:
    """Return the dotted paths that a connection's journeys must hold, as far as they are leaf fields.

    A component may name a field, or a field of the objects in an array: then its array is needed, so
    both are in the result.
    """
    found = _used_by_views(definitions, name) | _identities(definitions, name)
    return frozenset(found | {path.rpartition(".")[0] for path in found})


def _used_by_views(definitions: Definitions, name: str) -> set[str]:
    views = [view for view in definitions.data_views.values() if view.connection == name]
    dimensions = {dimension.field for view in views for dimension in view.dimensions.values()}
    return dimensions | {metric.field for view in views for metric in view.metrics.values()}


def _identities(definitions: Definitions, name: str) -> set[str]:
    """Return what a replay reads of stitched datasets."""
    connection = definitions.connections[name]
    stitched = [part.stitching for part in connection.datasets.values() if part.stitching is not None]
    found = [reference for each in stitched for reference in (each.persistent_id, each.person_id)]
    return {path_of(reference) for reference in found if reference is not None}
