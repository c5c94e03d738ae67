"""One person's journey, found by the hash of the person: other persons' rows are not looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

from engine.journeys.columns import HASH_HIGH, HASH_LOW
from engine.journeys.layers import kept
from engine.journeys.order import hash_persons
from engine.journeys.overlay import Keys
from engine.journeys.scan import Chunk, Load


def chunk_of(person: str, found: Iterable[Load], check: Callable[[], None] = lambda: None) -> Chunk | None:
    """Return a chunk with all rows of one person; None if there is no such person.

    Args:
        person: the person's id.
        found: the chunks of the journeys, yet to be decoded.
        check: called between chunks; what it raises is raised.
    """
    hashed = hash_persons(pl.Series([person]))
    high, low = hashed[HASH_HIGH][0], hashed[HASH_LOW][0]
    for load in found:
        check()
        keys = load.source.keys()
        place = _place(keys, high, low)
        if place is None:
            continue
        rows = np.arange(keys.offsets[place], keys.offsets[place + 1], dtype=np.int64)
        counts = kept(load.source, load.later, load.table)
        if counts is None or counts[rows[0]]:
            columns = {name: load.source.column(name).take(rows) for name in load.names}
            return Chunk(np.array([0, rows.size]), keys.times[rows], columns)
    return None


def _place(keys: Keys, high: int, low: int) -> int | None:
    """Return the place of the person with a hash."""
    first, last = np.searchsorted(keys.highs, high, "left"), np.searchsorted(keys.highs, high, "right")
    places = np.flatnonzero(keys.lows[first:last] == low)
    return int(first + places[0]) if places.size else None
