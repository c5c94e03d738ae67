"""Attribution against its oracle, and the law that no credit is made or lost, on any journeys."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.credit import linear_credit_by_key
from attribution.items import credit_by_item
from attribution.models import Container, Model
from attribution.runs import conversion_runs
from attribution.spans import NO_TOUCH
from attribution.windows import touch_windows
from engine.journeys.sessions import session_starts
from tests.attribution.by_row import linear_credit, touch_rows
from tests.laws.strategies import LOOKBACKS, amounts, codes, journeys, masks
from tests.oracle.attribution import by_item, by_touch_and_key, shares
from tests.oracle.sessions import session_numbers

TIMEOUT = 3
SINGLE_TOUCH = [Model.LAST, Model.FIRST, Model.SAME]
METRICS = 2


def oracle_shares(drawn, person, touches, values, model, container, lookback):
    """Return the oracle's shares of one person, touches and conversions being rows of the chunk."""
    times = drawn.times[person].tolist()
    return shares(
        times,
        [True if touch else None for touch in touches[person]],
        values[person].tolist(),
        session_numbers(times, TIMEOUT),
        model=model.value,
        container=container.value,
        lookback=lookback,
    )


@given(st.data(), journeys(), st.sampled_from(SINGLE_TOUCH), st.sampled_from(Container), LOOKBACKS)
def test_single_touch_models_agree_with_the_oracle(data, drawn, model, container, lookback):
    touches, wanted = (data.draw(masks(drawn.times.size)) for _ in range(2))
    starts = session_starts(drawn.offsets, drawn.times, TIMEOUT)
    rows = touch_rows(model, container, drawn.offsets, drawn.times, touches, wanted, starts, lookback)
    expected = np.full(drawn.times.size, NO_TOUCH)
    for person in drawn.persons:
        for share in oracle_shares(drawn, person, touches, wanted, model, container, lookback):
            if share.touch is not None:
                expected[person.start + share.conversion] = person.start + share.touch
    assert rows.tolist() == expected.tolist()


def test_linear_has_no_single_touch():
    nothing = np.empty(0, np.uint8)
    with pytest.raises(ValueError, match="linear"):
        touch_rows(
            Model.LINEAR,
            Container.PERSON,
            np.zeros(1, np.int64),
            np.empty(0, np.int64),
            nothing,
            nothing,
            nothing,
            None,
        )


@given(st.data(), journeys(), st.sampled_from(Container), LOOKBACKS)
def test_linear_agrees_with_the_oracle(data, drawn, container, lookback):
    rows = drawn.times.size
    touches, values = data.draw(masks(rows)), data.draw(amounts(METRICS, rows))
    starts = session_starts(drawn.offsets, drawn.times, TIMEOUT)
    credit, unattributed = linear_credit(
        container, drawn.offsets, drawn.times, touches, values, starts, lookback
    )
    for metric in range(METRICS):
        expected, lost = np.zeros(rows), 0.0
        for person in drawn.persons:
            found = oracle_shares(drawn, person, touches, values[metric], Model.LINEAR, container, lookback)
            for touch, value in by_item(found, range(rows)).items():
                if touch is None:
                    lost += value
                else:
                    expected[person.start + touch] += value
        tolerance = 1e-9 * np.abs(values[metric]).sum()
        np.testing.assert_allclose(credit[metric], expected, rtol=0, atol=tolerance)
        np.testing.assert_allclose(unattributed[metric], lost, rtol=0, atol=tolerance)


@given(st.data(), journeys(), st.sampled_from(Container), LOOKBACKS)
def test_linear_by_key_agrees_with_the_oracle(data, drawn, container, lookback):
    rows = drawn.times.size
    touches, values = data.draw(masks(rows)), data.draw(amounts(METRICS, rows))
    keys = data.draw(codes(rows))
    starts = session_starts(drawn.offsets, drawn.times, TIMEOUT)
    credited, keyed, credit = linear_credit_by_key(
        container, drawn.offsets, drawn.times, touches, values, keys, starts, lookback
    )
    entries = list(zip(credited.tolist(), keyed.tolist(), strict=True))
    owners = np.repeat(np.arange(len(drawn.persons)), np.diff(drawn.offsets))
    distinct = {(owners[conversion], touch, keys[conversion]) for touch, conversion in entries}
    assert len(distinct) == len(entries)
    for metric in range(METRICS):
        got: dict[object, float] = defaultdict(float)
        for (touch, conversion), value in zip(entries, credit[metric], strict=True):
            got[owners[conversion], touch, keys[conversion]] += value
        for number, person in enumerate(drawn.persons):
            found = oracle_shares(drawn, person, touches, values[metric], Model.LINEAR, container, lookback)
            for (touch, key), value in by_touch_and_key(found, keys[person]).items():
                row = NO_TOUCH if touch is None else person.start + touch
                got[number, row, key] -= value
        tolerance = 1e-9 * np.abs(values[metric]).sum()
        assert all(abs(value) <= tolerance for value in got.values())


