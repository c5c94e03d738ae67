"""Journeys with the persons of an earlier instant: what differs from now, kept as files beside the home's.

A scan reads them like the newest commit, so a question costs what it costs plus what was learned since.
They are made when they are first asked for, under a lock of their own; who reads them holds them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from engine.catalog.lock import exclusive
from engine.errors import BusyError
from engine.folders import new_folder, sync_folders
from engine.identities import past
from engine.journeys import as_of, stitch_log, store
from engine.journeys.store import Files, JourneyFile, Kind
from engine.lake.commits import sync_file
from engine.lake.delta import NewFile
from engine.world import Home, World

MOST: Final = 32
"""So many are kept in a home, those used last."""
MOST_BYTES: Final = 2 << 30
"""So many bytes they may take; the one made last stays in any case."""

_SEQUENCE: Final = 1 << 62
"""They count as newer than any commit."""
_KINDS: Final = (Kind.LEVEL0, Kind.MASK)
_MANIFEST: Final = "files.json"
_FORMAT: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PATIENCE: Final = 0.2
"""Seconds between two looks at whether a question that waits was cancelled."""


@dataclass(frozen=True)
class Seen:
    """The files in which a world shows a connection's journeys.

    Attributes:
        hold: as long as it lives, nobody removes those of them that are not the table's own.
    """

    files: Files
    hold: object | None = None


@dataclass(frozen=True)
class Swept:
    """What a sweep removes of a connection, or would."""

    connection: str
    files: int
    bytes: int


class _Hold:
    """Guards a shared lock on a folder, which goes with the object."""

    def __init__(self, descriptor: int) -> None:
        weakref.finalize(self, os.close, descriptor)


def seen(home: Home, world: World, name: str, version: int, check: Callable[[], None] = lambda: None) -> Seen:
    """Return a connection's journeys as a world shows them, with the persons of its ``identity_as_of``.

    Args:
        home: the home.
        world: the world; nothing may vacuum its files meanwhile.
        name: the connection.
        version: of its journeys, as the world has it.
        check: called while files are made or waited for; what it raises is raised.

    Raises:
        HomeError: the disk does not take the files.
    """
    files = store.files(home.journeys_path(name), version)
    if world.identity_as_of is None or name not in world.stitch_logs:
        return Seen(files)
    instant = (world.identity_as_of - _EPOCH) // _MICROSECOND
    cut = _last_learned(home, world, name, instant)
    if cut is None:
        return Seen(files)
    folder = _root(home) / name / f"{_state(world, name)}-{cut}"
    hold = _held(folder) or _made(home, world, name, instant, folder, check)
    rows, masks = _read(folder)
    return Seen(replace(files, level0=(*files.level0, *rows), masks=(*files.masks, *masks)), hold)


def sweep(home: Home, *, everything: bool = False, dry_run: bool = False) -> list[Swept]:
    """Remove what belongs to no newest world, or everything; what is being read stays.

    Returns:
        What goes, per connection of which something does.
    """
    if not _root(home).is_dir():
        return []
    with exclusive(_lock(home)):
        world = home.current()
        doomed = [folder for folder in _kept(home) if everything or not _is_of(folder, world)]
        found: dict[str, list[int]] = {}
        for folder in doomed:
            sizes = _sizes(folder)
            if dry_run or _remove(folder):
                found.setdefault(folder.parent.name, []).extend(sizes)
        return [Swept(name, len(sizes), sum(sizes)) for name, sizes in found.items()]


def _root(home: Home) -> Path:
    return home.root / "asof"


def _lock(home: Home) -> Path:
    return _root(home) / "making.lock"


def _last_learned(home: Home, world: World, name: str, instant: int) -> int | None:
    """Return when something was last logged by an instant, or 0; None if nothing was logged since."""
    log = home.stitch_log_path(name)
    spans = [stitch_log.logged_between(path) for path in stitch_log.paths(log, world.stitch_logs[name])]
    if all(last <= instant for _, last in spans):
        return None
    known = [min(last, instant) for first, last in spans if first <= instant]
    linked = past.last_came(home, world, _EPOCH + timedelta(microseconds=instant))
    if linked is not None and world.definitions.connections[name].asks_graph:
        known.append((linked - _EPOCH) // _MICROSECOND)
    return max(known, default=0)


def _state(world: World, name: str) -> str:
    """Return what names a connection's events and persons in a world, whatever files they lie in."""
    connection = world.definitions.connections[name]
    parts = [
        _FORMAT,
        world.stitch_logs[name],
        world.identities if connection.asks_graph else None,
        connection.model_dump_json(),
        *(
            [dataset, world.datasets[dataset], world.definitions.datasets[dataset].model_dump_json()]
            for dataset in connection.datasets
        ),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]


