"""Vacuum: removes the files that no world needs which somebody may still want to see.

First the catalog marks the worlds that go, in one transaction that also sees every pin; only then
files are removed. What to remove is worked out from the worlds that stay, so a vacuum that dies is
finished by the next one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from socket import gethostname
from typing import Final

from engine.catalog.pins import machine_of, may_live
from engine.catalog.privacy import note_vacuum, requests, rewrite
from engine.catalog.records import BatchRecord, BatchStatus
from engine.errors import InputError
from engine.journeys import as_of_files, staging
from engine.journeys.runs import Progress
from engine.lake import delta
from engine.lake import table as lake
from engine.lake.log import needed_files
from engine.recovery import recover
from engine.tables import Kind, Table, on_disk, read_by
from engine.world import Home, Lease, World

KEEP: Final = timedelta(days=7)
"""How long a world can be returned to after another one took its place, if nobody says otherwise."""


@dataclass(frozen=True)
class Removed:
    """Files of one table that are removed, or would be."""

    table: str
    files: int
    bytes: int


@dataclass(frozen=True)
class Vacuumed:
    """What a vacuum did, or would do.

    Attributes:
        gone: worlds that nobody can return to any more, marked by this vacuum.
        kept: worlds that stay.
        pinned: worlds that stay only because a process reads them → where those processes run.
        removed: per table with something to remove.
        deleted: inactive batches whose files are gone: (dataset, number).
    """

    gone: tuple[int, ...]
    kept: tuple[int, ...]
    pinned: Mapping[int, tuple[str, ...]]
    removed: tuple[Removed, ...]
    deleted: tuple[tuple[str, int], ...]

    @property
    def files(self) -> int:
        """Number of files removed."""
        return sum(table.files for table in self.removed)

    @property
    def bytes(self) -> int:
        """Bytes given back."""
        return sum(table.bytes for table in self.removed)


@dataclass(frozen=True)
class _Plan:
    """Which worlds stay, and why."""

    kept: tuple[World, ...]
    gone: tuple[World, ...]
    pinned: Mapping[int, tuple[str, ...]]


def vacuum(
    home: Home,
    *,
    keep: timedelta = KEEP,
    dry_run: bool = False,
    release: Collection[str] = (),
    progress: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> Vacuumed:
    """Remove the files that neither the newest world needs, nor a pinned or a young one.

    A world is young for the given time after it was replaced as the newest; one that shows a batch
    which was deleted for good is not.

    Args:
        home: the home.
        keep: how long worlds stay that nobody reads.
        dry_run: only say what would go.
        release: machines whose processes are known to be gone: their pins do not count.
        progress: told (phase, done, total).
        on_wait: told if another process is writing.

    Raises:
        HomeError: a world that stays cannot be read.
        InputError: this machine is to be released.
    """
    if gethostname() in release:
        raise InputError(
            f"{gethostname()} is this machine, whose processes are known",
            hint="Release other machines; stop processes of this one.",
        )
    with home.lease(on_wait=on_wait) as lease:
        if not dry_run:
            recover(lease, progress)
        plan = _plan(home, keep, release) if dry_run else _marked(lease, keep, release)
        needed = _needed(home, plan.kept)
        pieces = _resumable(home)
        doomed = {
            table: list(_unneeded(table, needed.get(table, frozenset()), pieces)) for table in on_disk(home)
        }
        known = (_sizes(table, files) for table, files in doomed.items() if files)
        removed = (*known, *_of_then(home, dry_run=dry_run))
        if not dry_run:
            _remove(doomed, progress)
            _finish_requests(home, plan)
        deleted = _deleted(lease, needed, dry_run=dry_run)
    return Vacuumed(_ids(plan.gone), _ids(plan.kept), plan.pinned, removed, deleted)


def _of_then(home: Home, *, dry_run: bool) -> Iterator[Removed]:
    """Remove what is kept of identities of past instants, or say what would go."""
    for swept in as_of_files.sweep(home, dry_run=dry_run):
        yield Removed(f"identities as of, {swept.connection}", swept.files, swept.bytes)


def _finish_requests(home: Home, plan: _Plan) -> None:
    """Note which privacy requests have left no trace: in files of worlds that stay, and in the catalog."""
    waiting = [request for request in requests(home.catalog) if request.vacuumed_at is None]
    oldest = min(world.id for world in plan.kept)
    done = [request for request in waiting if request.world <= oldest]
    if done and rewrite(home.catalog):
        note_vacuum(home.catalog, upto=oldest)


def _marked(lease: Lease, keep: timedelta, release: Collection[str]) -> _Plan:
    """Decide, and mark the worlds that go; nobody can pin meanwhile."""
    catalog = lease.home.catalog
    with catalog.writing() as connection:
        plan = _plan(lease.home, keep, release)
        dead = {process for process, _ in catalog.pins() if not _counts(process, release)}
        catalog.drop_processes(connection, dead)
        catalog.mark_vacuumed(connection, _ids(plan.gone))
    return plan


def _plan(home: Home, keep: timedelta, release: Collection[str]) -> _Plan:
    every = home.worlds()
    readers: dict[int, list[str]] = {}
    for process, number in home.catalog.pins():
        if _counts(process, release):
            readers.setdefault(number, []).append(machine_of(process))
    young = _young(home, every, datetime.now(UTC) - keep) | {every[-1].id}
    # Of the worlds that may be gone, only one that was being read when identities were deleted is pinned.
    stay = [world for world in every if world.id in young or world.id in readers]
    return _Plan(
        tuple(stay),
        tuple(world for world in every if world not in stay and world.vacuumed_at is None),
        {world.id: tuple(sorted(set(readers[world.id]))) for world in stay if world.id not in young},
    )


def _counts(process: str, release: Collection[str]) -> bool:
    return may_live(process) and machine_of(process) not in release


def _young(home: Home, worlds: list[World], since: datetime) -> set[int]:
    """Return the worlds that were the newest at a moment or later, without those that must not stay."""
    young = [world for world, next_one in pairwise(worlds) if next_one.published_at > since]
    young = [world for world in young if world.vacuumed_at is None]
    purged = {batch.id for batch in home.catalog.batches(status=BatchStatus.INACTIVE) if batch.purge}
    return {world.id for world in young if not (purged and _shows(home, world, purged))}


def _shows(home: Home, world: World, batches: Collection[str]) -> bool:
    return any(
        file.batch in batches
        for table, version in read_by(home, world).items()
        if table.kind is Kind.DATASET
        for file in lake.files(table.path, version)
    )


def _ids(worlds: Collection[World]) -> tuple[int, ...]:
    return tuple(world.id for world in worlds)


def _needed(home: Home, worlds: Collection[World]) -> dict[Table, frozenset[str]]:
    """Return the files that worlds need, per table that they read; relative to the table."""
    versions: dict[Table, set[int]] = {}
    for world in worlds:
        for table, version in read_by(home, world).items():
            versions.setdefault(table, set()).add(version)
    for table in read_by(home, home.current()):
        # Without a recovery, a table may hold a batch that is about to be published.
        versions[table].add(delta.latest_version(table.path))
    return {table: needed_files(table.path, wanted) for table, wanted in versions.items()}


def _resumable(home: Home) -> frozenset[Path]:
    """Return the folders with pieces of rebuilds and replays that can go on from them."""
    world = home.current()
    found = [
        table.path / staging.FOLDER
        for table in on_disk(home)
        if table.kind is Kind.JOURNEYS
        and staging.is_current(
            table.path,
            world.datasets,
            world.stitch_logs.get(table.name),
            world.journeys.get(table.name),
        )
    ]
    return frozenset(found)


def _unneeded(table: Table, needed: frozenset[str], pieces: Collection[Path]) -> Iterator[Path]:
    """Yield a table's files that are not needed; its log stays, and so do files derived from needed ones."""
    stems = {Path(path).stem for path in needed}
    for path in sorted(table.path.rglob("*")):
        relative = path.relative_to(table.path)
        folder = relative.parts[0]
        if folder == "_delta_log" or not path.is_file() or relative.as_posix() in needed:
            continue
        if folder == staging.FOLDER:
            if table.path / folder not in pieces:
                yield path
        elif not (folder.startswith("_") and path.name.split(".")[0] in stems):
            yield path


