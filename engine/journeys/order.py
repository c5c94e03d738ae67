"""Journey order: persons by hash, then time, dataset order and event id.

The order is total and depends on nothing but the rows, so no answer depends on how they arrived.
Rows are sorted by integers; event ids are looked at only where those are equal.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from engine.journeys.columns import DATASET, EVENT_ID, HASH_HIGH, HASH_LOW, PERSON, TIME
from engine.journeys.digests import ask
from engine.lake.table import ROW
from stitching.devices import grouped
from stitching.names import Names

_SHIFT: Final = 1 << 63
_INTEGERS: Final = (HASH_HIGH, HASH_LOW, TIME, DATASET)
_HASHES: Final = f"""SELECT ((digest & {(1 << 64) - 1})::HUGEINT - {_SHIFT})::BIGINT AS {HASH_HIGH},
    ((digest >> 64)::HUGEINT - {_SHIFT})::BIGINT AS {HASH_LOW}
FROM (SELECT place, md5_number(person)::UHUGEINT AS digest FROM given) ORDER BY place"""


def hash_persons(names: pl.Series) -> pl.DataFrame:
    """Return ``_hash_high``, ``_hash_low`` (of the MD5) of N persons, none of them null.

    Each is a half of the digest as a little-endian number, less 2⁶³ so that it fits and keeps its order.
    """
    return ask(_HASHES, names.alias("person").to_frame().with_row_index("place"))


def bucket_bounds(bucket: int, buckets: int) -> tuple[int, int]:
    """Return the first and the last ``_hash_high`` of a bucket; ``buckets`` is a power of two."""
    width = (1 << 64) // buckets
    first = bucket * width - _SHIFT
    return first, first + width - 1


def buckets_of(highs: np.ndarray[Any, np.dtype[np.int64]], buckets: int) -> np.ndarray[Any, Any]:
    """Return the bucket of each ``_hash_high``, ascending with it."""
    if buckets == 1:
        return np.zeros(len(highs), np.int64)
    shifted = highs.view(np.uint64) ^ np.uint64(_SHIFT)
    places: np.ndarray[Any, Any] = shifted >> np.uint64(65 - buckets.bit_length())
    return places.astype(np.int64)


def hashed_and_ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the hash columns, in journey order; each distinct person is hashed once.

    Args:
        rows: at least ``_person``, never null, ``_time``, ``_dataset``, ``_event_id`` and ``_row``.
    """
    names = Names()
    persons = names.number(rows[PERSON])
    hashes = hash_persons(names.texts())
    ranks = np.empty(len(names), np.int32)
    ranks[hashes.select(pl.arg_sort_by(HASH_HIGH, HASH_LOW)).to_series().to_numpy()] = np.arange(len(names))
    order = pl.Series(grouped(ranks[persons], len(names), rows[TIME].to_numpy()).order)
    hashed = rows.with_columns(hashes[persons])
    return hashed[_settled(hashed, order)]


def journey_order(rows: pl.DataFrame) -> pl.Series:
    """Return the row numbers that put rows into journey order.

    Args:
        rows: at least the hash columns, ``_time``, ``_dataset``, ``_event_id`` and ``_row``.
    """
    columns = [pl.col(name) for name in _INTEGERS]
    return _settled(rows, rows.select(pl.arg_sort_by(*columns, maintain_order=True)).to_series())


def _settled(rows: pl.DataFrame, order: pl.Series) -> pl.Series:
    """Settle the rest of an order by person and time."""
    tied = _tied(rows, order)
    if not tied.any():
        return order
    places = tied.arg_true()
    members = order.gather(places)
    keys = [*_INTEGERS, EVENT_ID, ROW]
    settled = members.gather(
        rows.select(keys).select(pl.all().gather(members)).select(pl.arg_sort_by(*keys)).to_series()
    )
    return order.scatter(places, settled)


def _tied(rows: pl.DataFrame, order: pl.Series) -> pl.Series:
    """Return for each place in the order whether person and time equal those of a neighbour."""
    same = pl.Series(np.ones(len(rows), bool))
    for name in (TIME, HASH_LOW, HASH_HIGH):
        if not same.any():
            return same
        ordered = rows[name].gather(order)
        same = same & (ordered == ordered.shift(1)).fill_null(False)
    return same | same.shift(-1, fill_value=False)