def _held(folder: Path) -> _Hold | None:
    """Hold a folder that is there and stays."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    hold = _Hold(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), folder.stat()):
            return None
    except (BlockingIOError, FileNotFoundError):
        return None
    os.utime(folder)
    return hold


def _made(
    home: Home, world: World, name: str, instant: int, folder: Path, check: Callable[[], None]
) -> _Hold | None:
    """Make a folder unless somebody else has meanwhile, and hold it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _making(home, check):
        if (hold := _held(folder)) is not None:
            return hold
        _remove_leavings(home)
        found = as_of.difference(home, world, name, instant, check)
        with new_folder(folder) as partial:
            _write(partial, *as_of.write(partial, found, check))
            sync_folders(partial)
        hold = _held(folder)
        _bound(home, folder)
        return hold


@contextmanager
def _making(home: Home, check: Callable[[], None]) -> Iterator[None]:
    """Be the only one who makes or removes, in all processes and threads."""
    with ExitStack() as stack:
        while True:
            check()
            try:
                stack.enter_context(exclusive(_lock(home), wait=_PATIENCE))
                break
            except BusyError:
                continue
        yield


def _bound(home: Home, newest: Path) -> None:
    """Remove those used longest ago where there are too many, or too large ones."""
    every = sorted(_kept(home), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
    every.sort(key=lambda folder: folder != newest)
    size = 0
    for place, folder in enumerate(every):
        size += sum(_sizes(folder))
        if place and (place >= MOST or size > MOST_BYTES):
            _remove(folder)


def _remove(folder: Path) -> bool:
    """Remove a folder that nobody holds; return whether it goes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Under another name first: half a folder must not be taken for a whole one.
        shutil.rmtree(folder.rename(folder.with_name(f".{folder.name}.gone")))
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _remove_leavings(home: Home) -> None:
    """Remove what is on its way out, and what processes that died have left."""
    for path in _root(home).glob("*/.*"):
        shutil.rmtree(path)


def _kept(home: Home) -> list[Path]:
    return sorted(path for path in _root(home).glob("*/*/") if not path.name.startswith("."))


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()]


def _is_of(folder: Path, world: World) -> bool:
    name = folder.parent.name
    known = name in world.definitions.connections and name in world.stitch_logs
    return known and folder.name.startswith(f"{_state(world, name)}-")


def _write(folder: Path, rows: list[NewFile], masks: list[NewFile]) -> None:
    kinds = zip(_KINDS, (rows, masks), strict=True)
    listed = {kind: [[file.path, file.rows, file.times] for file in files] for kind, files in kinds}
    (folder / _MANIFEST).write_text(json.dumps(listed), encoding="utf-8")
    sync_file(folder / _MANIFEST)


def _read(folder: Path) -> tuple[list[JourneyFile], list[JourneyFile]]:
    """Return the files of rows and of masks in a folder, under their absolute paths."""
    listed = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    rows, masks = ([_file(folder, kind, *entry) for entry in listed[kind]] for kind in _KINDS)
    return rows, masks


def _file(folder: Path, kind: Kind, path: str, rows: int, times: tuple[Any, int, int] | None) -> JourneyFile:
    _, first, last = times or (None, None, None)
    return JourneyFile(str(folder / path), kind, rows, sequence=_SEQUENCE, min_time=first, max_time=last)
