"""Measures of stitching and suspect identities, compared with counting row by row."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from stitching import alarms, quality
from tests.oracle import quality as oracle

DAYS = [date(2026, 1, 31) + timedelta(days=day) for day in range(3)]
NAMES = ["ann", "bob", "d1", "d2", ""]
MANY = settings(max_examples=60)


@st.composite
def rows(draw: st.DrawFn) -> list[oracle.Row]:
    """Draw rows of which each has a device or a person, as all rows of journeys do."""
    found = []
    for _ in range(draw(st.integers(0, 12))):
        device, person = draw(st.none() | st.sampled_from(NAMES)), draw(st.none() | st.sampled_from(NAMES))
        if device is None and person is None:
            continue
        stitched = person if person is not None else draw(st.sampled_from(NAMES))
        known = person is not None or draw(st.booleans())
        found.append(oracle.Row(draw(st.sampled_from(DAYS)), device, person, stitched, known))
    return found


def frame(found: list[oracle.Row]) -> pl.DataFrame:
    text = pl.Categorical(pl.Categories.random())
    kinds = {"day": pl.Date, "device": text, "person": text, "stitched": text, "known": pl.Boolean}
    return quality.with_shared(pl.DataFrame([vars(row) for row in found], schema=kinds))


@MANY
@given(rows())
def test_measures_are_what_counting_says(found: list[oracle.Row]) -> None:
    days = quality.measured(frame(found), ["day"]).to_dicts()
    assert {day.pop("day"): day for day in days} == oracle.by_day(found)
    total = quality.measured(frame(found)).to_dicts()
    assert len(total) == 1
    if found:
        assert total == [oracle.measures(found, oracle.shared_devices(found))]
    else:
        assert (total[0]["rows"], total[0]["shared_devices"], total[0]["lift"]) == (0, 0, None)


@MANY
@given(rows(), st.integers(1, 3))
def test_biggest_persons_are_what_counting_says(found: list[oracle.Row], most: int) -> None:
    assert quality.biggest(frame(found), most).rows() == oracle.biggest(found, most)


NAMED = st.tuples(st.sampled_from(["d1", "d2", "d3", "x"]), st.sampled_from(["d1", "ann", "bob", "x"]))


@MANY
@given(st.dictionaries(NAMED, st.integers(1, 3), max_size=8), st.integers(2, 3), st.integers(0, 4))
def test_alarms_are_what_counting_says(runs: dict[tuple[str, str], int], devices: int, limit: int) -> None:
    rows = [(0, device, "ecid", person, "crm", count) for (device, person), count in runs.items()]
    found = alarms.alarms(pl.DataFrame(rows, schema=alarms.NAMED, orient="row"), devices, limit)
    named = [(device, "ecid", person, "crm") for device, person in runs]
    changes = {
        ("ecid", device): sum(count for (other, _), count in runs.items() if other == device) - 1
        for device, _ in runs
    }
    told = {(row["kind"], row["namespace"], row["value"], row["counted"]) for row in found.to_dicts()}
    assert told == oracle.alarms(named, changes, devices, limit)
    assert len(told) == found.height


def test_timelines_of_datasets_are_not_added_up() -> None:
    rows = [(dataset, "d", "ecid", person, "crm", 2) for dataset in (0, 1) for person in ("ann", "bob")]
    named = pl.DataFrame(rows, schema=alarms.NAMED, orient="row")
    assert not alarms.alarms(named, 2, 3).height
    assert alarms.alarms(named, 2, 2).select("kind", "value", "counted", "threshold").rows() == [
        ("many changes", "d", 3, 2)
    ]


def test_the_worst_of_a_kind_comes_first() -> None:
    rows = [
        (0, f"d{number}", "ecid", person, "crm", 1)
        for person, devices in (("a", 2), ("b", 3), ("c", 3))
        for number in range(devices)
    ]
    found = alarms.alarms(pl.DataFrame(rows, schema=alarms.NAMED, orient="row"), 2, 50)
    assert found["value"].to_list() == ["b", "c", "a"]
