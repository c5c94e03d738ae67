"""Attribution: the worked cases EX-DV-A1 and EX-CON-1, and the edges of the lookback."""

from __future__ import annotations

import numpy as np
import pytest

from attribution.credit import linear_credit_by_key
from attribution.models import Container, Model
from engine.journeys.sessions import session_starts
from tests.attribution.by_row import linear_credit, touch_rows

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
HALF_HOUR = 30 * MINUTE


def credit_of(journeys, model, container, lookback=None):
    """Return item → credit of journeys given as lists of (time in µs, item or None, value)."""
    events = [event for journey in journeys for event in journey]
    offsets = np.cumsum([0] + [len(journey) for journey in journeys])
    times = np.array([time for time, _, _ in events], np.int64)
    items = [item for _, item, _ in events]
    touches = np.array([item is not None for item in items], np.uint8)
    values = np.array([[value for _, _, value in events]], np.float64)
    starts = session_starts(offsets, times, HALF_HOUR)
    totals = {}
    if model is Model.LINEAR:
        credit, lost = linear_credit(container, offsets, times, touches, values, starts, lookback)
        pairs = [*zip(items, credit[0], strict=True), (None, lost[0])]
    else:
        wanted = (values[0] != 0).astype(np.uint8)
        rows = touch_rows(model, container, offsets, times, touches, wanted, starts, lookback)
        credited = [None if row < 0 else items[row] for row in rows]
        pairs = zip(credited, values[0], strict=True)
    for item, value in pairs:
        totals[item] = totals.get(item, 0.0) + value
    return {item: value for item, value in totals.items() if value != 0}


PURCHASE = [
    (15 * DAY, "paid search", 0),
    (18 * DAY, "social", 0),
    (24 * DAY, "email", 0),
    (24 * DAY + MINUTE, "display", 0),
    (24 * DAY + 2 * MINUTE, None, 50),
]


@pytest.mark.parametrize(
    ("model", "container", "expected"),
    [
        (Model.FIRST, Container.SESSION, {"email": 50}),
        (Model.FIRST, Container.PERSON, {"paid search": 50}),
        (Model.LAST, Container.SESSION, {"display": 50}),
        (Model.LAST, Container.PERSON, {"display": 50}),
        (Model.LINEAR, Container.SESSION, {"email": 25, "display": 25}),
        (
            Model.LINEAR,
            Container.PERSON,
            {"paid search": 12.5, "social": 12.5, "email": 12.5, "display": 12.5},
        ),
        (Model.SAME, Container.SESSION, {None: 50}),
        (Model.SAME, Container.PERSON, {None: 50}),
    ],
)
def test_ex_dv_a1(model, container, expected):
    assert credit_of([PURCHASE], model, container) == expected


def test_same_touch_credits_the_item_on_the_conversion():
    journey = [(0, "email", 0), (MINUTE, "display", 50)]
    assert credit_of([journey], Model.SAME, Container.PERSON) == {"display": 50}


def test_ex_con_1_metric_a_by_colour():
    first = [(0, "Red", 0), (2 * MINUTE, None, 2), (6 * MINUTE, "Blue", 3)]
    second = [
        (DAY + 26 * MINUTE, "Yellow", 0),
        (DAY + 31 * MINUTE, None, 4),
        (DAY + 44 * MINUTE, None, 2),
        (DAY + 61 * MINUTE, "Red", 0),
    ]
    third = [(DAY + 500 * MINUTE, "Red", 0), (DAY + 505 * MINUTE, None, 0)]
    combined = credit_of([first, third, second], Model.LAST, Container.PERSON)
    assert combined == {"Yellow": 6, "Blue": 3, "Red": 2}
    alone = credit_of([first, second[1:3]], Model.LAST, Container.PERSON)
    assert alone == {None: 6, "Blue": 3, "Red": 2}


@pytest.mark.parametrize("model", [Model.LAST, Model.FIRST, Model.LINEAR])
def test_a_touch_exactly_as_old_as_the_lookback_counts(model):
    journey = [(0, "email", 0), (DAY, None, 8)]
    assert credit_of([journey], model, Container.PERSON, DAY) == {"email": 8}
    assert credit_of([journey], model, Container.PERSON, DAY - 1) == {None: 8}


def test_equal_consecutive_values_are_separate_touches_for_linear():
    journey = [(0, "email", 0), (1, "email", 0), (2, "social", 0), (3, None, 9)]
    assert credit_of([journey], Model.LINEAR, Container.PERSON) == {"email": 6, "social": 3}


def test_a_touch_after_the_conversion_never_counts_even_at_the_same_time():
    journey = [(0, None, 5), (0, "email", 0)]
    for model in Model:
        assert credit_of([journey], model, Container.PERSON) == {None: 5}


def test_linear_by_key_folds_conversions_of_one_key_and_keeps_others_apart():
    times = np.arange(5, dtype=np.int64)
    touches = np.array([1, 1, 0, 0, 0], np.uint8)
    values = np.array([[0, 0, 4, 2, 6]], np.float64)
    keys = np.array([9, 9, 1, 2, 1], np.int32)
    starts = np.array([1, 0, 0, 0, 0], np.uint8)
    offsets = np.array([0, 5], np.int64)
    touched, conversions, credit = linear_credit_by_key(
        Container.PERSON, offsets, times, touches, values, keys, starts, None
    )
    found = sorted(zip(touched.tolist(), keys[conversions].tolist(), credit[0], strict=True))
    assert found == [(0, 1, 5.0), (0, 2, 1.0), (1, 1, 5.0), (1, 2, 1.0)]
