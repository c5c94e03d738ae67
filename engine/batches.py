"""Takes batches back: one lake commit without them, journeys that follow, one published world.

Replacing a batch is an ingestion whose commit also takes its predecessors out: ``flow.ingest``.
"""

from __future__ import annotations

from dataclasses import replace

from engine.catalog.records import BatchRecord, BatchStatus
from engine.flow import OnWait
from engine.ingest.batch import dataset_of
from engine.ingest.ending import active_batch, ended, find_batch
from engine.journeys.runs import Progress
from engine.lake.removal import remove_batches
from engine.recovery import follow, recover, revert_cause
from engine.world import Home, Lease, World

__all__ = ["batches", "delete", "revert"]


def batches(home: Home, dataset: str) -> list[BatchRecord]:
    """Return the batches of a dataset in the order of their numbers.

    Raises:
        UnknownNameError: there is no such dataset.
    """
    dataset_of(home.current().definitions, dataset)
    return home.catalog.batches(dataset)


def revert(
    home: Home,
    dataset: str,
    number: int,
    *,
    progress: Progress | None = None,
    on_wait: OnWait | None = None,
) -> BatchRecord:
    """Take a batch out of its dataset and out of all journeys, as one world; return its record.

    Its files stay for older worlds until a vacuum after the retention time.

    Args:
        home: the home.
        dataset: name of the dataset.
        number: number of the batch.
        progress: told (phase, done, total) while journeys follow.
        on_wait: told if another process is writing.

    Raises:
        UnknownNameError: there is no such dataset or batch.
        InputError: the batch is not active.
    """
    with home.lease(on_wait=on_wait) as lease:
        world = recover(lease, progress)
        dataset_of(world.definitions, dataset)
        batch = active_batch(home.catalog, dataset, number)
        return _revert(lease, world, batch, purge=False, progress=progress)


def delete(
    home: Home,
    dataset: str,
    number: int,
    *,
    progress: Progress | None = None,
    on_wait: OnWait | None = None,
) -> BatchRecord:
    """Revert a batch and let the next vacuum remove its files at once; arguments as of ``revert``.

    A batch that is inactive already is only marked for that vacuum.
    """
    with home.lease(on_wait=on_wait) as lease:
        world = recover(lease, progress)
        dataset_of(world.definitions, dataset)
        batch = find_batch(home.catalog, dataset, number)
        if batch.status is BatchStatus.INACTIVE and not batch.purge:
            home.catalog.purge_batch(batch.id)
            return replace(batch, purge=True)
        batch = active_batch(home.catalog, dataset, number)
        return _revert(lease, world, batch, purge=True, progress=progress)


def _revert(
    lease: Lease, world: World, batch: BatchRecord, *, purge: bool, progress: Progress | None
) -> BatchRecord:
    table, before = lease.home.dataset_path(batch.dataset), world.datasets[batch.dataset]
    version = remove_batches(table, before, [batch.id], purge=purge)
    gone = ended(batch, purge=purge)
    follow(lease, world, {batch.dataset: version}, revert_cause([gone]), gone=[gone], progress=progress)
    return gone
