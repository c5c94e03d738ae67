"""Rollback: publishes a new world that shows exactly what an older one showed.

Every table gets one commit that brings the old version's files back, so nothing is rewritten, and
the worlds in between can be returned to in their turn. What dies before publishing is undone by
the next writer's recovery.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from engine.catalog.privacy import unreadable
from engine.catalog.records import BatchRecord, BatchStatus, Skip, WorldRecord
from engine.errors import InputError
from engine.journeys import intake
from engine.journeys.runs import Progress
from engine.lake import delta
from engine.lake import table as lake
from engine.lake.identities import rules_of
from engine.recovery import recover
from engine.tables import GRAPH, Kind, Table, check_files, read_by
from engine.world import Home, Lease, World


def roll_back(
    home: Home,
    number: int,
    *,
    progress: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> World:
    """Publish a world that shows what an older world showed; return it.

    Batches that it does not show become inactive; batches that it shows again are active again.

    Args:
        home: the home.
        number: id of the older world.
        progress: told (phase, done, total).
        on_wait: told if another process is writing.

    Raises:
        UnknownNameError: there is no such world.
        HomeError: its files were vacuumed.
        InputError: it is the newest one.
    """
    with home.lease(on_wait=on_wait) as lease:
        newest = recover(lease, progress)
        shown = _restorable(home, newest, number)
        wanted = read_by(home, shown)
        for table, version in wanted.items():
            check_files(table, version)
        versions = _restored(wanted, progress)
        batches = _changed_batches(home, shown)
        skips = _skips(home, newest, shown, batches)
        _publish(lease, shown, versions, batches, skips)
    return home.current()


def _restorable(home: Home, newest: World, number: int) -> World:
    shown = home.world(number)
    if shown.id == newest.id:
        raise InputError(f"world {number} is the newest already", hint="wayline worlds lists older ones.")
    if shown.vacuumed_at is not None:
        raise unreadable(home.catalog, number, "returned to")
    return shown


def _publish(
    lease: Lease,
    shown: World,
    versions: Mapping[Kind, Mapping[str, int]],
    batches: Collection[BatchRecord],
    skips: Mapping[str, Sequence[Skip]],
) -> None:
    """Publish exactly these versions with an older world's definitions, in one transaction.

    Args:
        lease: proof that nobody else writes.
        shown: the older world.
        versions: versions of the tables, which hold what it shows.
        batches: batches that are shown again or no longer, as they are to be stored.
        skips: connection → all rows that it did not take; other connections keep theirs.
    """
    catalog = lease.home.catalog
    older = catalog.world(shown.id)
    assert older is not None  # noqa: S101 - worlds are marked, never removed
    with catalog.writing() as connection:
        for name, rows in skips.items():
            catalog.drop_skips(connection, name)
            catalog.add_skips(connection, rows)
        for batch in batches:
            catalog.save_batch(connection, batch)
        world = WorldRecord(
            id=catalog.newest_world_id() + 1,
            published_at=datetime.now(UTC),
            cause=f"rollback to world {shown.id}",
            revision=older.revision,
            datasets=versions[Kind.DATASET],
            journeys=versions[Kind.JOURNEYS],
            stitch_logs=versions[Kind.STITCH_LOG],
            devices=versions[Kind.DEVICES],
            identities=versions[Kind.IDENTITIES].get(GRAPH),
        )
        catalog.add_world(connection, world)


def _restored(wanted: Mapping[Table, int], progress: Progress | None) -> Mapping[Kind, Mapping[str, int]]:
    """Commit the wanted version of each table as its newest; return the new versions."""
    versions: dict[Kind, dict[str, int]] = {kind: {} for kind in Kind}
    for done, (table, version) in enumerate(wanted.items(), start=1):
        versions[table.kind][table.name] = delta.restore(table.path, version)
        if progress is not None:
            progress("returning tables", done, len(wanted))
    return versions


def _changed_batches(home: Home, shown: World) -> list[BatchRecord]:
    """Return the batches that stop being shown, or start again, as they are to be stored."""
    files = {
        file.batch
        for table, version in read_by(home, shown).items()
        if table.kind is Kind.DATASET
        for file in lake.files(table.path, version)
    }
    now, changed = datetime.now(UTC), []
    for batch in home.catalog.batches():
        visible = batch.id in files or (batch.output_records == 0 and _was_active(batch, shown))
        if batch.status is BatchStatus.SUCCESS and not visible:
            changed.append(replace(batch, status=BatchStatus.INACTIVE, ended_at=now))
        elif batch.status is BatchStatus.INACTIVE and visible:
            active = replace(batch, status=BatchStatus.SUCCESS, ended_at=None)
            changed.append(replace(active, replaced_by=None, purge=False))
    return changed


def _was_active(batch: BatchRecord, shown: World) -> bool:
    """Return whether a batch without rows, so without files, was active in a world."""
    if batch.finished_at is None or batch.finished_at > shown.published_at:
        return False
    return batch.ended_at is None or batch.ended_at > shown.published_at


def _skips(
    home: Home, newest: World, shown: World, batches: Collection[BatchRecord]
) -> dict[str, list[Skip]]:
    """Count again the rows that connections did not take, where the catalog cannot know it."""
    back = {batch.dataset for batch in batches if batch.status is BatchStatus.SUCCESS}
    before, after = newest.definitions, shown.definitions
    nobody = rules_of(before) == rules_of(after)
    counted = {}
    for name, connection in after.connections.items():
        same = before.connections.get(name) == connection and all(
            before.datasets[dataset] == after.datasets[dataset] for dataset in connection.datasets
        )
        if not (same and nobody) or not back.isdisjoint(connection.datasets):
            counted[name] = _skips_of(home, shown, name)
    return counted


def _skips_of(home: Home, shown: World, name: str) -> list[Skip]:
    found: list[Skip] = []
    for member in intake.members(shown.definitions, name):
        files = lake.files(home.dataset_path(member.name), shown.datasets[member.name])
        rows = intake.identities_of(member, files)
        numbers = {batch.number: batch.id for batch in home.catalog.batches(member.name)}
        found += [
            Skip(name, member.name, numbers[number], reason, count)
            for number, reason, count in intake.skipped(rows).iter_rows()
        ]
    return found
