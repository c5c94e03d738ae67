"""Delta tables that stay open: a newer version costs the commits since, not a look at the whole log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable

from engine.lake.log import log_path

_TABLES: Final = 64


@contextmanager
def opened(table: Path, version: int | None = None) -> Iterator[DeltaTable]:
    """Lend a table as of a version, None is the newest; whoever else wants the table waits meanwhile.

    Args:
        table: folder of the table.
        version: its version.

    Raises:
        DeltaError: there is no such table or version.
    """
    kept = _kept(table, identity(table))
    with kept.lock:
        yield kept.at(version)


def file_actions(table: Path, version: int) -> pa.Table:
    """Return what the log says of a version's files: ``path``, ``num_records``, bounds such as ``min.a``."""
    with opened(table, version) as delta:
        return pa.table(delta.get_add_actions(flatten=True))


def identity(table: Path) -> tuple[int, int]:
    """Return what tells a table from an earlier one in the same folder."""
    try:
        first = log_path(table, 0).stat()
    except FileNotFoundError:
        return (0, 0)
    return first.st_ino, first.st_mtime_ns


class _Kept:
    """A table at the newest version that was asked for."""

    def __init__(self, table: Path) -> None:
        self.lock = threading.RLock()
        self._table = table
        self._delta = DeltaTable(table)

    def at(self, version: int | None) -> DeltaTable:
        """Return the table as of a version; the lock is held."""
        if version is None or version > self._delta.version():
            self._delta.update_incremental()
        if version is None or version == self._delta.version():
            return self._delta
        return DeltaTable(self._table, version=version)


@lru_cache(maxsize=_TABLES)
def _kept(table: Path, _: tuple[int, int]) -> _Kept:
    return _Kept(table)
