"""Next and previous values, as the documented tables have them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.journeys.neighbours import neighbour_rows

HOME, SEARCH, DETAIL, BLANK, NONE = "home", "search", "product detail", None, None
EXAMPLES = {
    "df_12": [HOME, HOME, SEARCH, SEARCH, DETAIL, SEARCH, DETAIL, SEARCH, SEARCH],
    "df_13": [HOME, HOME, HOME, SEARCH, BLANK, SEARCH, SEARCH, DETAIL, BLANK],
}
TABLES = [
    ("df_12", True, True, [HOME, SEARCH, SEARCH, DETAIL, SEARCH, DETAIL, SEARCH, SEARCH, NONE]),
    ("df_12", True, False, [SEARCH, SEARCH, DETAIL, DETAIL, SEARCH, DETAIL, SEARCH, NONE, NONE]),
    ("df_12", False, True, [NONE, HOME, HOME, SEARCH, SEARCH, DETAIL, SEARCH, DETAIL, SEARCH]),
    ("df_12", False, False, [NONE, NONE, HOME, HOME, SEARCH, DETAIL, SEARCH, DETAIL, DETAIL]),
    ("df_13", True, True, [HOME, HOME, SEARCH, SEARCH, NONE, SEARCH, DETAIL, NONE, NONE]),
    ("df_13", True, False, [SEARCH, SEARCH, SEARCH, DETAIL, NONE, DETAIL, DETAIL, NONE, NONE]),
    ("df_13", False, True, [NONE, HOME, HOME, HOME, NONE, SEARCH, SEARCH, SEARCH, NONE]),
    ("df_13", False, False, [NONE, NONE, NONE, HOME, NONE, HOME, HOME, SEARCH, NONE]),
]


def shown(values, *, ahead, repeats, index=1, resets=None):
    """The value that each event of one person shows."""
    distinct = sorted({value for value in values if value is not None})
    rows = np.array([row for row, value in enumerate(values) if value is not None], np.int32)
    codes = np.array([distinct.index(values[row]) for row in rows], np.int32)
    marks = np.array(resets or [1] + [0] * (len(values) - 1), np.uint8)
    sources = neighbour_rows(marks, rows, codes, ahead=ahead, index=index, repeats=repeats)
    return [None if row < 0 else values[row] for row in sources.tolist()]


@pytest.mark.parametrize(("example", "ahead", "repeats", "expected"), TABLES)
def test_ex_df_12_and_ex_df_13_next_and_previous(example, ahead, repeats, expected):
    assert shown(EXAMPLES[example], ahead=ahead, repeats=repeats) == expected


def test_several_places_away():
    values = ["a", "a", "b", "b", "c"]
    assert shown(values, ahead=True, repeats=True, index=2) == ["b", "b", "c", None, None]
    assert shown(values, ahead=True, repeats=False, index=2) == ["c", "c", None, None, None]
    assert shown(values, ahead=False, repeats=False, index=2) == [None, None, None, None, "a"]


def test_a_neighbour_is_in_the_same_container_and_equal_values_of_two_do_not_join():
    values, resets = ["a", "b", "b", "c"], [1, 0, 1, 0]
    assert shown(values, ahead=True, repeats=False, resets=resets) == ["b", None, "c", None]
    assert shown(values, ahead=False, repeats=True, resets=resets) == [None, "a", None, "b"]


def test_no_events_and_no_values_have_no_neighbours():
    assert shown([None, None], ahead=True, repeats=True) == [None, None]
    nothing = np.zeros(0, np.int32)
    assert neighbour_rows(np.zeros(0, np.uint8), nothing, nothing, ahead=True).tolist() == []
