"""Attribution: the worked cases EX-DV-A1 and EX-CON-1, the edges of the lookback, and long histories."""

from __future__ import annotations

import numpy as np
import pytest

from attribution.models import Container, Model, Rule, Weights
from engine.journeys.sessions import session_starts
from tests.attribution.by_row import cells
from tests.oracle.attribution import by_item_and_key, shares

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
HALF_HOUR = 30 * MINUTE
PERSON, SESSION = Container.PERSON, Container.SESSION


def rule_of(model):
    return Rule(model, weights=Weights(30, 40, 30) if model is Model.CUSTOM else None)


def credit_of(journeys, rule, container, lookback=None):
    """Return item → credit of journeys given as lists of (time in µs, item or None, value)."""
    events = [event for journey in journeys for event in journey]
    offsets = np.cumsum([0] + [len(journey) for journey in journeys])
    times = np.array([time for time, _, _ in events], np.int64)
    names = sorted({item for _, item, _ in events if item is not None})
    items = np.array([-1 if item is None else names.index(item) for _, item, _ in events], np.int32)
    values = np.array([value for _, _, value in events], np.float64)
    chunk = offsets, times, session_starts(offsets, times, HALF_HOUR)
    found = cells(rule, container, chunk, items, values, np.zeros(times.size, np.int32), lookback)
    return {None if item is None else names[item]: credit for (item, _), credit in found.items()}


def path(*items, value=100):
    """A journey of touches a minute apart, then a conversion."""
    touches = [(place * MINUTE, item, 0) for place, item in enumerate(items)]
    return [*touches, (len(items) * MINUTE, None, value)]


PURCHASE = [
    (15 * DAY, "paid search", 0),
    (18 * DAY, "social", 0),
    (24 * DAY, "email", 0),
    (24 * DAY, "display", 0),
    (24 * DAY, None, 50),
]


def credited(paid_search, social, email, display):
    return {"paid search": paid_search, "social": social, "email": email, "display": display}


@pytest.mark.parametrize(
    ("model", "container", "expected"),
    [
        (Model.FIRST, SESSION, {"email": 50}),
        (Model.FIRST, PERSON, {"paid search": 50}),
        (Model.LAST, SESSION, {"display": 50}),
        (Model.LAST, PERSON, {"display": 50}),
        (Model.LINEAR, SESSION, {"email": 25, "display": 25}),
        (Model.LINEAR, PERSON, credited(12.5, 12.5, 12.5, 12.5)),
        (Model.J_CURVE, PERSON, credited(10, 5, 5, 30)),
        (Model.INVERSE_J, PERSON, credited(30, 5, 5, 10)),
        (Model.U_SHAPED, PERSON, credited(20, 5, 5, 20)),
        (Model.TIME_DECAY, PERSON, credited(6.92, 9.32, 16.88, 16.88)),
        (Model.PARTICIPATION, PERSON, credited(50, 50, 50, 50)),
        (Model.SAME, SESSION, {None: 50}),
        (Model.SAME, PERSON, {None: 50}),
    ],
)
def test_ex_dv_a1(model, container, expected):
    assert credit_of([PURCHASE], rule_of(model), container) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("model", "shares"),
    [
        (Model.LINEAR, [[100], [50, 50], [100 / 3, 100 / 3, 100 / 3], [25, 25, 25, 25]]),
        (Model.U_SHAPED, [[100], [50, 50], [40, 20, 40], [40, 10, 10, 40]]),
        (Model.J_CURVE, [[100], [25, 75], [20, 20, 60], [20, 10, 10, 60]]),
        (Model.INVERSE_J, [[100], [75, 25], [60, 20, 20], [60, 10, 10, 20]]),
    ],
)
def test_shares_by_the_number_of_touches(model, shares):
    for expected in shares:
        items = "abcd"[: len(expected)]
        found = credit_of([path(*items)], rule_of(model), PERSON)
        assert found == pytest.approx(dict(zip(items, expected, strict=True)))


def test_custom_weights_are_normalised_and_two_touches_ignore_the_player():
    rule = Rule(Model.CUSTOM, weights=Weights(1, 6, 3))
    assert credit_of([path("a")], rule, PERSON) == pytest.approx({"a": 100})
    assert credit_of([path("a", "b")], rule, PERSON) == pytest.approx({"a": 25, "b": 75})
    expected = {"a": 10, "b": 30, "c": 30, "d": 30}
    assert credit_of([path("a", "b", "c", "d")], rule, PERSON) == pytest.approx(expected)


