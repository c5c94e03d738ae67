"""Field-based stitching against its oracle, and the laws that its answers obey, on any events."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stitching import field_based
from stitching.field_based import coded
from stitching.identity import Rules, identifying, is_identity
from stitching.names import Numbered
from tests.laws.strategies import device_events, known_persons
from tests.oracle import stitching as oracle
from tests.stitching.texts import replay

EVENTS = {"row": pl.Int64, "device": pl.String, "person": pl.String, "time": pl.Int64}
KNOWN = {"device": pl.String, "person": pl.String}


def event_frame(events):
    return pl.DataFrame(events, schema=EVENTS)


def known_frame(known):
    return pl.DataFrame({"device": list(known), "person": list(known.values())}, schema=KNOWN)


def as_mapping(rows):
    return {row: (person, known) for row, person, known in rows.iter_rows()}


@given(device_events(), known_persons())
def test_live_agrees_with_the_oracle(events, memory):
    stitched = field_based.live(event_frame(events), known_frame(memory))
    rows, after = oracle.live(events, memory)
    assert as_mapping(stitched.rows) == rows
    assert stitched.rows["row"].to_list() == [event["row"] for event in events]
    assert dict(stitched.memory.iter_rows()) == {
        device: person for device, person in after.items() if memory.get(device) != person
    }


@given(device_events(), known_persons(), st.booleans())
def test_replay_agrees_with_the_oracle(events, evidence, last):
    rows = replay(event_frame(events), known_frame(evidence), last=last)
    assert as_mapping(rows) == oracle.replay(events, evidence, last=last)
    assert rows["row"].to_list() == [event["row"] for event in events]


@given(device_events(), known_persons(), st.integers(0, 2), st.booleans())
def test_a_restless_device_is_not_stitched(events, evidence, limit, last):
    frame, known = event_frame(events), known_frame(evidence)
    rows = replay(frame, known, last=last, transition_limit=limit)
    assert as_mapping(rows) == oracle.replay(events, evidence, transition_limit=limit, last=last)


@given(device_events(), known_persons())
def test_the_last_person_of_a_device_has_all_its_events_and_no_replay_changes_that(events, evidence):
    known = known_frame(evidence)
    once = replay(event_frame(events), known, last=True)
    owners = {}
    for event, person in zip(events, once["person"], strict=True):
        if event["device"] is not None:
            assert owners.setdefault(event["device"], person) == person
    again = replay(event_frame(events), known, last=True)
    assert once.equals(again)


@given(device_events(), known_persons(), st.randoms())
def test_the_order_of_rows_does_not_matter(events, known, random):
    shuffled = random.sample(events, len(events))
    before, after = event_frame(events), event_frame(shuffled)
    memory = known_frame(known)
    one, other = field_based.live(before, memory), field_based.live(after, memory)
    assert as_mapping(one.rows) == as_mapping(other.rows)
    assert sorted(one.memory.rows()) == sorted(other.memory.rows())
    assert as_mapping(replay(before, memory)) == as_mapping(replay(after, memory))


@given(device_events(), known_persons(), st.integers(0, 6))
def test_replay_depends_on_the_events_and_not_on_what_was_stitched_before(events, evidence, cut):
    """A replay of the later part, with the evidence of the earlier, agrees with one of all."""
    earlier = [event for event in events if event["time"] < cut]
    later = [event for event in events if event["time"] >= cut]
    _, known = oracle.live(earlier, evidence)
    part = as_mapping(replay(event_frame(later), known_frame(known)))
    whole = as_mapping(replay(event_frame(events), known_frame(evidence)))
    assert part == {event["row"]: whole[event["row"]] for event in later}


@given(device_events(), known_persons())
def test_a_replay_never_undoes_live_stitching(events, memory):
    frame, known = event_frame(events), known_frame(memory)
    live = as_mapping(field_based.live(frame, known).rows)
    replayed = as_mapping(replay(frame, known))
    assert all(replayed[row] == answer for row, answer in live.items() if answer[1])


@given(device_events(), known_persons())
def test_every_event_gets_a_person_unless_it_is_blank(events, known):
    replayed = as_mapping(replay(event_frame(events), known_frame(known)))
    for event in events:
        person, _ = replayed[event["row"]]
        assert (person is None) == (event["device"] is None and event["person"] is None)


VALUES = st.sampled_from(["ann", "bob", "d1", "0", "000", "undefined", " ", "", "x" * 1025, None])


@given(st.lists(st.tuples(VALUES, VALUES), max_size=12))
def test_values_judged_once_are_those_judged_row_by_row(rows):
    columns = {"device": pl.String, "person": pl.String, "time": pl.Int64}
    events = pl.DataFrame([(*row, 0) for row in rows], columns, orient="row")
    judged = events.with_columns(identifying(pl.col(name), Rules()) for name in ("device", "person"))
    device, person = (Numbered.of(events[side]) for side in ("device", "person"))
    times = events["time"].to_numpy()
    found = coded(
        device,
        person,
        times,
        lambda texts: texts.to_frame("t").select(is_identity(pl.col("t"), Rules()))["t"],
    )
    for side in ("device", "person"):
        assert found.names.texts_of(getattr(found, side)).to_list() == judged[side].to_list()
