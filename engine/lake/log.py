"""Reads Delta logs commit by commit: which files the versions hold that somebody still needs."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from engine.errors import HomeError


def log_path(table: Path, version: int) -> Path:
    """Return the file of the log that holds a commit."""
    return table / "_delta_log" / f"{version:020d}.json"


def needed_files(table: Path, versions: Collection[int]) -> frozenset[str]:
    """Return the files, relative to the table, that are live in at least one of the versions.

    The cost follows the commits between the oldest and the newest version, not their product with
    the number of files.

    Raises:
        HomeError: one of the versions cannot be read.
    """
    wanted = sorted(set(versions))
    if not wanted:
        return frozenset()
    between = range(wanted[0] + 1, wanted[-1] + 1)
    if all(log_path(table, version).is_file() for version in between):
        return _replayed(table, wanted)
    return frozenset().union(*(live_files(table, version) for version in wanted))


def live_files(table: Path, version: int) -> frozenset[str]:
    """Return the live files of a version, relative to the table.

    Raises:
        HomeError: there is no such version, or the log no longer says what it held.
    """
    try:
        actions = pa.table(DeltaTable(table, version=version).get_add_actions())
    except (DeltaError, OSError) as error:
        raise HomeError(
            f"version {version} of {table} cannot be read: {str(error).partition(chr(10))[0]}",
            hint="Its log was changed by another program; restore a backup.",
        ) from None
    return frozenset(map(unquote, actions["path"].to_pylist()))


def _replayed(table: Path, wanted: Sequence[int]) -> frozenset[str]:
    """Follow the log from the first version to the last; a file counts if one of them saw it."""
    since = dict.fromkeys(live_files(table, wanted[0]), wanted[0])
    needed: set[str] = set()
    for version in range(wanted[0] + 1, wanted[-1] + 1):
        added, removed = _changes(table, version)
        for path in removed:
            first = since.pop(path, version)
            if wanted[bisect_left(wanted, first)] < version:
                needed.add(path)
        for path in added:
            since.setdefault(path, version)
    return frozenset(needed | since.keys())


def _changes(table: Path, version: int) -> tuple[list[str], list[str]]:
    """Return the files that a commit added, and those that it removed."""
    changes: dict[str, list[str]] = {"add": [], "remove": []}
    for line in log_path(table, version).read_text().splitlines():
        action: dict[str, Any] = json.loads(line)
        for kind, paths in changes.items():
            if kind in action:
                paths.append(unquote(action[kind]["path"]))
    return changes["add"], changes["remove"]
