"""Applies definitions: makes tables, adds columns, builds and rebuilds journeys, in one world.

What would lose data is refused before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.catalog import access
from engine.catalog.records import BatchStatus
from engine.dataview.components import data_view
from engine.definitions.checks import check_evolution, refuse
from engine.definitions.model import (
    ConnectionDatasetDefinition,
    Definitions,
    FieldDefinition,
)
from engine.definitions.problem import Problem
from engine.errors import DefinitionError
from engine.governance.access import rule_problems
from engine.identities import maintain
from engine.journeys import intake, staging
from engine.journeys.change import Outcome, versions_of
from engine.journeys.columns import journey_schema, leaf_columns
from engine.journeys.intake import Member
from engine.journeys.rebuild import rebuild
from engine.journeys.runs import Progress
from engine.lake import delta
from engine.lake import table as lake
from engine.lake.identities import rules_of
from engine.recovery import publication, recover
from engine.world import Home, World


@dataclass(frozen=True)
class Applied:
    """What applying definitions did; each entry reads like ``dataset web``.

    Attributes:
        rebuilt: connections whose journeys were built or built anew.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    rebuilt: tuple[str, ...] = ()


def apply(
    home: Home,
    definitions: Definitions,
    *,
    progress: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Applied:
    """Make definitions the home's own: all of them, so what they lack is removed.

    Args:
        home: the home.
        definitions: the new definitions, complete.
        progress: told (phase, done, total) while journeys are built.
        on_wait: told if another process is writing.

    Raises:
        DefinitionError: they contradict themselves, or data would be lost.
    """
    for name in definitions.connections:
        intake.check(definitions, name)
        leaf_columns(definitions, name)
    for name in definitions.data_views:
        data_view(definitions, name)
    refuse(segment_problems(definitions))
    refuse(rule_problems(definitions, access.roll(home.catalog)))
    with home.lease(on_wait=on_wait) as lease:
        world = recover(lease, progress)
        _refuse_losses(home, world.definitions, definitions)
        if definitions == world.definitions:
            return Applied()
        datasets = {name: _dataset_table(home, world, definitions, name) for name in definitions.datasets}
        identities = maintain.apply(home, world, definitions, datasets, progress)
        outcomes, rebuilt = _connections(home, world, definitions, datasets, identities, progress)
        gone = world.definitions.connections.keys() - definitions.connections.keys()
        lease.publish(
            "apply",
            definitions=definitions,
            datasets=datasets,
            identities=identities,
            forget=sorted({*gone, *rebuilt}),
            **publication(outcomes),
        )
        for name in rebuilt:
            staging.discard(home.journeys_path(name))
    return _applied(world.definitions, definitions, rebuilt)


def segment_problems(definitions: Definitions) -> Iterator[Problem]:
    """Yield what is wrong with segments of data views and saved ones, where everything else is right."""
    if definitions.segments or any(view.segments for view in definitions.data_views.values()):
        # Not at the top: the report engine takes long to import, and few commands need it.
        from engine.report.segments import problems

        yield from problems(definitions)


def _applied(old: Definitions, new: Definitions, rebuilt: list[str]) -> Applied:
    before, after = _entries(old), _entries(new)
    return Applied(
        added=tuple(name for name in after if name not in before),
        changed=tuple(name for name in after if name in before and after[name] != before[name]),
        removed=tuple(name for name in before if name not in after),
        rebuilt=tuple(sorted(rebuilt)),
    )


def _entries(definitions: Definitions) -> dict[str, object]:
    settings = {} if definitions.identities is None else {"identities": definitions.identities}
    kinds: dict[str, Mapping[str, object]] = {
        "settings": settings,
        "namespace": definitions.namespaces,
        "dataset": definitions.datasets,
        "connection": definitions.connections,
        "data view": definitions.data_views,
        "segment": definitions.segments,
        "date range": definitions.date_ranges,
    }
    return {f"{kind} {name}": entry for kind, entries in kinds.items() for name, entry in entries.items()}


def _refuse_losses(home: Home, old: Definitions, new: Definitions) -> None:
    # Worlds that show an inactive batch still need its dataset's table and schema.
    nothing = (BatchStatus.LOADING, BatchStatus.FAILED)
    filled = {
        name: dataset
        for name, dataset in old.datasets.items()
        if any(batch.status not in nothing for batch in home.catalog.batches(name))
    }
    for name in filled.keys() - new.datasets.keys():
        raise DefinitionError(
            f'dataset "{name}" has data and is missing from the definitions',
            hint="Keep it; to drop its data, start a new home.",
        )
    check_evolution(Definitions(datasets=filled), new)


def _lost(old: dict[str, FieldDefinition], new: dict[str, FieldDefinition]) -> str | None:
    """Return the path of the first field that is gone or has another type."""
    for name, before in old.items():
        after = new.get(name)
        if after is None or (before.type, before.items) != (after.type, after.items):
            return name
        inner = _lost(before.fields, after.fields)
        if inner is not None:
            return f"{name}.{inner}"
    return None


def _dataset_table(home: Home, world: World, definitions: Definitions, name: str) -> int:
    """Create or evolve a dataset's table; return its version."""
    path, dataset = home.dataset_path(name), definitions.datasets[name]
    old = world.definitions.datasets.get(name)
    fits = old is not None and old.kind == dataset.kind and old.timestamp == dataset.timestamp
    if old is None or not fits or _lost(old.fields, dataset.fields):
        # The newest world shows nothing of it, or a loss would have been refused; older worlds may.
        return lake.replace(path, dataset.arrow(), timestamp=dataset.timestamp)
    return lake.evolve(path, dataset.arrow())


def _connections(
    home: Home,
    world: World,
    definitions: Definitions,
    datasets: dict[str, int],
    graph: int | None,
    progress: Progress | None,
) -> tuple[dict[str, Outcome], list[str]]:
    """Bring journeys in line with a version of the identity graph; return outcomes, and those rebuilt."""
    outcomes, rebuilt = {}, []
    for name in definitions.connections:
        if name in world.journeys and _same_journeys(world.definitions, definitions, name):
            table = home.journeys_path(name)
            version = delta.add_columns(table, world.journeys[name], journey_schema(definitions, name))
            outcomes[name] = Outcome(replace(versions_of(world, name), journeys=version))
        else:
            keep = _kept(world.definitions, definitions, name)
            done = rebuild(home, definitions, name, datasets, keep=keep, graph=graph, progress=progress)
            outcomes[name] = done.outcome
            rebuilt.append(name)
    return outcomes, rebuilt


def _same_journeys(old: Definitions, new: Definitions, name: str) -> bool:
    """Return whether the journeys of a connection stay as they are, but for new columns."""
    before, after = old.connections[name], new.connections[name]
    if before.duplicate_window != after.duplicate_window or before.buckets != after.buckets:
        return False
    if list(before.datasets) != list(after.datasets):
        return False
    types = leaf_columns(new, name)
    if any(types.get(path) != kind for path, kind in leaf_columns(old, name).items()):
        return False
    return all(_same_member(old, new, name, dataset) for dataset in after.datasets)


def _kept(old: Definitions, new: Definitions, name: str) -> list[str]:
    """Return the datasets whose entries in the stitch log still hold."""
    if name not in old.connections:
        return []
    before, after = list(old.connections[name].datasets), list(new.connections[name].datasets)
    if after[: len(before)] != before:
        return []
    return [dataset for dataset in before if _same_member(old, new, name, dataset)]


def _same_member(old: Definitions, new: Definitions, name: str, dataset: str) -> bool:
    return _identity_settings(old, name, dataset) == _identity_settings(new, name, dataset)


def _identity_settings(definitions: Definitions, name: str, dataset: str) -> tuple[object, ...]:
    """Return what decides whom the dataset's rows belong to; the lookback is not part of it."""
    definition, place = definitions.datasets[dataset], list(definitions.connections[name].datasets)
    part: ConnectionDatasetDefinition = definitions.connections[name].datasets[dataset]
    rules = rules_of(definitions)
    member = Member(place.index(dataset), dataset, definition, part, rules)
    found = [member.person, member.device]
    spaces = [member.namespace(reference) for reference in found]
    nobody = (rules.placeholders, rules.usual) if member.stitching else None
    return (definition.timestamp, definition.event_id, found, spaces, nobody)
