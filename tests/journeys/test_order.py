"""Journey order: total, by hash, time, dataset and event id; buckets are ranges of it."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from random import Random

import numpy as np
import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from engine.journeys.columns import DATASET, EVENT_ID, HASH_HIGH, HASH_LOW, PERSON, TIME
from engine.journeys.order import (
    bucket_bounds,
    buckets_of,
    hash_persons,
    hashed_and_ordered,
    journey_order,
)
from engine.lake.table import ROW

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["Ann", "Bob", "ßé"]),
        st.integers(0, 2),
        st.integers(0, 1),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=30,
)
HASHES = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=20)


@given(st.lists(st.text(max_size=200), max_size=6), st.integers(0, 6))
@example([f"person {number}" for number in range(5000)], 7)
@example([], 0)
def test_hash_is_md5_with_its_order_kept(texts: list[str], first: int) -> None:
    names = pl.Series(texts, dtype=pl.String).slice(first)
    for person, (high, low) in zip(names, hash_persons(names).rows(), strict=True):
        digest = hashlib.md5(person.encode()).digest()
        assert high == int.from_bytes(digest[:8], "little") - (1 << 63)
        assert low == int.from_bytes(digest[8:], "little") - (1 << 63)


@given(ROWS, st.randoms())
def test_order(rows: list[tuple[str, int, int, str]], random: Random) -> None:
    frame = pl.DataFrame(
        [(*row, number) for number, row in enumerate(rows)],
        schema={
            PERSON: pl.String,
            TIME: pl.Int64,
            DATASET: pl.Int16,
            EVENT_ID: pl.String,
            ROW: pl.Int64,
        },
        orient="row",
    )
    keys = [HASH_HIGH, HASH_LOW, TIME, DATASET, EVENT_ID, ROW]
    ordered = hashed_and_ordered(frame)
    assert ordered.drop(HASH_HIGH, HASH_LOW).sort(ROW).equals(frame)
    assert ordered.select(keys).rows() == sorted(ordered.select(keys).rows())
    shuffled = ordered[random.sample(range(len(rows)), len(rows))]
    assert shuffled[journey_order(shuffled)].equals(ordered)


@given(HASHES, st.integers(0, 12))
def test_buckets_are_ranges(highs: list[int], bits: int) -> None:
    buckets = 1 << bits
    for high, bucket in zip(highs, buckets_of(np.array(highs), buckets).tolist(), strict=True):
        first, last = bucket_bounds(bucket, buckets)
        assert first <= high <= last


def test_buckets_cover_the_hash_space() -> None:
    bounds = [bucket_bounds(bucket, 8) for bucket in range(8)]
    assert bounds[0][0] == -(1 << 63) and bounds[-1][1] == (1 << 63) - 1
    assert all(left[1] + 1 == right[0] for left, right in pairwise(bounds))
