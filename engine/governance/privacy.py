"""Deletes identities end to end: lake, journeys, stitch log, devices and catalog, as one world.

A row that carries a deleted identity goes; one that was only stitched to it falls back to its
device. A tombstone keeps rows that had arrived from ever coming back to it. Worlds from before can
no longer be read, and the next vacuum takes their files.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import polars as pl
from sqlalchemy import Connection

from engine.catalog import privacy as kept
from engine.catalog.privacy import PrivacyRequest
from engine.catalog.records import BatchRecord
from engine.governance import identities
from engine.governance.scrub import scrub
from engine.governance.words import words_of
from engine.identities import maintain
from engine.journeys import as_of_files, cache, devices, staging
from engine.journeys.erase import Erased, Gone, erase, stitched_to
from engine.journeys.runs import Progress
from engine.lake import delta, erasure
from engine.lake.carriers import Wanted
from engine.lake.table import ROW, LakeFile
from engine.recovery import publication, recover
from engine.world import Home, Lease, World

Rows = Mapping[str, Mapping[LakeFile, pl.Series]]
"""Dataset → live file → ids of rows."""


@dataclass(frozen=True)
class Deletion:
    """What a privacy request did, or would do.

    Attributes:
        identities: number of identities.
        erased: dataset → rows that carry one and leave the lake.
        unstitched: connection → rows that were stitched to one and fall back to their device.
        texts: rows of the catalog that one was taken out of; 0 if nothing was done.
        request: what is kept of it; None if nothing was done.
        rewritten: whether the catalog's file holds nothing of it any more; other processes can delay it
            until the next vacuum.
    """

    identities: int
    erased: Mapping[str, int]
    unstitched: Mapping[str, int]
    texts: int = 0
    request: PrivacyRequest | None = None
    rewritten: bool = False


def plan(home: Home, wanted: Wanted) -> Deletion:
    """Return what deleting identities would do to the newest world.

    Raises:
        UnknownNameError: no field holds identities of one of the namespaces.
    """
    with home.pin() as world:
        identities.check(world.definitions, wanted)
        found = identities.rows_with(home, world, wanted)
        unstitched = {name: _stitched(home, world, name, found, wanted) for name in world.journeys}
    return Deletion(_count(wanted), _counts(found), _some(unstitched))


def delete(
    home: Home,
    wanted: Wanted,
    *,
    progress: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Deletion:
    """Delete identities, as one world; files of older worlds go with the next vacuum.

    Args:
        home: the home.
        wanted: namespace → values, exactly as the records have them.
        progress: told (phase, done, total).
        on_wait: told if another process is writing.

    Raises:
        UnknownNameError: no field holds identities of one of the namespaces.
    """
    asked = datetime.now(UTC)
    with home.lease(on_wait=on_wait) as lease:
        world = recover(lease, progress)
        identities.check(world.definitions, wanted)
        name = uuid.uuid4().hex
        found = identities.rows_with(home, world, wanted)
        gone = _erased(home, world, found, name)
        graph = _graph(home, world, gone, progress)
        outcomes = {
            connection: erase(home, connection, world, gone, wanted, progress, graph=graph)
            for connection in world.journeys
        }
        done = _publish(lease, world, gone, outcomes, graph, _Draft(name, asked, wanted, _counts(found)))
        for connection in world.journeys:
            staging.discard(home.journeys_path(connection))
    _forget(home)
    return replace(done, rewritten=kept.rewrite(home.catalog))


@dataclass(frozen=True)
class _Draft:
    """A request that is not stored yet."""

    erasure: str
    asked: datetime
    wanted: Wanted
    erased: Mapping[str, int]


def _erased(home: Home, world: World, found: Rows, name: str) -> dict[str, Gone]:
    gone = {}
    for dataset, rows in found.items():
        before, definition = world.datasets[dataset], world.definitions.datasets[dataset]
        after = erasure.erase(home.dataset_path(dataset), before, definition, rows, name)
        gone[dataset] = Gone(before, after, rows)
    return gone


def _graph(home: Home, world: World, gone: Mapping[str, Gone], progress: Progress | None) -> int | None:
    """Return the version of the identity graph without the rows; its files hold nothing of them."""
    version = maintain.erase(home, world, {name: rows.after for name, rows in gone.items()}, progress)
    if version is not None and world.identities is not None:
        delta.drop_between(home.identities_path(), world.identities, version)
    return version


def _publish(
    lease: Lease,
    world: World,
    gone: Mapping[str, Gone],
    outcomes: Mapping[str, Erased],
    graph: int | None,
    draft: _Draft,
) -> Deletion:
    """Publish the world without the identities; catalog and tombstones change in the same transaction."""
    catalog, texts = lease.home.catalog, 0
    unstitched = _some({name: found.unstitched for name, found in outcomes.items()})
    request = PrivacyRequest(
        draft.erasure,
        draft.asked,
        datetime.now(UTC),
        world.id + 1,
        _count(draft.wanted),
        draft.erased,
        unstitched,
    )
    batches = catalog.batches()
    watermarks = {batch.dataset: batch.number for batch in batches}

    def also(connection: Connection) -> None:
        nonlocal texts
        for batch in _left(batches, _lost(gone)):
            catalog.save_batch(connection, batch)
        texts = scrub(connection, words_of(value for values in draft.wanted.values() for value in values))
        kept.save(catalog, connection, request, draft.wanted, watermarks)

    lease.publish(
        "privacy delete",
        datasets={name: rows.after for name, rows in gone.items()},
        identities=graph,
        also=also,
        **publication({name: found.outcome for name, found in outcomes.items()}),
    )
    stored = kept.requests(catalog)[-1]
    return Deletion(request.identities, request.erased, unstitched, texts, stored)


def _left(batches: Iterable[BatchRecord], lost: Mapping[tuple[str, int], int]) -> Iterator[BatchRecord]:
    """Yield batches that lost rows, with the number that is left."""
    for batch in batches:
        if less := lost.get((batch.dataset, batch.number)):
            yield replace(batch, output_records=max(batch.output_records - less, 0))


def _lost(gone: Mapping[str, Gone]) -> dict[tuple[str, int], int]:
    """Return (dataset, batch number) → rows that left."""
    lost: dict[tuple[str, int], int] = {}
    for dataset, rows in gone.items():
        for file, ids in rows.rows.items():
            lost[dataset, file.number] = lost.get((dataset, file.number), 0) + len(ids)
    return lost


def _stitched(home: Home, world: World, name: str, found: Rows, wanted: Wanted) -> int:
    """Return how many rows of a connection belong to identities without carrying one."""
    source = devices.journeys(home, world.definitions, name, world.journeys[name])
    rows = stitched_to(source, wanted, ["_dataset", ROW]).collect()
    for place, dataset in enumerate(world.definitions.connections[name].datasets):
        for ids in found.get(dataset, {}).values():
            rows = rows.filter(~((pl.col("_dataset") == place) & pl.col(ROW).is_in(ids.implode())))
    return rows.height


def _forget(home: Home) -> None:
    """Drop what is remembered of older worlds, by this process and beside the journeys."""
    # Not at the top: the report engine takes long to import.
    from engine.report.answers import forget

    cache.columns.clear()
    forget(home)
    as_of_files.sweep(home, everything=True)
    # Nor does it hold on to their files.
    with home.pin():
        pass


def _count(wanted: Wanted) -> int:
    return sum(map(len, wanted.values()))


def _counts(found: Rows) -> dict[str, int]:
    return {name: sum(map(len, files.values())) for name, files in found.items()}


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}
