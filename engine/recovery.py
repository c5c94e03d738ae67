"""Brings a home back to a published state, and lets journeys follow the lake to the next one.

Lake, identity graph, devices, stitch logs and journeys are committed one after the other and become
visible together, when a world is published. What a dead process left between is undone (journeys, logs,
devices, graph, files, lake commits that are no batch) or finished (batches in the lake, and those that
left it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.catalog import replays
from engine.catalog.privacy import requests
from engine.catalog.records import BatchRecord, BatchStatus
from engine.identities import maintain
from engine.ingest.batch import abandon_unfinished
from engine.ingest.ending import ended
from engine.journeys import staging, store
from engine.journeys.append import append
from engine.journeys.change import Outcome
from engine.journeys.runs import Progress
from engine.lake import delta, erasure
from engine.lake import table as lake
from engine.lake.removal import removed_batches
from engine.tables import GRAPH, Kind, versions_of
from engine.world import Home, Lease, World


def recover(lease: Lease, progress: Progress | None = None) -> World:
    """Undo or finish what a process left unpublished; return the newest world.

    Journeys, stitch logs, devices and identity graph go back to the world's versions; batches that the
    lake took in or gave up are followed by the journeys and published; other commits of the lake, such as
    those of an unfinished rollback, are taken back; other unfinished batches have failed, and replays are
    interrupted. Pieces of a rebuild or a replay stay for as long as one can go on from them.
    """
    home = lease.home
    world = _undo(lease, home.current())
    for name in world.definitions.datasets:
        if name in world.datasets:
            world = _finish(lease, world, name, progress)
    abandon_unfinished(lease)
    replays.interrupt_begun(home.catalog)
    _sweep_erasures(home, world)
    for name, version in world.journeys.items():
        staging.sweep(home.journeys_path(name), world.datasets, world.stitch_logs.get(name), version)
    return world


def follow(
    lease: Lease,
    world: World,
    datasets: Mapping[str, int],
    cause: str,
    *,
    batch: BatchRecord | None = None,
    gone: Sequence[BatchRecord] = (),
    progress: Progress | None = None,
) -> World:
    """Let identity graph and connections follow new dataset versions, and publish all as one world.

    Args:
        lease: proof that nobody else writes.
        world: the newest published world.
        datasets: dataset → version that the world shall show.
        cause: what happened, in a few words.
        batch: the batch that the new version holds, as it shall be stored.
        gone: the batches that it no longer holds, likewise.
        progress: told (phase, done, total).
    """
    identities = maintain.follow(lease.home, world, datasets, progress)
    outcomes = {
        name: append(lease.home, name, world, datasets, progress, graph=identities)
        for name, connection in world.definitions.connections.items()
        if not connection.datasets.keys().isdisjoint(datasets)
    }
    return lease.publish(
        cause,
        datasets=datasets,
        identities=identities,
        batch=batch,
        ended=gone,
        **publication(outcomes),
    )


def ingest_cause(batch: BatchRecord, replaced: Sequence[BatchRecord] = ()) -> str:
    """Return what a world says that shows a new batch."""
    numbers = ", ".join(str(record.number) for record in replaced)
    return f"ingest {batch.dataset} batch {batch.number}" + (f" in place of {numbers}" if numbers else "")


def revert_cause(batches: Sequence[BatchRecord]) -> str:
    """Return what a world says that no longer shows batches of a dataset."""
    numbers = ", ".join(str(record.number) for record in batches)
    return f"revert {batches[0].dataset} batch {numbers}"


def publication(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """Return the arguments of ``Lease.publish`` that show connections' outcomes."""
    versions = {name: outcome.versions for name, outcome in outcomes.items()}
    logs = {name: found.stitch_log for name, found in versions.items()}
    devices = {name: found.devices for name, found in versions.items()}
    return {
        "journeys": {name: found.journeys for name, found in versions.items()},
        "stitch_logs": {name: log for name, log in logs.items() if log is not None},
        "devices": {name: version for name, version in devices.items() if version is not None},
        "skips": [skip for outcome in outcomes.values() for skip in outcome.skips],
    }


def _undo(lease: Lease, world: World) -> World:
    """Take a connection's tables back to the world's versions, and remove files that nobody knows."""
    home = lease.home
    journeys = _restored(home.journeys_path, world.journeys, store.KINDS)
    logs = _restored(home.stitch_log_path, world.stitch_logs, ("",))
    devices = _restored(home.devices_path, world.devices, ("",))
    known = versions_of(world)[Kind.IDENTITIES]
    identities = _restored(lambda _: home.identities_path(), known, ("",)).get(GRAPH)
    if not journeys and not logs and not devices and identities is None:
        return world
    return lease.publish(
        "recover", journeys=journeys, stitch_logs=logs, devices=devices, identities=identities
    )


def _restored(
    path_of: Callable[[str], Path], versions: Mapping[str, int], folders: tuple[str, ...]
) -> dict[str, int]:
    """Restore the tables that are ahead; return their new versions."""
    restored = {}
    for name, version in versions.items():
        table = path_of(name)
        if delta.latest_version(table) != version:
            restored[name] = delta.restore(table, version)
        delta.sweep(table, version, folders)
    return restored


def _finish(lease: Lease, world: World, name: str, progress: Progress | None) -> World:
    """Publish the batches that a dataset has beyond the world, one by one, and undo anything else."""
    table = lease.home.dataset_path(name)
    after, newest = world.datasets[name], lake.latest_version(table)
    for version, information in lake.commits(table, after, newest):
        batch = _batch(lease.home, version, information)
        gone = _ended(lease.home, batch, information)
        if batch is None and not gone:
            return lease.publish("recover", datasets={name: delta.restore(table, version - 1)})
        cause = ingest_cause(batch, gone) if batch else revert_cause(gone)
        world = follow(lease, world, {name: version}, cause, batch=batch, gone=gone, progress=progress)
    return world


def _sweep_erasures(home: Home, world: World) -> None:
    published = {request.erasure for request in requests(home.catalog)}
    for name in world.datasets:
        erasure.sweep(home.dataset_path(name), published)


def _ended(home: Home, batch: BatchRecord | None, information: Mapping[str, Any]) -> tuple[BatchRecord, ...]:
    """Return the records of the batches that a lake commit took out."""
    ids, purge = removed_batches(information)
    number = None if batch is None else batch.number
    gone = [ended(home.catalog.batch(name), replaced_by=number, purge=purge) for name in ids]
    return tuple(sorted(gone, key=lambda record: record.number))


def _batch(home: Home, version: int, information: Mapping[str, Any]) -> BatchRecord | None:
    """Return the finished record of the batch that a lake commit holds; None if it holds none."""
    if "batch" not in information:
        return None
    record = home.catalog.batch(information["batch"])
    done = datetime.now(UTC)
    return replace(record, status=BatchStatus.SUCCESS, finished_at=done, version=version)
