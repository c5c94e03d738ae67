"""Keeps which relations the catalogs list for whom: a number for each listing, rows for those in use."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from functools import cache
from itertools import count
from typing import Final

import duckdb

from sqlfront.catalog.build import add_listing, build, prepare_cursor, remove_listing
from sqlfront.catalog.relations import Relations

_MOST: Final = 64


class Listings:
    """Guards the catalogs' database and the listings in it; those least recently asked for go."""

    def __init__(self) -> None:
        self._connection = build()
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._known: OrderedDict[Hashable, int] = OrderedDict()

    def cursor(
        self, owner: Hashable, relations: Sequence[Relations], caller: dict[str, str]
    ) -> duckdb.DuckDBPyConnection:
        """Return a cursor in which the catalogs tell a caller of some relations.

        Args:
            owner: whose versions of relations these are.
            relations: what to tell of, in parts that do not know each other.
            caller: what the macros may read of who asks.
        """
        with self._lock:
            numbers = [self._number((owner, part.version), part) for part in relations]
            return prepare_cursor(self._connection, caller, numbers)

    def _number(self, key: Hashable, relations: Relations) -> int:
        if key not in self._known:
            number = next(self._numbers)
            add_listing(self._connection, number, relations)
            self._known[key] = number
            while len(self._known) > _MOST:
                remove_listing(self._connection, self._known.popitem(last=False)[1])
        self._known.move_to_end(key)
        return self._known[key]


@cache
def shared_listings() -> Listings:
    """Return the process's catalogs: what PostgreSQL has of its own is the same for every home."""
    return Listings()
