"""Laws from files to SQL answers: arrival, partition and rebuild change nothing, nor does a second replay.

The journeys' own tests try many small shapes; here the whole path runs on a few seeded variants.
"""

from __future__ import annotations

from random import Random

import pytest

from engine import flow
from engine.journeys import chunks, compact
from tests.laws import shop_homes as shop
from wayline import generate


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return generate.generate(tmp_path_factory.mktemp("made"), events=2_000, seed=23)


@pytest.fixture(scope="module")
def home(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("plain") / "home"
    return shop.build(root, made, made.files["web"], made.files["calls"])


@pytest.fixture(scope="module")
def expected(home):
    return shop.answers(home)


@pytest.mark.parametrize(("seed", "batches"), [(1, 1), (2, 3), (3, 9)])
def test_arrival_independence(seed, batches, made, expected, tmp_path, monkeypatch):
    # The last variant leaves its runs and masks where they are, the others merge them at once.
    monkeypatch.setattr(compact, "SPLIT_ROWS", 1_000_000 if seed == 3 else 0)
    monkeypatch.setattr(compact, "BASE_SHARE", 1_000_000)
    random = Random(seed)
    web = shop.shuffled_web(made, tmp_path, random, batches)
    calls = shop.shuffled_calls(made, tmp_path, random)
    home = shop.build(tmp_path / "home", made, web, calls)
    shop.same_answers(shop.answers(home), expected)


@pytest.mark.parametrize("buckets", [1, 2, 64])
def test_partition_independence(buckets, made, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "TARGET_ROWS", 300)
    home = shop.build(tmp_path / "home", made, made.files["web"], made.files["calls"], buckets=buckets)
    shop.same_answers(shop.answers(home), expected)


def test_a_second_replay_changes_nothing(home, made, expected):
    assert shop.replay(home, made) == 0
    shop.same_answers(shop.answers(home), expected)


def test_rebuild(home, expected):
    before = home.current()
    flow.rebuild(home, "shop")
    assert home.current().journeys != before.journeys
    shop.same_answers(shop.answers(home), expected)
