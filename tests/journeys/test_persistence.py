"""Persistence: the worked tables EX-DV-P0 to P5 and the ways in which a value expires."""

from __future__ import annotations

import numpy as np
import pytest

from engine.journeys.groups import values_so_far
from engine.journeys.persistence import Allocation, Expiration, persisted_rows, resets, stretches

MINUTE = 60_000_000
TABLE = "-CB-A"


def shown(values, allocation, expiration, *, minutes=None, starts=None, ttl=None, metric=None):
    """Return what each event of one person shows; '-' is no value."""
    times = np.array(minutes or range(len(values)), np.int64) * MINUTE
    present = np.array([value != "-" for value in values], np.uint8)
    sessions = np.array(starts or [1] + [0] * (len(values) - 1), np.uint8)
    offsets = np.array([0, len(values)], np.int64)
    happened = np.array(metric or [0] * len(values), np.uint8)
    marks = resets(offsets, sessions, expiration, happened)
    rows = persisted_rows(times, present, marks, allocation, ttl)
    return "".join(values[row] if row >= 0 else "-" for row in rows)


def test_ex_dv_p0_without_persistence_each_event_shows_its_own_value():
    every_event_a_session = [1] * len(TABLE)
    got = shown(TABLE, Allocation.MOST_RECENT, Expiration.SESSION, starts=every_event_a_session)
    assert got == TABLE


@pytest.mark.parametrize("expiration", [Expiration.SESSION, Expiration.PERSON])
def test_ex_dv_p1_most_recent(expiration):
    assert shown(TABLE, Allocation.MOST_RECENT, expiration) == "-CBBA"


@pytest.mark.parametrize("expiration", [Expiration.SESSION, Expiration.PERSON])
def test_ex_dv_p2_original(expiration):
    assert shown(TABLE, Allocation.ORIGINAL, expiration) == "-CCCC"


@pytest.mark.parametrize("expiration", [Expiration.SESSION, Expiration.PERSON])
def test_ex_dv_p3_all(expiration):
    values = "ABC-A"
    codes = np.array(["ABC".find(value) for value in values], np.int32)
    sessions = np.array([1, 0, 0, 0, 0], np.uint8)
    marks = resets(np.array([0, 5], np.int64), sessions, expiration)
    so_far = values_so_far(stretches(marks), codes)
    shown_values = [
        "".join(values[row] for row in so_far.rows[begin : begin + count])
        for begin, count in zip(so_far.begins, so_far.counts, strict=True)
    ]
    assert shown_values == ["A", "AB", "ABC", "ABC", "ABC"]


@pytest.mark.parametrize("expiration", [Expiration.SESSION, Expiration.PERSON])
def test_ex_dv_p4_first_known(expiration):
    minutes = [1, 2, 3, 6, 7]
    assert shown(TABLE, Allocation.FIRST_KNOWN, expiration, minutes=minutes) == "CCCCC"


@pytest.mark.parametrize("expiration", [Expiration.SESSION, Expiration.PERSON])
def test_ex_dv_p5_last_known(expiration):
    minutes = [1, 2, 3, 6, 7]
    assert shown(TABLE, Allocation.LAST_KNOWN, expiration, minutes=minutes) == "AAAAA"


def test_metric_expiration_drops_the_value_right_after_the_event_that_has_the_metric():
    metric = [0, 0, 1, 0, 0]
    assert shown("A---B", Allocation.MOST_RECENT, Expiration.METRIC, metric=metric) == "AAA-B"
    assert shown("AB--C", Allocation.ORIGINAL, Expiration.METRIC, metric=metric) == "AAA-C"


def test_session_expiration_drops_the_value_with_the_session():
    starts = [1, 0, 0, 1, 0, 0]
    assert shown("A--B--", Allocation.ORIGINAL, Expiration.SESSION, starts=starts) == "AAABBB"
    assert shown("A-B---", Allocation.MOST_RECENT, Expiration.SESSION, starts=starts) == "AAB---"
    assert shown("A-B---", Allocation.MOST_RECENT, Expiration.PERSON, starts=starts) == "AABBBB"


def test_custom_expiration_keeps_a_value_up_to_its_time_to_live_and_no_longer():
    minutes = [0, 10, 11]
    got = shown("A--", Allocation.MOST_RECENT, Expiration.CUSTOM, minutes=minutes, ttl=10 * MINUTE)
    assert got == "AA-"


def test_custom_expiration_restarts_on_each_new_value_only_when_most_recent():
    minutes, ttl = [0, 6, 11, 13, 17], 10 * MINUTE
    values = "AB---"
    recent = shown(values, Allocation.MOST_RECENT, Expiration.CUSTOM, minutes=minutes, ttl=ttl)
    original = shown(values, Allocation.ORIGINAL, Expiration.CUSTOM, minutes=minutes, ttl=ttl)
    assert recent == "ABBB-"
    assert original == "AA---"


def test_values_do_not_cross_persons():
    offsets, times = np.array([0, 1, 1, 2], np.int64), np.array([0, 0], np.int64)
    present, starts = np.array([1, 0], np.uint8), np.array([1, 1], np.uint8)
    for allocation in set(Allocation) - {Allocation.ALL}:
        for expiration in Expiration:
            marks = resets(offsets, starts, expiration, np.zeros(2, np.uint8))
            assert persisted_rows(times, present, marks, allocation, 5).tolist() == [0, -1]
