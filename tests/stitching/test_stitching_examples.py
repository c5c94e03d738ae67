"""Stitching: the worked tables EX-ST-0 to EX-ST-2 and the edge rules of field-based stitching."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from stitching import devices, identity
from stitching.field_based import live
from tests.stitching.texts import replay

EVENTS = {"row": pl.Int64, "device": pl.String, "person": pl.String, "time": pl.Int64}
KNOWN = {"device": pl.String, "person": pl.String}
IDS = pl.List(pl.Struct({"namespace": pl.String, "id": pl.String, "primary": pl.Boolean}))
NOTHING_KNOWN = pl.DataFrame(schema=KNOWN)

# time, device, person, after live stitching, after replay
EX_ST_1 = [
    ("12:01", "246", None, "246", "Bob"),
    ("12:02", "246", "Bob", "Bob", "Bob"),
    ("12:03", "246", "Bob", "Bob", "Bob"),
    ("12:04", "246", None, "Bob", "Bob"),
    ("12:05", "246", "Bob", "Bob", "Bob"),
    ("12:06", "246", None, "Bob", "Bob"),
    ("12:07", "246", "Bob", "Bob", "Bob"),
    ("12:03", "3579", None, "3579", "3579"),
    ("12:09", "3579", None, "3579", "3579"),
    ("12:02", "81911", None, "81911", "Bob"),
    ("12:05", "81911", "Bob", "Bob", "Bob"),
    ("12:12", "81911", None, "Bob", "Bob"),
]


def micros(text, day=12):
    moment = datetime.fromisoformat(f"2023-05-{day}T{text}:00+00:00")
    return int(moment.timestamp()) * 1_000_000


def events(*rows):
    """Return events from (time in µs, device, person)."""
    return pl.DataFrame(
        [
            {"row": row, "device": device, "person": person, "time": time}
            for row, (time, device, person) in enumerate(rows)
        ],
        schema=EVENTS,
    )


def known(**persons):
    return pl.DataFrame({"device": list(persons), "person": list(persons.values())}, schema=KNOWN)


def ex_st_1():
    return events(*((micros(time), device, person) for time, device, person, _, _ in EX_ST_1))


def test_ex_st_0_of_several_identities_the_lexically_first_is_meant():
    written = [
        ("CCID", "ccid-1", False),
        ("CCID", "ccid-2", True),
        ("ECID", "ecid-3", False),
        ("ECID", "ecid-2", True),
        ("ECID", "ecid-1", True),
    ]
    entries = [dict(zip(("namespace", "id", "primary"), entry, strict=True)) for entry in written]
    rows = pl.DataFrame({"ids": [entries, [], None]}, schema={"ids": IDS})
    ids, rules = pl.col("ids"), identity.Rules()
    namespace, value = identity.parted(identity.lowest_primary(ids, rules))
    found = rows.select(
        namespace=namespace,
        primary=value,
        ecid=identity.lowest(ids, "ECID", rules),
        first=identity.first(ids, "ECID"),
        email=identity.lowest(ids, "Email", rules),
    )
    nothing = (None, None, None, None, None)
    assert found.rows() == [("CCID", "ccid-2", "ecid-1", "ecid-3", None), nothing, nothing]


def test_ex_st_1_live():
    stitched = live(ex_st_1(), NOTHING_KNOWN)
    assert stitched.rows["person"].to_list() == [row[3] for row in EX_ST_1]
    assert stitched.rows["person"].n_unique() == 4
    assert dict(stitched.memory.iter_rows()) == {"246": "Bob", "81911": "Bob"}


def test_ex_st_1_replay():
    stitched = replay(ex_st_1(), NOTHING_KNOWN)
    assert stitched["person"].to_list() == [row[4] for row in EX_ST_1]
    assert stitched["person"].n_unique() == 2


def test_ex_st_3_rows_known_by_a_person_id():
    assert live(ex_st_1(), NOTHING_KNOWN).rows["known"].sum() == 8
    assert replay(ex_st_1(), NOTHING_KNOWN)["known"].sum() == 10


EX_ST_2 = [
    (micros("12:01"), "1234", None),
    (micros("12:02"), "1234", None),
    (micros("12:03"), "1234", "ryan"),
    (micros("12:07"), "1234", None),
    (micros("12:08"), "1234", "cassidy"),
    (micros("11:08", day=13), "1234", None),
]


def test_ex_st_2_a_shared_device_is_split():
    stitched = replay(events(*EX_ST_2), NOTHING_KNOWN)
    assert stitched["person"].to_list() == ["ryan"] * 4 + ["cassidy"] * 2


def test_ex_st_2_a_shared_device_belongs_to_the_last_person():
    stitched = replay(events(*EX_ST_2), NOTHING_KNOWN, last=True)
    assert stitched["person"].to_list() == ["cassidy"] * 6
    assert stitched["known"].all()


@pytest.mark.parametrize("last", [False, True])
def test_ex_st_2_a_device_id_that_is_reset_at_each_login_is_not_shared(last):
    reset = [
        (time, device if place < 4 else "5678", who) for place, (time, device, who) in enumerate(EX_ST_2)
    ]
    stitched = replay(events(*reset), NOTHING_KNOWN, last=last)
    assert stitched["person"].to_list() == ["ryan"] * 4 + ["cassidy"] * 2


def test_the_alphabetically_first_of_two_persons_at_one_instant_is_known_from_then_on():
    rows = [(1, "d", None), (1, "d", "Bob"), (1, "d", "Ann"), (2, "d", None), (0, "d", None)]
    stitched = live(events(*rows), NOTHING_KNOWN)
    assert stitched.rows["person"].to_list() == ["Ann", "Bob", "Ann", "Ann", "d"]
    assert stitched.memory.rows() == [("d", "Ann")]
    assert replay(events(*rows), NOTHING_KNOWN)["person"].to_list()[-1] == "Ann"


def test_memory_of_earlier_batches_is_used_and_only_news_comes_back():
    batch = events((5, "a", None), (5, "b", "Bob"), (6, "c", "Cleo"))
    stitched = live(batch, known(a="Ann", b="Bob", c="Carl", z="Zoe"))
    assert stitched.rows["person"].to_list() == ["Ann", "Bob", "Cleo"]
    assert stitched.memory.rows() == [("c", "Cleo")]


def test_evidence_before_the_window_goes_before_the_next_known_person():
    window = events((1, "a", None), (2, "a", "Bob"), (1, "b", None), (2, "b", "Bob"))
    stitched = replay(window, known(a="Ann"))
    assert stitched["person"].to_list() == ["Ann", "Bob", "Bob", "Bob"]


def test_blank_devices_keep_their_person_and_say_nothing_about_others():
    batch = events((1, None, "Ann"), (2, None, None), (3, None, "Bob"))
    stitched = live(batch, NOTHING_KNOWN)
    assert stitched.rows.rows() == [(0, "Ann", True), (1, None, False), (2, "Bob", True)]
    assert stitched.memory.is_empty()
    assert replay(batch, NOTHING_KNOWN).rows() == stitched.rows.rows()


@pytest.mark.parametrize(("limit", "expected"), [(1, ["Ann", "d", "Bob"]), (2, ["Ann", "Ann", "Bob"])])
def test_a_device_of_too_many_persons_is_not_stitched(limit, expected):
    """Evidence, then two changes of person: within a limit of two, beyond a limit of one."""
    rows = events((1, "d", "Ann"), (1, "d", None), (2, "d", "Bob"))
    before = known(d="Zoe")
    persons = replay(rows, before, transition_limit=limit)["person"].to_list()
    assert persons == expected
    assert live(rows, before, transition_limit=limit).rows["person"].to_list() == persons


def test_nothing_is_stitched_from_nothing():
    stitched = live(events(), NOTHING_KNOWN)
    assert stitched.rows.schema == {"row": pl.Int64, "person": pl.String, "known": pl.Boolean}
    assert stitched.memory.schema == KNOWN
    assert stitched.rows.is_empty()
    assert replay(events(), NOTHING_KNOWN).is_empty()


def test_many_devices_are_told_apart_and_kept_in_time_order():
    random = np.random.default_rng(3)
    names = pl.Series([f"device-{number}" for number in random.integers(0, 300, 2_000)])
    times = random.integers(0, 1_000, 2_000)
    found = devices.timelines(names, times)
    assert sorted(found.order.tolist()) == list(range(2_000))
    assert found.firsts.size == names.n_unique()
    for begin, end in zip(found.offsets[:-1], found.offsets[1:], strict=True):
        own = found.order[begin:end]
        assert names.gather(own).n_unique() == 1
        assert (np.diff(times[own]) >= 0).all()


def test_a_person_who_is_a_device_too_is_not_followed_further():
    """Ids are replaced once: what stands for a device is never looked up as a device itself."""
    rows = events((1, "a", "b"), (2, "a", None), (3, "b", "c"), (4, "b", None))
    stitched = replay(rows, NOTHING_KNOWN)
    assert stitched["person"].to_list() == ["b", "b", "c", "c"]
    assert live(rows, NOTHING_KNOWN).rows["person"].to_list() == ["b", "b", "c", "c"]


@pytest.mark.parametrize("last", [False, True])
def test_a_device_with_more_than_50_000_changes_of_person_is_left_alone(last):
    """So many changes are still a person's device; one more makes it a public place."""
    for changes, anonymous in ((50_000, "q" if last else "p"), (50_001, "d")):
        persons = ["p" if place % 2 == 0 else "q" for place in range(changes + 1)]
        rows = events((0, "d", None), *((place + 1, "d", who) for place, who in enumerate(persons)))
        stitched = replay(rows, NOTHING_KNOWN, last=last)
        ends = persons[-1] if last and changes == 50_000 else anonymous
        assert stitched["person"][0] == (ends if last else anonymous)
        assert stitched["person"][1] == ("p" if changes > 50_000 or not last else ends)