def _sizes(table: Table, files: list[Path]) -> Removed:
    return Removed(str(table), len(files), sum(path.stat().st_size for path in files))


def _remove(doomed: Mapping[Table, list[Path]], progress: Progress | None) -> None:
    total, done = sum(map(len, doomed.values())), 0
    for table, files in doomed.items():
        for path in files:
            path.unlink(missing_ok=True)
            done += 1
            if progress is not None and (done % 100 == 0 or done == total):
                progress("removing files", done, total)
        _remove_empty(table.path)


def _remove_empty(table: Path) -> None:
    """Remove the folders of a table that hold nothing any more, such as those of merged buckets."""
    for folder, _, _ in os.walk(table, topdown=False):
        path = Path(folder)
        if path != table and path.name != "_delta_log" and not any(path.iterdir()):
            path.rmdir()


def _deleted(
    lease: Lease, needed: Mapping[Table, frozenset[str]], *, dry_run: bool
) -> tuple[tuple[str, int], ...]:
    """Note which inactive batches have no file left; return them."""
    catalog = lease.home.catalog
    left = {Path(path).name.split("-")[1] for files in _of_datasets(needed) for path in files}
    gone: list[BatchRecord] = [
        batch for batch in catalog.batches(status=BatchStatus.INACTIVE) if batch.id not in left
    ]
    if gone and not dry_run:
        with catalog.writing() as connection:
            catalog.mark_deleted(connection, [batch.id for batch in gone])
    return tuple((batch.dataset, batch.number) for batch in gone)


def _of_datasets(needed: Mapping[Table, frozenset[str]]) -> Iterator[frozenset[str]]:
    return (files for table, files in needed.items() if table.kind is Kind.DATASET)
