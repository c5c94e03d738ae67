"""Identities in texts: what is taken for one, and what is not."""

from __future__ import annotations

import pytest

from engine.governance.words import words_of


@pytest.mark.parametrize(
    ("text", "value", "record", "found"),
    [
        ("e1,Bob,home", "Bob", True, True),
        ("e1,Bobby,home", "Bob", True, False),
        ("field customer: 'Bob' is no number", "Bob", False, True),
        ("Bob records rejected", "Bob", False, False),
        ("12 records rejected", "12", False, False),
        ("ann@example.com is no number", "ann@example.com", False, True),
        ('{"name": "J\\u00fcrgen"}', "Jürgen", True, True),
        ('"a ""quoted"" name"', 'a "quoted" name', True, True),
        ("nothing", "Bob", True, False),
    ],
)
def test_what_is_found(text: str, value: str, record: bool, found: bool) -> None:
    words = words_of([value, "somebody else"])
    assert words.find(text, record=record) is found
    assert (words.replace(text, "-", record=record) != text) is found


def test_the_longest_value_is_replaced_whole() -> None:
    words = words_of(["ann", "ann@example.com"])
    assert words.replace("to ann@example.com, ann", "-", record=True) == "to -, -"


def test_a_record_that_was_cut_off_within_a_value() -> None:
    words = words_of(["robert@example.com"])
    assert words.ends("1,2,robert@exa")
    assert not words.ends("1,2,rob")
