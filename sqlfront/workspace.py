"""The DuckDB in which the rest of every statement runs: in memory, locked, and blind to all but datasets."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import duckdb

from engine import memory
from engine.locking import locked
from sqlfront.admission import PLACES, Admission
from sqlfront.watch import Watch

Value = TypeVar("Value")

SPILLED: Final = 4
"""So many times the memory limit may lie on the disk, for all answers under way together."""
_SETTINGS: Final = (
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL integer_division = true",
    "SET GLOBAL error_on_division_by_zero = false",
    "SET GLOBAL allowed_configs = ['streaming_buffer_size']",
)


class Cache(Generic[Value]):
    """Keeps the most recently used results of a function; safe to share between threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what is kept under a key, or make it; two threads may both make it."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        made = make()
        with self._lock:
            self._known[key] = made
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return made


def _config() -> dict[str, bool | int | float | str | list[str]]:
    """Return settings: sorts and joins that need more than their memory spill, but do not fill the disk."""
    return {
        **memory.duckdb_settings(),
        "max_temp_directory_size": f"{SPILLED * memory.limit()}B",
    }


class Workspace:
    """One DuckDB per process; what a statement registers is seen by its own cursor only.

    Args:
        datasets: the one folder that statements may read, ``<home>/datasets``.
        places: so many statements work at once.

    Attributes:
        admission: to its work.
        watch: over the memory that its work takes.
        plans: planned statements.
        unique: whether a relation is unique on a key.
        empty: answers of reports over no events.
    """

    def __init__(self, datasets: Path, places: int = PLACES) -> None:
        self.admission = Admission(places)
        self.watch = Watch()
        self._lock = threading.Lock()
        self._database = duckdb.connect(":memory:", config=_config())
        for setting in _SETTINGS:
            self._database.execute(setting)
        locked(self._database, (datasets,))
        self.plans: Cache[Any] = Cache(1024)
        self.unique: Cache[bool] = Cache(1024)
        self.empty: Cache[Any] = Cache(1024)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to the database; the caller closes it."""
        with self._lock:
            return self._database.cursor()
