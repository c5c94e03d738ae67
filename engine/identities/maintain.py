"""Keeps the identity graph up with the lake: a change costs the components that it touches.

The graph is a function of the lake's live rows and the settings: whatever came and went in between, it is
what a first reading of all batches would make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from engine.definitions.model import DatasetDefinition, Definitions
from engine.identities import evidence, graphs, table
from engine.identities.evidence import Progress
from engine.lake import table as lake
from engine.lake.identities import rules_of
from engine.world import Home, World


def follow(
    home: Home, world: World, datasets: Mapping[str, int], progress: Progress | None = None
) -> int | None:
    """Bring the graph from a world's dataset versions to newer ones; return its version, if there is one.

    Args:
        home: the home; the caller holds its lease.
        world: the newest published world.
        datasets: changed datasets and their versions; those that feed no graph are ignored.
        progress: told (phase, done, total).
    """
    if not world.definitions.has_graph:
        return None
    if world.identities is None:
        return build(home, world.definitions, {**world.datasets, **datasets}, progress)
    gone, come = evidence.changes(home, world, datasets, progress)
    if not gone.height and not come.height:
        return world.identities
    path, version = home.identities_path(), world.identities
    touched = evidence.identities_of(pl.concat([gone, come]))
    known = table.identities(path, version, touched)
    before = table.links(path, version, known["component"])
    kept = pl.concat([graphs.without(before, gone), come])
    after = graphs.drawn(kept, evidence.graph_rules(world.definitions))
    return table.commit(path, version, graphs.changed(before, after))


def erase(
    home: Home, world: World, datasets: Mapping[str, int], progress: Progress | None = None
) -> int | None:
    """Do as ``follow``, and leave nothing of what went in the files of the new version.

    Identities that lost their last link are in no file then but those of older worlds, which a vacuum
    removes once nobody needs them.
    """
    version = follow(home, world, datasets, progress)
    return None if version is None else table.tidied(home.identities_path(), version)


def build(
    home: Home, definitions: Definitions, datasets: Mapping[str, int], progress: Progress | None = None
) -> int:
    """Make the graph anew from all batches of dataset versions, in one commit; return its version."""
    found = evidence.everything(home, definitions, datasets, progress)
    links = graphs.drawn(found, evidence.graph_rules(definitions))
    return table.overwrite(home.identities_path(), graphs.content(links))


def apply(
    home: Home,
    world: World,
    definitions: Definitions,
    datasets: Mapping[str, int],
    progress: Progress | None = None,
) -> int | None:
    """Return the graph's version under new definitions: made anew if it would be another one.

    Args:
        home: the home; the caller holds its lease.
        world: the newest published world.
        definitions: the new definitions.
        datasets: the dataset versions that the next world will show.
        progress: told (phase, done, total).
    """
    if not definitions.has_graph:
        return None
    feeding = definitions.feeders().keys() | world.definitions.feeders().keys()
    # One that the definitions lack is empty, or it would have been refused.
    shown = feeding & datasets.keys()
    filled = {name for name in shown if lake.files(home.dataset_path(name), datasets[name])}
    same = _settings(world.definitions, filled) == _settings(definitions, filled)
    if world.identities is not None and same:
        return world.identities
    return build(home, definitions, datasets, progress)


def _settings(definitions: Definitions, feeders: set[str]) -> tuple[object, ...]:
    """Return all that decides what the rows of some datasets say of identities."""
    if not definitions.has_graph:
        return ()
    rules = evidence.graph_rules(definitions)
    # A namespace that nobody declares has this type, so one that is declared so changes nothing.
    types = {code: kind for code, kind in rules.types.items() if kind != "cross_device"}
    feeding = definitions.feeders()
    fields = {
        name: (feeding[name].timestamp, [*_carriers(feeding[name])]) if name in feeding else None
        for name in feeders
    }
    return (rules_of(definitions), replace(rules, types=types), fields)


def _carriers(dataset: DatasetDefinition) -> Iterator[tuple[str, str | None]]:
    for path, field in sorted(dataset.identity_fields().items()):
        yield path, field.identity
