"""Backup and restore: a copy of everything that the newest world needs, and a new home made from it.

A backup takes no lease. It copies the catalog and pins the world in one transaction; the files of a
world never change, so they are copied while others write and read. Both directions work in a folder
beside the target that takes its name once everything is on the disk, so nothing half-made is seen.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from engine.catalog.records import BatchStatus
from engine.catalog.store import Catalog
from engine.errors import HomeError
from engine.folders import new_folder, sync_folders
from engine.lake.commits import sync_file
from engine.lake.log import needed_files
from engine.manifest import Entry, Manifest, read_manifest, write_manifest
from engine.recovery import recover
from engine.tables import check_files, read_by
from engine.world import FORMAT, Home, World

Progress = Callable[[str, int, int], None]
"""Told of long work: phase, bytes done, bytes in all."""

_CONTENT: Final = "home"
_CATALOG: Final = "catalog.db"
_PIECE: Final = 1 << 22


@dataclass(frozen=True)
class Copied:
    """What a backup holds, or what was restored from one.

    Attributes:
        folder: the backup, or the new home.
        world: the one world in it.
    """

    folder: Path
    world: int
    published_at: datetime
    files: int
    bytes: int


def backup(home: Home, target: Path, *, progress: Progress | None = None) -> Copied:
    """Copy what the newest world needs into a new folder, with checksums.

    Others may write and read meanwhile; what they publish after the start is not in the backup.

    Args:
        home: the home.
        target: the folder to make; must not exist, or be empty.
        progress: told (phase, bytes done, bytes in all).

    Raises:
        HomeError: the target is there already or lies in the home, or the home has lost files.
    """
    target = target.absolute()
    if target.resolve().is_relative_to(home.root.resolve()):
        raise HomeError(f"{target} is inside the home", hint="Choose a folder outside of it.")
    with new_folder(target) as folder:
        content = folder / _CONTENT
        content.mkdir()
        with home.snapshot(content / _CATALOG) as world:
            _settle(content / _CATALOG, world)
            entries = [_entry(content, _CATALOG), *_copy_tables(home, world, content, progress)]
        manifest = Manifest(FORMAT, world.id, world.published_at, datetime.now(UTC), tuple(entries))
        write_manifest(folder, manifest)
        sync_folders(folder)
    return _copied(target, manifest)


def restore(source: Path, target: Path, *, progress: Progress | None = None) -> Copied:
    """Make a new home from a backup, every file checked; the home shows the backup's world.

    Args:
        source: the backup.
        target: the home to make; must not exist, or be empty.
        progress: told (phase, bytes done, bytes in all).

    Raises:
        HomeError: the target is there already or lies in the backup; the backup is none, is
            damaged, or is of a newer wayline. Nothing is left behind.
    """
    manifest = read_manifest(source)
    if target.resolve().is_relative_to(source.resolve()):
        raise HomeError(f"{target} is inside the backup", hint="Choose a folder outside of it.")
    if manifest.home_format > FORMAT:
        raise HomeError(
            f"{source} holds a home of format {manifest.home_format}; this wayline knows up to {FORMAT}",
            hint="Upgrade wayline.",
        )
    with new_folder(target.absolute()) as folder:
        _copy_back(source, manifest, folder, progress)
        _check_home(folder, manifest.world)
        sync_folders(folder)
    return _copied(target.absolute(), manifest)


def _copied(folder: Path, manifest: Manifest) -> Copied:
    size = sum(entry.bytes for entry in manifest.files)
    return Copied(folder, manifest.world, manifest.published_at, len(manifest.files), size)


def _settle(path: Path, world: World) -> None:
    """Make a copied catalog say what its backup holds: one world, and nobody who reads it."""
    catalog = Catalog(path)
    others = {known.id for known in catalog.worlds()} - {world.id}
    inactive = [batch.id for batch in catalog.batches(status=BatchStatus.INACTIVE)]
    with catalog.writing() as connection:
        catalog.drop_processes(connection, {process for process, _ in catalog.pins()})
        catalog.mark_vacuumed(connection, others)
        catalog.mark_deleted(connection, inactive)
    catalog.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    sync_file(path)


def _copy_tables(home: Home, world: World, content: Path, progress: Progress | None) -> Iterator[Entry]:
    """Copy the tables that a world reads, as far as it sees them."""
    names: list[str] = []
    for table, version in read_by(home, world).items():
        check_files(table, version)
        found = [*needed_files(table.path, [version]), *_log_files(table.path, version)]
        names += [(table.path / name).relative_to(home.root).as_posix() for name in sorted(found)]
    done, total = 0, sum((home.root / name).stat().st_size for name in names)
    for name in names:
        entry = _copy(home.root / name, content / name, name)
        done += entry.bytes
        if progress is not None:
            progress("copying", done, total)
        yield entry


def _log_files(table: Path, version: int) -> Iterator[str]:
    """Yield the files of a table's log that say something of a version or of those before it."""
    for path in (table / "_delta_log").iterdir():
        number = path.name.partition(".")[0]
        written = path.suffix in (".json", ".parquet")
        if written and number.isdigit() and int(number) <= version:
            yield f"_delta_log/{path.name}"


def _copy_back(source: Path, manifest: Manifest, folder: Path, progress: Progress | None) -> None:
    done, total = 0, sum(entry.bytes for entry in manifest.files)
    for entry in manifest.files:
        try:
            copied = _copy(source / _CONTENT / entry.path, folder / entry.path, entry.path)
        except FileNotFoundError:
            raise _damaged(source, entry, "is missing") from None
        if copied != entry:
            raise _damaged(source, entry, "does not have the content that was backed up")
        done += entry.bytes
        if progress is not None:
            progress("restoring", done, total)


def _damaged(source: Path, entry: Entry, what: str) -> HomeError:
    return HomeError(
        f"{source} is damaged: {entry.path} {what}",
        hint="Nothing was restored; take another backup.",
    )


def _check_home(folder: Path, world: int) -> None:
    """Open a restored home as the next writer does, and make sure that its world can be read."""
    home = Home.open(folder)
    with home.lease() as lease:
        found = recover(lease)
    for table, version in read_by(home, found).items():
        check_files(table, version)
    home.close()
    (folder / "writer.lock").unlink()
    if found.id != world:
        raise HomeError(f"the backup says that it holds world {world}, but it holds {found.id}")


def _entry(content: Path, name: str) -> Entry:
    with (content / name).open("rb") as file:
        return Entry(name, *_digest(file, ()))


def _copy(source: Path, target: Path, name: str) -> Entry:
    """Copy a file byte for byte, so that no later change of one can reach the other."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as read, target.open("xb") as write:
        size, digest = _digest(read, (write,))
        write.flush()
        os.fsync(write.fileno())
    return Entry(name, size, digest)


def _digest(read: BinaryIO, copies: Sequence[BinaryIO]) -> tuple[int, str]:
    """Read a file to its end, into copies; return its size and checksum."""
    digest, size = hashlib.sha256(), 0
    for piece in _pieces(read):
        digest.update(piece)
        size += len(piece)
        for copy in copies:
            copy.write(piece)
    return size, digest.hexdigest()


def _pieces(read: BinaryIO) -> Iterable[bytes]:
    return iter(lambda: read.read(_PIECE), b"")