def test_participation_gives_all_to_each_item_once():
    twice = [*path("a", "b", "a", value=3), (9 * MINUTE, "b", 4)]
    assert credit_of([twice], rule_of(Model.PARTICIPATION), PERSON) == {"a": 7, "b": 7}


def test_time_decay_halves_with_each_half_life():
    journey = [(0, "a", 0), (7 * DAY, "b", 0), (14 * DAY, "c", 0), (30 * DAY, None, 70)]
    assert credit_of([journey], rule_of(Model.TIME_DECAY), PERSON) == pytest.approx(
        {"a": 10, "b": 20, "c": 40}
    )


def test_same_touch_credits_the_item_on_the_conversion():
    journey = [(0, "email", 0), (MINUTE, "display", 50)]
    assert credit_of([journey], rule_of(Model.SAME), PERSON) == {"display": 50}


def test_ex_con_1_metric_a_by_colour():
    first = [(0, "Red", 0), (2 * MINUTE, None, 2), (6 * MINUTE, "Blue", 3)]
    second = [
        (DAY + 26 * MINUTE, "Yellow", 0),
        (DAY + 31 * MINUTE, None, 4),
        (DAY + 44 * MINUTE, None, 2),
        (DAY + 61 * MINUTE, "Red", 0),
    ]
    third = [(DAY + 500 * MINUTE, "Red", 0), (DAY + 505 * MINUTE, None, 0)]
    combined = credit_of([first, third, second], rule_of(Model.LAST), PERSON)
    assert combined == {"Yellow": 6, "Blue": 3, "Red": 2}
    alone = credit_of([first, second[1:3]], rule_of(Model.LAST), PERSON)
    assert alone == {None: 6, "Blue": 3, "Red": 2}


@pytest.mark.parametrize("model", sorted(set(Model) - {Model.SAME}))
def test_a_touch_exactly_as_old_as_the_lookback_counts(model):
    journey = [(0, "email", 0), (DAY, None, 8)]
    assert credit_of([journey], rule_of(model), PERSON, DAY) == pytest.approx({"email": 8})
    assert credit_of([journey], rule_of(model), PERSON, DAY - 1) == {None: 8}


def test_equal_consecutive_values_are_separate_touches():
    journey = [(0, "email", 0), (1, "email", 0), (2, "social", 0), (3, None, 9)]
    assert credit_of([journey], rule_of(Model.LINEAR), PERSON) == {"email": 6, "social": 3}
    found = credit_of([journey], rule_of(Model.U_SHAPED), PERSON)
    assert found == pytest.approx({"email": 5.4, "social": 3.6})


@pytest.mark.parametrize("model", Model)
def test_a_touch_after_the_conversion_never_counts_even_at_the_same_time(model):
    journey = [(0, None, 5), (0, "email", 0)]
    assert credit_of([journey], rule_of(model), PERSON) == {None: 5}


@pytest.mark.parametrize("half_life", [MINUTE, DAY, 3 * DAY, 30 * DAY])
@pytest.mark.parametrize("lookback", [None, 30 * DAY])
def test_ten_years_and_a_thousand_half_lives_are_exact(half_life, lookback):
    random = np.random.default_rng(3)
    times = np.sort(random.integers(0, 3_650 * DAY, 400))
    items = np.where(random.random(400) < 0.5, random.integers(0, 3, 400), -1).astype(np.int32)
    values = np.where(random.random(400) < 0.3, random.lognormal(3, 3, 400), 0.0)
    keys = (times // (365 * DAY)).astype(np.int32)
    offsets = np.array([0, 400])
    chunk = offsets, times, session_starts(offsets, times, HALF_HOUR)
    rule = Rule(Model.TIME_DECAY, half_life)
    own = [None if item < 0 else item for item in items.tolist()]
    found = shares(
        times.tolist(),
        own,
        values.tolist(),
        [1] * 400,
        model="time_decay",
        container="person",
        lookback=lookback,
        half_life=half_life,
    )
    for key in (np.zeros(400, np.int32), keys):
        expected = by_item_and_key(found, own, key.tolist())
        got = cells(rule, PERSON, chunk, items, values, key, lookback)
        assert got == pytest.approx(expected, rel=0, abs=1e-9 * values.sum())
