"""Journey order: persons by hash, then time, dataset order and event id.

The order is total and depends on nothing but the rows, so no answer depends on how they arrived.
Rows are sorted by integers; event ids are looked at only where those are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl

from engine.journeys import digests
from engine.journeys.columns import DATASET, EVENT_ID, HASH_HIGH, HASH_LOW, PERSON, TIME
from engine.lake.table import ROW
from stitching.names import Names

_SHIFT: Final = 1 << 63
_INTEGERS: Final = (HASH_HIGH, HASH_LOW, TIME, DATASET)


def hash_persons(persons: pl.Series) -> pl.DataFrame:
    """Return per distinct person ``_person``, ``_hash_high``, ``_hash_low`` (of its MD5)."""
    names = persons.drop_nulls().unique().alias(PERSON)
    return pl.DataFrame([names, *_hashed(names)])


def with_hashes(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the hash columns to rows that have ``_person``, which is never null; each person is hashed once."""
    names = Names()
    places = names.number(rows[PERSON])
    return rows.with_columns(hashes.gather(places) for hashes in _hashed(names.texts()))


def _hashed(names: pl.Series) -> Iterator[pl.Series]:
    """Return ``_hash_high`` and ``_hash_low`` of N persons."""
    query = f"""
        SELECT
            CAST(md5_number_upper(name)::HUGEINT - {_SHIFT} AS BIGINT) AS {HASH_HIGH},
            CAST(md5_number_lower(name)::HUGEINT - {_SHIFT} AS BIGINT) AS {HASH_LOW}
        FROM given
        ORDER BY place
    """
    return digests.ask(query, names.to_frame("name").with_row_index("place")).iter_columns()


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


def journey_order(rows: pl.DataFrame) -> pl.Series:
    """Return the row numbers that put rows into journey order.

    Args:
        rows: at least the hash columns, ``_time``, ``_dataset``, ``_event_id`` and ``_row``.
    """
    columns = [pl.col(name) for name in _INTEGERS]
    order = rows.select(pl.arg_sort_by(*columns, maintain_order=True)).to_series()
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
    """Return for each place in the order whether its integers equal those of a neighbour."""
    same = pl.Series(np.ones(len(rows), bool))
    for name in reversed(_INTEGERS):
        if not same.any():
            return same
        ordered = rows[name].gather(order)
        same = same & (ordered == ordered.shift(1)).fill_null(False)
    return same | same.shift(-1, fill_value=False)
