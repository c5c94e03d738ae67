"""Digests are those of the standard library, whatever the length of the texts."""

from __future__ import annotations

from hashlib import md5

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.journeys.md5 import md5_halves


def expected(texts: list[str]) -> list[bytes]:
    return [md5(text.encode(), usedforsecurity=False).digest() for text in texts]


def digests(texts: pl.Series) -> list[bytes]:
    return [half.astype("<u8").tobytes() for half in md5_halves(texts)]


@given(st.lists(st.text(max_size=200), max_size=6), st.integers(0, 6))
def test_digests_are_those_of_the_standard_library(texts: list[str], first: int) -> None:
    # A slice has its texts in the middle of the bytes.
    found = digests(pl.Series(texts, dtype=pl.String).slice(first))
    assert found == expected(texts[first:])


def test_every_length_around_whole_blocks() -> None:
    texts = ["ä" * (length // 2) + "b" * (length % 2) for length in range(200)]
    assert digests(pl.Series(texts)) == expected(texts)
    assert md5_halves(pl.Series(texts)).dtype == np.uint64
