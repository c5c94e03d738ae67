"""Weights that are learned from all paths: EX-OWN-A2, the oracle, and what sampling costs."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import algorithmic
from attribution.algorithmic import shapley_weights
from attribution.markov import CONVERSION, NONE, added_up, removal_effects, renamed, steps
from attribution.paths import after_conversions, last_touches, picked, with_touches
from attribution.sets import Sets, TooLargeError, distinct_sets, normalised, sorted_sets, united
from attribution.spans import Spans
from tests.oracle import algorithmic as oracle

ITEMS = "abcde"
paths = st.lists(
    st.builds(
        oracle.Path,
        st.lists(st.sampled_from(ITEMS), max_size=6).map(tuple),
        st.booleans(),
    ),
    max_size=12,
)


def spans_of(found):
    """Return the items of paths one after the other, and the span of each path."""
    ends = np.cumsum([len(path.items) for path in found]).astype(np.int32)
    begins = np.append(np.int32(0), ends[:-1]).astype(np.int32) if ends.size else ends
    items = np.array([ITEMS.index(item) for path in found for item in path.items], np.int32)
    return Spans(begins, ends), items


def learned(found):
    """Return the sets of paths, how many there are of each, and how many of these convert."""
    touched = [path for path in found if path.items]
    spans, items = spans_of(touched)
    part, numbers = distinct_sets(spans, items, len(ITEMS), 1000)
    sets, (places,) = united([sorted_sets(part)])
    converted = np.array([path.converted for path in touched], bool)
    every = np.bincount(places[numbers], minlength=sets.sizes.size)
    return sets, every, np.bincount(places[numbers[converted]], minlength=sets.sizes.size)


def named(sets, weights):
    """Return set → item → weight."""
    return {
        frozenset(ITEMS[m] for m in sets.members[begin:end]): {
            ITEMS[m]: w for m, w in zip(sets.members[begin:end], weights[begin:end], strict=True)
        }
        for begin, end in zip(sets.offsets, sets.offsets[1:], strict=False)
    }


def weighed(found, exact=algorithmic.EXACT):
    sets, every, converting = learned(found)
    wanted = np.arange(sets.sizes.size, dtype=np.int32)
    return named(sets, shapley_weights(sets, converting / np.maximum(every, 1), wanted, exact))


def many(items, count, converting):
    return [oracle.Path(tuple(items), number < converting) for number in range(count)]


EXAMPLE = [*many("a", 100, 10), *many("b", 100, 20), *many("ab", 50, 20)]


def test_ex_own_a2():
    weights = weighed(EXAMPLE)
    assert weights[frozenset("ab")] == pytest.approx({"a": 0.375, "b": 0.625})
    credit = Counter()
    for path in EXAMPLE:
        for item, weight in weights[frozenset(path.items)].items():
            credit[item] += weight * path.converted
    assert credit == pytest.approx({"a": 17.5, "b": 32.5})


def test_a_set_that_no_path_has_is_worth_the_best_set_within_it():
    found = [*many("a", 10, 5), *many("b", 10, 2), *many("abc", 10, 8)]
    weights = weighed(found)[frozenset("abc")]
    assert weights == pytest.approx({k: float(v) for k, v in oracle_weights(found)[frozenset("abc")].items()})


def test_items_that_only_do_harm_get_nothing_and_equal_parts_where_all_do():
    found = [*many("a", 10, 8), *many("b", 10, 0), *many("ab", 10, 4), *many("c", 4, 0), *many("cd", 4, 0)]
    weights = weighed(found)
    assert weights[frozenset("ab")] == pytest.approx({"a": 1.0, "b": 0.0})
    assert weights[frozenset("cd")] == pytest.approx({"c": 0.5, "d": 0.5})


def oracle_weights(found):
    seen = oracle.rates(found)
    return {items: oracle.shapley_weights(items, seen) for items in seen}


@settings(max_examples=60, deadline=None)
@given(paths)
def test_weights_agree_with_the_oracle(found):
    weights = weighed(found)
    expected = oracle_weights(found)
    assert weights.keys() == expected.keys()
    for items, parts in expected.items():
        assert weights[items] == pytest.approx({i: float(w) for i, w in parts.items()}, abs=1e-12)


def random_sets(size, count, seed):
    """Sets within the first ``size`` items, the whole among them, and a rate for each."""
    chance = np.random.default_rng(seed)
    chosen = {tuple(range(size))}
    while len(chosen) < count:
        inner = chance.choice(size, chance.integers(1, min(size, 5) + 1), replace=False)
        chosen.add(tuple(sorted(inner.tolist())))
    offsets = np.append(0, np.cumsum([len(one) for one in chosen]))
    sets, _ = united([Sets(offsets, np.array([m for one in chosen for m in one], np.int32))])
    return sets, chance.random(count) * 0.3 + 0.05 * sets.sizes


def largest(sets):
    return np.array([np.argmax(sets.sizes)], np.int32)


@pytest.mark.parametrize("size", [5, 9, 12, 14])
def test_sampled_weights_are_close_to_exact_ones(size):
    for seed in range(3):
        sets, rates = random_sets(size, 40 if size > 5 else 20, seed)
        exact = shapley_weights(sets, rates, largest(sets), exact=14)
        sampled = shapley_weights(sets, rates, largest(sets), exact=0)
        assert sampled.sum() == pytest.approx(1.0)
        assert np.abs(exact - sampled).max() < 0.015


def test_up_to_twelve_items_are_exact_and_more_are_sampled_always_alike():
    for size, is_exact in ((12, True), (13, False)):
        sets, rates = random_sets(size, 60, seed=5)
        found = shapley_weights(sets, rates, largest(sets))
        exact = shapley_weights(sets, rates, largest(sets), exact=size)
        assert (found.tolist() == exact.tolist()) is is_exact
        assert found.tolist() == shapley_weights(sets, rates, largest(sets)).tolist()


def test_a_sampled_set_does_not_depend_on_which_others_are_asked_for():
    sets, rates = random_sets(20, 80, seed=2)
    every = shapley_weights(sets, rates, np.arange(80, dtype=np.int32), exact=3)
    begins = np.append(0, np.cumsum(sets.sizes))
    for number in (0, 17, 79):
        alone = shapley_weights(sets, rates, np.array([number], np.int32), exact=3)
        assert alone.tolist() == every[begins[number] : begins[number + 1]].tolist()


def test_very_large_sets_take_fewer_orders_but_still_share_everything():
    sets, rates = random_sets(2000, 3000, seed=1)
    weights = shapley_weights(sets, rates, largest(sets))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=15), st.data())
def test_sets_of_spans_are_those_of_their_touches(items, data):
    sizes = st.lists(st.integers(0, len(items)), max_size=6).map(sorted)
    begins, ends = data.draw(sizes), data.draw(sizes)
    pairs = [(b, e) for b, e in zip(begins, ends, strict=False) if b < e]
    spans = Spans(*np.array(pairs, np.int32).reshape(-1, 2).T.copy())
    sets, numbers = distinct_sets(spans, np.array(items, np.int32), 5, 1000)
    found = sorted_sets(sets)
    spelled = [
        tuple(found.members[begin:end].tolist())
        for begin, end in zip(found.offsets, found.offsets[1:], strict=False)
    ]
    assert len(set(spelled)) == len(spelled)
    assert [spelled[number] for number in numbers] == [tuple(sorted(set(items[b:e]))) for b, e in pairs]


def test_sets_with_too_many_members_are_refused():
    spans = Spans(np.array([0, 0], np.int32), np.array([2, 3], np.int32))
    items = np.array([0, 1, 2], np.int32)
    assert distinct_sets(spans, items, 3, most=5)[0].members.size == 5
    with pytest.raises(TooLargeError, match="2 sets have 5 members"):
        distinct_sets(spans, items, 3, most=4)


def test_sets_of_several_lists_are_united_and_items_that_are_the_same_become_one():
    one = Sets(np.array([0, 2, 3]), np.array([1, 0, 300], np.int32))
    other = sorted_sets(Sets(np.array([0, 2]), np.array([2, 1], np.int32)), np.array([9, 0, 0], np.int32))
    sets, numbers = united([sorted_sets(one), other])
    assert [sets.members.tolist(), sets.offsets.tolist()] == [[0, 0, 1, 300], [0, 1, 3, 4]]
    assert [part.tolist() for part in numbers] == [[1, 2], [0]]


def test_what_follows_the_last_conversion_of_a_container_is_a_path_of_its_own():
    containers = np.array([0, 0, 0, 2, 2, 5], np.int32)
    lasts = last_touches(containers, np.array([0, 1, 2, 3, 5], np.int32))
    assert lasts.tolist() == [2, 3, 5]
    spans = Spans(np.array([0, 3, 5], np.int32), lasts + 1)
    left = after_conversions(
        spans, containers[lasts], np.array([0, 0, 4, 5], np.int32), np.array([1, 2, 5, 6], np.int32)
    )
    assert [left.begins.tolist(), left.ends.tolist()] == [[2, 3, 6], [3, 4, 6]]
    assert picked(left, with_touches(left)).begins.tolist() == [2, 3]


def effects_of(found):
    touched = [path for path in found if path.items]
    spans, items = spans_of(touched)
    converted = np.array([path.converted for path in touched], bool)
    ends = [(np.flatnonzero(converted), CONVERSION), (np.flatnonzero(~converted), NONE)]
    parts = [steps(picked(spans, numbers.astype(np.int32)), items, end) for numbers, end in ends]
    shuffled = np.array([3, 1, 4, 0, 2], np.int32)
    effects = removal_effects(added_up(parts), len(ITEMS))
    other = removal_effects(added_up([renamed(part, shuffled) for part in parts]), len(ITEMS))
    assert other[shuffled] == pytest.approx(effects, abs=1e-12)
    return effects


@settings(max_examples=60, deadline=None)
@given(paths)
def test_removal_effects_agree_with_the_oracle(found):
    effects, expected = effects_of(found), oracle.removal_effects(found)
    for number, item in enumerate(ITEMS):
        assert effects[number] == pytest.approx(float(expected.get(item, 0)), abs=1e-9)


def test_removal_effects_of_a_small_case_by_hand():
    found = [
        oracle.Path(("a", "b"), True),
        oracle.Path(("a",), False),
        oracle.Path(("b",), True),
        oracle.Path(("c", "c"), False),
    ]
    # a: half of the walks; from there half go on to b, from where all convert.
    # Chance of a conversion 1/2; without a 1/4, without b 0, without c 1/2.
    assert effects_of(found)[:3] == pytest.approx([0.5, 1.0, 0.0])


def test_sets_share_by_removal_effects():
    sets, _ = united([Sets(np.array([0, 2, 4]), np.array([0, 1, 2, 3], np.int32))])
    effects = np.array([0.5, 1.0, 0.0, 0.0])
    assert normalised(sets.offsets, effects[sets.members]) == pytest.approx([1 / 3, 2 / 3, 0.5, 0.5])


def test_dividends_add_up_over_any_game():
    """Shapley values of a game with all sets seen: what an item adds, averaged over all orders."""
    inner = [tuple(i for i in range(3) if code >> i & 1) for code in range(1, 8)]
    offsets = np.append(0, np.cumsum([len(one) for one in inner]))
    sets, (places,) = united([Sets(offsets, np.array([m for one in inner for m in one], np.int32))])
    worth = dict(zip(inner, [0.1, 0.2, 0.5, 0.3, 0.4, 0.6, 0.9], strict=True)) | {(): 0.0}
    rates = np.empty(7)
    rates[places] = [worth[one] for one in inner]
    orders = [order for order in product(range(3), repeat=3) if len(set(order)) == 3]
    expected = [
        np.mean(
            [
                worth[tuple(sorted(order[: order.index(item) + 1]))]
                - worth[tuple(sorted(order[: order.index(item)]))]
                for order in orders
            ]
        )
        for item in range(3)
    ]
    found = shapley_weights(sets, rates, largest(sets))
    assert found == pytest.approx(np.array(expected) / 0.9)
