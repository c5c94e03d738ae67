"""Pins: the worlds that reading processes still need, so that nothing vacuums their files.

A process keeps the pin of the newest world it has seen, so that a statement writes to the catalog
only when it is the first of its process to see a world.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from engine.catalog.privacy import unreadable
from engine.catalog.records import WorldRecord
from engine.catalog.store import Catalog
from engine.errors import HomeError


class Pins:
    """The pins of this process on one home. Safe to share between threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._process = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._newest: WorldRecord | None = None
        self._held: set[int] = set()
        self._readers: Counter[int] = Counter()

    def take(self, copy_to: Path | None = None) -> WorldRecord:
        """Pin the newest world and return it; ``release`` it after use.

        Args:
            copy_to: where to copy the catalog to, in the instant in which that world is the newest.
        """
        with self._lock:
            record = self._newest
            if copy_to or record is None or record.id != self._catalog.newest_world_id():
                record = self._newest = self._register(copy_to)
            self._readers[record.id] += 1
            return record

    def take_past(self, worlds: Collection[int]) -> None:
        """Pin worlds that were published before, all or none; ``release`` each of them after use.

        Raises:
            HomeError: the files of one were vacuumed.
        """
        with self._lock, self._catalog.writing() as connection:
            for world in worlds:
                record = self._catalog.world(world)
                if record is None or record.vacuumed_at is not None:
                    raise unreadable(self._catalog, world, "asked")
                self._catalog.add_pin(connection, self._process, world)
            self._held |= set(worlds)
            self._readers.update(worlds)

    def release(self, world: int) -> None:
        """Say that one reader of a world is done."""
        with self._lock:
            self._readers[world] -= 1

    def close(self) -> None:
        """Take back every pin of this process."""
        with self._lock:
            if self._held:
                with self._catalog.writing() as connection:
                    self._catalog.drop_pins(connection, self._process, list(self._held))
            self._held, self._newest = set(), None

    def _register(self, copy_to: Path | None) -> WorldRecord:
        with self._catalog.writing() as connection:
            record = self._catalog.newest_world(connection)
            if record is None:
                raise HomeError("the home has no published world", hint="Create it anew.")
            idle = {world for world in self._held if self._readers[world] == 0} - {record.id}
            self._catalog.drop_pins(connection, self._process, list(idle))
            self._catalog.add_pin(connection, self._process, record.id)
            if copy_to is not None:
                # This transaction keeps others from publishing until the copy is made.
                self._catalog.copy(copy_to)
        self._held = (self._held - idle) | {record.id}
        return record


def machine_of(process: str) -> str:
    """Return the name of the machine that a pin's process runs on."""
    return process.rsplit(":", 2)[0]


def may_live(process: str) -> bool:
    """Return whether a pin's process may still read: it lives, or runs on another machine."""
    host, pid, _ = process.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
