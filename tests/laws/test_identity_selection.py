"""Selection and validity of identities against their oracle, on any records and values."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from stitching import identity
from tests.oracle import identities as oracle

IDS = pl.List(pl.Struct({"namespace": pl.String, "id": pl.String, "primary": pl.Boolean}))
VALUES = st.sampled_from(
    ["a", "b", "ab", "NULL", "0000", "00-0", "-", "Undefined", " ", "x" * 1025, "\x1f", "a\x1fb"]
)
ENTRIES = st.lists(st.fixed_dictionaries({"id": VALUES, "primary": st.booleans()}), max_size=3)
MAPS = st.none() | st.dictionaries(st.sampled_from(["A", "B", "AB", ""]), ENTRIES, max_size=3)
PLAIN = identity.Rules()


def frame(maps):
    def stored(ids):
        return ids and [{"namespace": name, **entry} for name in sorted(ids) for entry in ids[name]]

    return pl.DataFrame({"ids": [stored(ids) for ids in maps]}, schema={"ids": IDS})


def pairs(text, rows):
    namespace, value = identity.parted(text)
    found = rows.select(namespace=namespace, value=value).rows()
    return [None if pair == (None, None) else pair for pair in found]


@given(st.lists(MAPS, min_size=1, max_size=5), st.sampled_from([None, "A", "B"]))
@settings(deadline=None)
def test_selection_agrees_with_the_oracle(maps, without):
    rows, ids = frame(maps), pl.col("ids")
    by_namespace = rows.select(low=identity.lowest(ids, "A", PLAIN), own=identity.first(ids, "A"))
    assert by_namespace["low"].to_list() == [oracle.stitched_by_namespace(each, "A") for each in maps]
    assert by_namespace["own"].to_list() == [oracle.own_by_namespace(each, "A") for each in maps]
    lowest = identity.lowest_primary(ids, PLAIN, without)
    assert pairs(lowest, rows) == [oracle.stitched_by_primary(each, without) for each in maps]
    assert pairs(identity.first_primary(ids), rows) == [oracle.own_by_primary(each) for each in maps]


WORDS = st.sampled_from(oracle.WORDS).flatmap(
    lambda word: st.sampled_from([word, word.upper(), word.capitalize(), f" {word}", word.swapcase()])
)
TEXTS = (
    st.none() | WORDS | st.text(alphabet="0-1a \t\n", max_size=6) | st.sampled_from(["x" * 1024, "ä" * 1025])
)


@given(
    st.lists(TEXTS, min_size=1, max_size=10),
    st.frozensets(st.sampled_from(["1", "a", "Kiosk"])),
    st.booleans(),
)
@settings(deadline=None)
def test_validity_agrees_with_the_oracle(values, placeholders, usual):
    rules = identity.Rules(placeholders, usual)
    rows = pl.DataFrame({"value": values}, schema={"value": pl.String})
    found = rows.select(
        good=identity.is_identity(pl.col("value"), rules), value=identity.identifying(pl.col("value"), rules)
    )
    expected = [oracle.is_identity(value, placeholders, usual) for value in values]
    assert found["good"].to_list() == expected
    assert found["value"].to_list() == [v if good else None for v, good in zip(values, expected, strict=True)]


def test_formats_bind_their_own_namespace_only():
    rows = pl.DataFrame(
        {"space": ["ECID", "ECID", "ECID", "CRMID"], "value": ["1" * 38, "1" * 39, "1" * 37, "x"]}
    )
    rules = identity.Rules(formats={"ECID": "[0-9]{38}"})
    found = rows.select(identity.well_formed(pl.col("space"), pl.col("value"), rules))
    assert found.to_series().to_list() == [True, False, False, True]
