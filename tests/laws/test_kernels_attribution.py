"""Attribution against its oracle, and the laws of credit, on any journeys and for every model."""

from __future__ import annotations

from collections import defaultdict
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import crowds
from attribution.models import SINGLES, Container, Model, Rule, Weights
from attribution.spans import single_touches, touches_in
from engine.journeys.sessions import session_starts
from tests.attribution.by_row import cells, entries_of
from tests.laws.strategies import LOOKBACKS, amounts, codes, journeys
from tests.oracle.attribution import by_item_and_key, shares
from tests.oracle.sessions import session_numbers

TIMEOUT = 3
WEIGHTS = st.sampled_from([Weights(30, 40, 30), Weights(0, 1, 2), Weights(1, 0, 0), Weights(5, 0, 1)])


@st.composite
def rules(draw):
    """Draw a model with its settings; half-lives are far below and far above the drawn times."""
    model = draw(st.sampled_from(Model))
    weights = draw(WEIGHTS) if model is Model.CUSTOM else None
    return Rule(model, draw(st.sampled_from([1, 3, 1_000_000])), weights)


@st.composite
def questions(draw, max_events=9):
    """Draw journeys with items, conversions and keys."""
    drawn = draw(journeys(max_events=max_events))
    rows = drawn.times.size
    return (
        drawn,
        draw(codes(rows)),
        draw(amounts(1, rows))[0],
        np.maximum(draw(codes(rows)), 0).astype(np.int32),
    )


def expected_cells(rule, container, drawn, items, values, keys, lookback):
    """Return the oracle's (item, key) → credit of all persons."""
    totals: dict[object, float] = defaultdict(float)
    for person in drawn.persons:
        times = drawn.times[person].tolist()
        own = [None if item < 0 else item for item in items[person].tolist()]
        found = shares(
            times,
            own,
            values[person].tolist(),
            session_numbers(times, TIMEOUT),
            model=rule.model.value,
            container=container.value,
            lookback=lookback,
            half_life=rule.half_life,
            weights=rule.weights or (0, 0, 0),
        )
        for cell, credit in by_item_and_key(found, own, keys[person].tolist()).items():
            totals[cell] += credit
    return totals


def assert_close(got, expected, values):
    assert got.keys() == expected.keys()
    tolerance = 1e-9 * np.abs(values).sum()
    assert all(abs(got[cell] - expected[cell]) <= tolerance for cell in expected)


def chunk_of(drawn):
    return drawn.offsets, drawn.times, session_starts(drawn.offsets, drawn.times, TIMEOUT)


@settings(max_examples=400, deadline=None)
@given(questions(), rules(), st.sampled_from(Container), LOOKBACKS)
def test_every_model_agrees_with_the_oracle(question, rule, container, lookback):
    drawn, items, values, keys = question
    got = cells(rule, container, chunk_of(drawn), items, values, keys, lookback)
    assert_close(got, expected_cells(rule, container, drawn, items, values, keys, lookback), values)


@settings(max_examples=300, deadline=None)
@given(questions(max_events=12), rules(), st.sampled_from(Container), LOOKBACKS)
def test_crowds_agree_with_the_oracle(question, rule, container, lookback):
    drawn, items, values, keys = question

    def all_crowded(spans, items, counts):
        return spans.begins < spans.ends

    with patch("attribution.credit.crowded", all_crowded):
        got = cells(rule, container, chunk_of(drawn), items, values, keys, lookback)
    assert_close(got, expected_cells(rule, container, drawn, items, values, keys, lookback), values)


@given(questions(), rules(), st.sampled_from(Container), LOOKBACKS)
def test_entries_are_few_and_belong_to_one_person_and_key(question, rule, container, lookback):
    drawn, items, values, keys = question
    chunk = chunk_of(drawn)
    entries, _, known, rows, conversions = entries_of(rule, container, chunk, items, values, keys, lookback)
    owners = np.repeat(np.arange(drawn.offsets.size - 1), np.diff(drawn.offsets))
    given_to = entries.touches >= 0
    touched, converted = rows[entries.touches[given_to]], conversions[entries.places[given_to]]
    assert (owners[touched] == owners[converted]).all()
    if rule.model not in SINGLES:
        pairs = set(zip(touched.tolist(), known.codes[entries.places[given_to]].tolist(), strict=True))
        assert len(pairs) == touched.size


