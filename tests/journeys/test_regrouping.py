"""Who was merged and split: against a count of what each row says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.catalog.records import Regrouping
from engine.journeys.regrouping import Transfers, regrouped, transfers
from stitching.names import Names

Rows = list[tuple[str, str]]
"""Whom each row belonged to, and belongs to."""
PERSONS = st.sampled_from("abcdef")
DATASETS = st.lists(st.lists(st.tuples(PERSONS, PERSONS), max_size=30), min_size=1, max_size=3)


def coded(rows: Rows, known: Sequence[str]) -> Transfers:
    names = Names()
    names.number(pl.Series(known, dtype=pl.String))
    before, after = (names.number(pl.Series([row[side] for row in rows], dtype=pl.String)) for side in (0, 1))
    return transfers(names, before.astype(np.int32), after.astype(np.int32))


def several(rows: Rows, side: int) -> dict[str, set[str]]:
    """Return the persons of a side that have several on the other one."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row[side]].add(row[1 - side])
    return {person: others for person, others in found.items() if len(others) > 1}


@settings(max_examples=150, deadline=None)
@given(DATASETS, st.lists(st.sampled_from("xyzab"), max_size=4))
def test_counts_are_those_of_the_rows(datasets: list[Rows], known: list[str]) -> None:
    found = regrouped([coded(rows, known if place else ()) for place, rows in enumerate(datasets)])
    every = [row for rows in datasets for row in rows]
    merged, split = several(every, 1), several(every, 0)
    assert (found.merged, found.split) == (len(merged), len(split))
    for side, expected, examples in ((1, merged, found.merges), (0, split, found.splits)):
        moved = [row[side] for row in every if row[0] != row[1]]
        sizes = sorted(
            ((len(others), moved.count(person)) for person, others in expected.items()), reverse=True
        )
        assert [(one.persons, one.rows) for one in examples] == sizes[:5]
        for one in examples:
            assert set(one.others) <= expected[one.person]
            assert len(one.others) == min(3, one.persons)


def test_examples_name_who_stayed_and_then_who_brought_most() -> None:
    rows = [("d1", "Bob")] * 2 + [("d2", "Bob")] + [("Bob", "Bob")] + [("d3", "Ann")]
    found = regrouped([coded(rows, ())])
    assert found.merges == (Regrouping("Bob", ("Bob", "d1", "d2"), 3, 3),)
    assert (found.merged, found.split, found.splits) == (1, 0, ())


def test_a_person_of_two_datasets_is_one() -> None:
    found = regrouped([coded([("d1", "Bob")], ()), coded([("Bob", "Bob")], ["d1"])])
    assert found.merges == (Regrouping("Bob", ("Bob", "d1"), 2, 1),)
