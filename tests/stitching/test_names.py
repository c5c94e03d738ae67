"""Texts get equal numbers if and only if they are equal, in order of appearance, however they arrive."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stitching.names import NOBODY, Names

TEXTS = st.lists(st.none() | st.sampled_from(["", "a", "b", "ß", "a" * 40, "b" * 40]), max_size=20)


def series(texts):
    return pl.Series(texts, dtype=pl.String)


def expected(batches):
    """Number texts with a dictionary."""
    numbers = {}
    codes = [
        [NOBODY if text is None else numbers.setdefault(text, len(numbers)) for text in texts]
        for texts in batches
    ]
    return codes, list(numbers)


@given(st.lists(TEXTS, max_size=4))
def test_numbers_are_those_of_a_dictionary(batches):
    names = Names()
    codes = [names.number(series(texts)) for texts in batches]
    numbers, texts = expected(batches)
    assert [found.tolist() for found in codes] == numbers
    assert names.texts().to_list() == texts
    assert len(names) == len(texts)
    for found, given_texts in zip(codes, batches, strict=True):
        assert names.texts_of(found).to_list() == given_texts


@given(TEXTS, TEXTS)
def test_texts_that_are_only_looked_for_get_no_numbers(given_texts, wanted):
    names = Names()
    names.number(series(given_texts))
    codes = dict(zip(names.texts().to_list(), range(len(names)), strict=True))
    assert names.find(series(wanted)).tolist() == [codes.get(text, NOBODY) for text in wanted]
    assert len(names) == len(codes)


@given(TEXTS, TEXTS, st.randoms())
def test_wrong_guesses_change_nothing(first, second, random):
    names, guessed = Names(), Names()
    for either in (names, guessed):
        either.number(series(first))
    likely = np.array([random.randrange(-1, len(guessed)) for _ in second], np.int32)
    assert guessed.number(series(second), likely).tolist() == names.number(series(second)).tolist()
    assert guessed.texts().equals(names.texts())


def test_many_names_in_pieces():
    numbers = np.random.default_rng(5).integers(0, 20_000, 50_000)
    texts = pl.Series([f"name-{number}" for number in numbers])
    names = Names()
    pieces = [names.number(texts.slice(start, 7_000)) for start in range(0, 50_000, 7_000)]
    codes = np.concatenate(pieces)
    assert names.texts_of(codes).equals(texts)
    assert len(names) == texts.n_unique()
    assert np.unique(codes).tolist() == list(range(len(names)))
