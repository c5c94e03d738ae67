"""Saved segments and date ranges: what may be written, and what is refused with its place."""

import pytest
from pydantic import ValidationError

from engine.applying import segment_problems
from engine.definitions.checks import problems
from engine.definitions.model import DateRangeDefinition, Definitions
from engine.definitions.moments import Moment, read_moment
from engine.definitions.project import load, merge
from engine.definitions.saved import date_ranges
from tests.sqlfront.shop import DEFINITIONS


@pytest.mark.parametrize(
    ("text", "anchor", "steps"),
    [
        ("now", "now", ()),
        ("now - 30 days", "now", ((-30, "day"),)),
        ("Start of Month", "month", ()),
        ("start of quarter - 1 quarter + 1 day", "quarter", ((-1, "quarter"), (1, "day"))),
        ("start of week +2 weeks", "week", ((2, "week"),)),
    ],
)
def test_moments(text, anchor, steps):
    assert read_moment(text) == Moment(anchor, steps)


def test_a_day_is_a_moment():
    assert read_moment("2026-03-01 - 1 month").anchor.isoformat() == "2026-03-01T00:00:00"
    assert read_moment("2026-03-01 12:30").steps == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "start of decade",
        "now - 1 fortnight",
        "2026-13-01",
        "2026-03-01 10:00+02:00",
        "now -",
        "now - 999999 days",
    ],
)
def test_other_texts_are_no_moments(text):
    with pytest.raises(ValidationError):
        DateRangeDefinition(name="x", since=text)


def test_a_range_has_a_side():
    with pytest.raises(ValidationError, match="since or before"):
        DateRangeDefinition(name="x")


def test_a_range_of_a_standard_name_takes_its_place():
    mine = DateRangeDefinition(name="Last Year", since="2025-02-01", before="2026-02-01")
    assert date_ranges([mine])["Last Year"] == mine
    assert date_ranges([])["Last Year"].since == "start of year - 1 year"


def changed(**changes):
    return Definitions.model_validate(DEFINITIONS.model_dump() | changes)


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        (
            {"segments": {"a": {"name": "A", "data_views": ["wbe"], "segment": "1 = 1"}}},
            "segments.a.data_views.0",
            "wbe",
        ),
        (
            {"segments": {k: {"name": "A", "segment": "revenue > 1"} for k in "ab"}},
            "segments.b.name",
            "already",
        ),
        ({"date_ranges": {k: {"name": "A", "since": "now"} for k in "ab"}}, "date_ranges.b.name", "already"),
        (
            {"segments": {"a": {"name": "A", "segment": "page = 'x'"}}},
            "segments.a.segment.where",
            'data view "web_berlin"',
        ),
        (
            {"segments": {"a": {"name": "A", "segment": {"any": ["revenue > 1", "revenue"]}}}},
            "segments.a.segment.any.1.where",
            "neither",
        ),
    ],
)
def test_problems_name_their_place(changes, place, message):
    found = [*problems(changed(**changes)), *segment_problems(changed(**changes))]
    assert (".".join(found[0].path), message in found[0].message) == (place, True)


def test_one_name_may_stand_in_several_views():
    names = {
        view: {"name": "A", "data_views": [view], "segment": "revenue > 1"} for view in ("web", "web_berlin")
    }
    assert not list(problems(changed(segments=names)))


def test_they_are_read_from_a_project_file_and_merged(tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text(
        "segments:\n  big:\n    name: Big\n    segment: revenue > 50\n"
        "date_ranges:\n  q1:\n    name: First quarter\n    since: 2026-01-01\n    before: 2026-04-01\n"
    )
    merged = merge(DEFINITIONS, load(file, DEFINITIONS))
    assert merged.segments.keys() == {*DEFINITIONS.segments, "big"}
    assert merged.date_ranges["q1"].since == "2026-01-01"
    assert Definitions.model_validate_json(merged.model_dump_json()) == merged