@given(questions(), rules(), st.sampled_from(Container), LOOKBACKS)
def test_conservation_and_time_whatever_the_model(question, rule, container, lookback):
    drawn, items, values, keys = question
    got = cells(rule, container, chunk_of(drawn), items, values, keys, lookback)
    for key in np.unique(keys):
        credit = sum(value for (_, found), value in got.items() if found == key)
        total, tolerance = values[keys == key].sum(), 1e-9 * np.abs(values).sum()
        if rule.model is not Model.PARTICIPATION:
            assert abs(credit - total) <= tolerance


@given(questions(), rules(), st.sampled_from(Container), LOOKBACKS)
def test_keys_only_take_credit_apart(question, rule, container, lookback):
    drawn, items, values, keys = question
    chunk = chunk_of(drawn)
    plain = cells(rule, container, chunk, items, values, np.zeros_like(keys), lookback)
    apart: dict[object, float] = defaultdict(float)
    for (item, _), credit in cells(rule, container, chunk, items, values, keys, lookback).items():
        apart[item, 0] += credit
    assert_close(apart, plain, values)


@pytest.mark.parametrize("model", sorted(set(Model) - SINGLES))
def test_only_single_touch_models_have_a_single_touch(model):
    nothing = np.empty(0, np.int32)
    touches = touches_in(np.empty(0, np.uint8), nothing, np.empty(0, np.int64))
    with pytest.raises(ValueError, match=model):
        single_touches(model, touches, np.empty(0, np.int64), nothing, None)


def long_chunk(rows, *, persons, items, seed=5, span=1_000):
    """Return a random chunk and its items, values and hours."""
    random = np.random.default_rng(seed)
    offsets = np.unique(np.append([0, rows], random.integers(0, rows, persons - 1))).astype(np.int64)
    times = np.cumsum(random.integers(0, span, rows))
    found = np.where(random.random(rows) < 0.4, random.integers(0, items, rows), -1).astype(np.int32)
    values = np.where(random.random(rows) < 0.2, random.lognormal(3, 4, rows), 0.0)
    return (offsets, times, session_starts(offsets, times, span)), found, values


SPLITTING = [
    Rule(model, 40_000, Weights(3, 5, 2) if model is Model.CUSTOM else None)
    for model in sorted(set(Model) - SINGLES)
]


@pytest.mark.parametrize("rule", SPLITTING, ids=lambda rule: rule.model)
@pytest.mark.parametrize("lookback", [None, 60_000])
def test_a_bot_among_persons_has_few_entries_and_the_same_credit(rule, lookback):
    chunk, items, values = long_chunk(4_000, persons=2, items=4)
    hours = (chunk[1] // 3_000).astype(np.int32)
    chunk = np.array([0, 10, 3_980, 3_980, 4_000]), *chunk[1:]
    asked = rule, Container.PERSON, chunk, items, values, hours, lookback
    with patch.object(crowds, "CROWDED", 1 << 30):
        by_touch, expected = entries_of(*asked)[0], cells(*asked)
    by_item, got = entries_of(*asked)[0], cells(*asked)
    assert by_item.touches.size <= 6 * np.unique(hours).size
    if rule.model is not Model.PARTICIPATION:
        assert by_touch.touches.size > 2 * items.size
    assert_close(got, expected, values)


@pytest.mark.parametrize("rule", SPLITTING, ids=lambda rule: rule.model)
def test_persons_with_many_items_or_few_keys_are_no_crowd(rule):
    chunk, items, values = long_chunk(2_000, persons=3, items=1_500)
    halves = (np.arange(2_000) // 1_000).astype(np.int32)
    hours = (chunk[1] // 3_000).astype(np.int32)
    with patch("attribution.credit.credit_by_item", side_effect=AssertionError):
        entries_of(rule, Container.PERSON, chunk, items, values, halves, None)
        entries_of(rule, Container.SESSION, chunk, items, values, hours, None)


@pytest.mark.parametrize("rule", SPLITTING, ids=lambda rule: rule.model)
def test_a_long_chunk_with_amounts_of_all_sizes_is_exact(rule):
    chunk, items, values = long_chunk(20_000, persons=40, items=30)
    keys = (np.arange(20_000) % 7).astype(np.int32)
    asked = rule, Container.PERSON, chunk, items, values, keys, 60_000
    with patch("attribution.credit.crowded", lambda spans, items, counts: spans.begins < spans.ends):
        by_item = cells(*asked)
    by_touch = cells(*asked)
    assert_close(by_touch, by_item, values)
    if rule.model is not Model.PARTICIPATION:
        assert sum(by_touch.values()) == pytest.approx(values.sum(), rel=1e-12)
