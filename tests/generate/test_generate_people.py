"""Persons, devices and sessions of the demo data behave like people."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wayline.generate import people, visits
from wayline.generate.randomness import mixed, pick, stream_key, uniform
from wayline.generate.render import customer_ids, hexadecimal

PLAN = visits.Plan(200_000, 4)


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    days = [visits.events(PLAN, day) for day in range(90)]
    return pl.concat([pl.DataFrame(day) for day in days])


def test_sessions_are_bursts_of_a_few_page_views(events: pl.DataFrame) -> None:
    gap = pl.col("time").diff().over("person", order_by="time")
    ordered = events.with_columns(start=gap.is_null() | (gap > 1_800_000_000))
    session = ordered.sort("person", "time").with_columns(number=pl.col("start").cum_sum())
    sizes = session.group_by("number").len()["len"]
    assert 2 <= sizes.median() <= 8  # type: ignore[operator]
    inside = session.filter(~pl.col("start")).select(gap.drop_nulls().median()).item()
    assert 30e6 < inside < 300e6


def test_activity_is_skewed_but_nobody_is_a_machine(events: pl.DataFrame) -> None:
    sizes = events.group_by("person").len()["len"].sort(descending=True)
    top = sizes.head(PLAN.persons // 10).sum() / events.height
    assert 0.35 < top < 0.6
    assert sizes[0] < 90 * 100
    assert sizes[0] > 20 * sizes.median()  # type: ignore[operator]


def test_persons_have_several_devices_and_devices_several_persons(events: pl.DataFrame) -> None:
    per_person = events.group_by("person").agg(pl.col("device").n_unique())["device"]
    per_device = events.group_by("device").agg(pl.col("person").n_unique())["person"]
    assert per_person.max() <= 4  # type: ignore[operator]
    assert 0.2 < (per_person > 1).mean() < 0.8
    assert per_device.max() == 2
    assert 0.005 < (per_device > 1).mean() < 0.2


def test_devices_are_anonymous_before_their_first_login(events: pl.DataFrame) -> None:
    known = events.filter(pl.col("known"))
    first = known.group_by("device").agg(first=pl.col("time").min())
    before = events.join(first, on="device").filter(pl.col("time") < pl.col("first"))
    assert 0.1 < known.height / events.height < 0.3
    assert before["known"].sum() == 0
    assert before.height > 0.05 * events.height


def test_only_registered_persons_are_known(events: pl.DataFrame) -> None:
    person = events.filter(pl.col("known"))["person"].unique().to_numpy()
    assert people.is_registered(PLAN.seed, person).all()


@given(st.integers(0, 2**62), st.text(max_size=5))
@settings(max_examples=30)
def test_draws_are_uniform_for_every_seed(seed: int, purpose: str) -> None:
    draws = uniform(seed, purpose, np.arange(20_000, dtype=np.uint64))
    counts = np.bincount((draws * 10).astype(int), minlength=10)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert np.abs(counts - 2_000).max() < 6 * np.sqrt(1_800)


@given(st.integers(0, 2**40), st.integers(-(2**40), 2**40))
@settings(max_examples=20)
def test_ids_are_never_shared(first: int, seed: int) -> None:
    number = np.arange(first, first + 5_000, dtype=np.uint64)
    assert np.unique(mixed(number, stream_key(seed, "event id"))).size == number.size
    person = number & np.uint64(0xFFFFFFFF)
    assert np.unique(people.customer_numbers(seed, person)).size == person.size


def test_picks_follow_the_weights() -> None:
    codes = pick(np.arange(1_000) / 1_000, (1, 0, 3))
    assert np.bincount(codes, minlength=3).tolist() == [250, 0, 750]


def test_ids_are_written_with_all_their_digits() -> None:
    assert hexadecimal(np.array([0, 255, 2**64 - 1], np.uint64)).to_pylist() == [
        "0" * 16,
        "00000000000000ff",
        "f" * 16,
    ]
    numbers = np.array([0, -1, 4_294_967_295, 100_001], np.int64)
    assert customer_ids(numbers).to_pylist() == ["C0000000000", None, "C4294967295", "C0000100001"]