@given(st.data(), journeys(), st.sampled_from(Container), LOOKBACKS)
def test_credit_by_item_agrees_with_the_oracle(data, drawn, container, lookback):
    rows = drawn.times.size
    touches, values = data.draw(masks(rows)), data.draw(amounts(1, rows))
    keys, items = data.draw(codes(rows)), data.draw(codes(rows)) + np.int32(1)
    crowded = data.draw(masks(len(drawn.persons))).astype(bool)
    starts = session_starts(drawn.offsets, drawn.times, TIMEOUT)
    windows = touch_windows(container, drawn.offsets, drawn.times, touches, starts, lookback)
    converts = (values[0] != 0) & (windows.begins < windows.ends)
    runs = conversion_runs(drawn.offsets, keys, converts)
    entries = credit_by_item(drawn.offsets, values, keys, items, runs, windows, crowded)
    owners = np.repeat(np.arange(crowded.size), np.diff(drawn.offsets))
    assert (touches[entries.touch_rows] == 1).all()
    assert (owners[entries.touch_rows] == owners[entries.conversion_rows]).all()
    got: dict[object, float] = defaultdict(float)
    for touch, conversion, value in zip(*entries[:2], entries.credit[0], strict=True):
        got[owners[touch], items[touch], keys[conversion]] += value
    expected: dict[object, float] = defaultdict(float)
    for number in np.flatnonzero(crowded):
        person = drawn.persons[number]
        for share in oracle_shares(drawn, person, touches, values[0], Model.LINEAR, container, lookback):
            if share.touch is not None:
                item, key = items[person][share.touch], keys[person][share.conversion]
                expected[number, item, key] += share.value
    assert got.keys() == expected.keys()
    tolerance = 1e-9 * np.abs(values).sum()
    assert all(abs(got[cell] - expected[cell]) <= tolerance for cell in expected)


@pytest.mark.parametrize("lookback", [None, 500])
def test_a_bot_among_persons_has_few_entries_and_the_same_credit(lookback):
    random = np.random.default_rng(5)
    sizes = [4, 6_000, 0, 3, 5]
    offsets = np.cumsum([0, *sizes])
    times = np.concatenate([np.cumsum(random.integers(0, 2, size)) for size in sizes])
    rows = times.size
    touches = (random.random(rows) < 0.5).astype(np.uint8)
    values = np.where(random.random((2, rows)) < 0.2, random.random((2, rows)), 0.0)
    items = random.integers(0, 4, rows).astype(np.int32)
    hours = (times // 10).astype(np.int32)
    starts = session_starts(offsets, times, 0)
    chunk = Container.PERSON, offsets, times, touches, values, hours, starts, lookback
    by_touch, by_item = linear_credit_by_key(*chunk), linear_credit_by_key(*chunk, items)

    def cells(entries):
        """Return (person, item or -1, hour) → credit."""
        touch, conversion, credit = entries
        owners = np.searchsorted(offsets, conversion, side="right")
        found = np.where(touch < 0, -1, items[touch])
        totals: dict[object, np.ndarray] = defaultdict(lambda: np.zeros(2))
        names = zip(owners.tolist(), found.tolist(), hours[conversion].tolist(), strict=True)
        for name, value in zip(names, credit.T, strict=True):
            totals[name] += value
        return totals

    expected, got = cells(by_touch), cells(by_item)
    assert got.keys() == expected.keys()
    assert all(np.allclose(got[cell], expected[cell], rtol=1e-9) for cell in expected)
    assert by_touch.touch_rows.size > 8 * rows
    assert by_item.touch_rows.size <= 2 * len(expected)


@given(st.data(), journeys(), st.sampled_from(Container), LOOKBACKS)
def test_credit_is_conserved(data, drawn, container, lookback):
    rows = drawn.times.size
    touches, values = data.draw(masks(rows)), data.draw(amounts(METRICS, rows))
    keys = data.draw(codes(rows))
    starts = session_starts(drawn.offsets, drawn.times, TIMEOUT)
    chunk = container, drawn.offsets, drawn.times, touches, values
    credit, unattributed = linear_credit(*chunk, starts, lookback)
    _, keyed, credit_by_key = linear_credit_by_key(*chunk, keys, starts, lookback)
    tolerance = 1e-9 * np.abs(values).sum()
    totals = values.sum(axis=1)
    np.testing.assert_allclose(credit.sum(axis=1) + unattributed, totals, rtol=0, atol=tolerance)
    np.testing.assert_allclose(credit_by_key.sum(axis=1), totals, rtol=0, atol=tolerance)
    for key in np.unique(keys):
        np.testing.assert_allclose(
            credit_by_key[:, keys[keyed] == key].sum(axis=1),
            values[:, keys == key].sum(axis=1),
            rtol=0,
            atol=tolerance,
        )


@given(st.data(), journeys(), st.sampled_from(Container))
def test_without_lookback_a_touch_after_the_last_conversion_gets_exactly_nothing(data, drawn, container):
    rows = drawn.times.size
    touches, values = data.draw(masks(rows)), data.draw(amounts(1, rows))
    starts = session_starts(drawn.offsets, drawn.times, TIMEOUT)
    credit, _ = linear_credit(container, drawn.offsets, drawn.times, touches, values, starts, None)
    for person in drawn.persons:
        conversions = np.flatnonzero(values[0, person])
        after = conversions[-1] + 1 if conversions.size else 0
        assert not credit[0, person][after:].any()


def test_a_long_random_chunk_is_conserved_by_every_key():
    random = np.random.default_rng(7)
    rows = 20_000
    offsets = np.unique(np.append([0, rows], random.integers(0, rows, 50))).astype(np.int64)
    times = np.cumsum(random.integers(0, 1_000, rows))
    touches = (random.random(rows) < 0.3).astype(np.uint8)
    values = np.where(random.random((3, rows)) < 0.1, random.lognormal(3, 5, (3, rows)), 0.0)
    keys = random.integers(-5, 5, rows).astype(np.int32)
    starts = session_starts(offsets, times, 900)
    _, keyed, credit = linear_credit_by_key(
        Container.PERSON, offsets, times, touches, values, keys, starts, 20_000
    )
    for key in range(-5, 5):
        got, expected = credit[:, keys[keyed] == key].sum(axis=1), values[:, keys == key]
        assert (abs(got - expected.sum(axis=1)) <= 1e-9 * expected.sum(axis=1)).all()
