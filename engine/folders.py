"""Folders that appear whole or not at all: made under another name, renamed once they are on the disk."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from engine.errors import HomeError


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that gets the target's name when the block ends, and goes if it fails.

    What an earlier process that died has left of the same folder is removed first.

    Args:
        target: absolute; must not exist, or be an empty folder.

    Raises:
        HomeError: there is something already, or another process is making the same folder.
    """
    _require_free(target)
    _make_parent(target)
    partial = target.parent / f".{target.name}.partial"
    partial.mkdir(exist_ok=True)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        _lock(descriptor, target)
        _empty(partial)
        try:
            yield partial
            _require_free(target)
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial)
            raise
        sync_folder(target.parent)
    finally:
        os.close(descriptor)


def sync_folders(folder: Path) -> None:
    """Return once the names of all files below a folder are on the disk."""
    for path, _, _ in os.walk(folder):
        sync_folder(Path(path))


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_free(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise HomeError(f"{target} is there already", hint="Name a folder that does not exist yet.")


def _make_parent(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"cannot create {target}: {error.strerror}", hint="Check the path and its permissions."
        ) from None


def _lock(descriptor: int, target: Path) -> None:
    """Keep others out of a folder; the kernel lets go when this process dies."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HomeError(
            f"another process is making {target}", hint="Wait for it, or name another folder."
        ) from None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@lru_cache(maxsize=1)
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="wayline-")


def scratch() -> Path:
    """Return the process's folder for files that do not outlive it."""
    return Path(_scratch().name)
