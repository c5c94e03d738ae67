"""Timelines of devices that grow and shrink equal those of all events at once, and the oracle's."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from stitching import timeline
from tests.laws.strategies import device_events
from tests.oracle import devices as oracle

Event = dict[str, Any]


def points(events: list[Event]) -> pl.DataFrame:
    named = [event for event in events if event["device"] is not None and event["person"] is not None]
    return pl.DataFrame(
        [{name: event[name] for name in (*timeline.POINTS, "batch")} for event in named],
        schema={**timeline.POINTS, "batch": pl.Int64},
    )


def runs_of(events: list[Event]) -> pl.DataFrame:
    return timeline.runs_of(points(events).drop("batch"))


def by_device(runs: pl.DataFrame) -> dict[str, list[tuple[int, int, str]]]:
    found: dict[str, list[tuple[int, int, str]]] = {}
    for device, *run in runs.iter_rows():
        found.setdefault(device, []).append(tuple(run))
    return found


@st.composite
def arrivals(draw: st.DrawFn) -> list[Event]:
    """Events with the batches that bring them."""
    events = draw(device_events(24))
    return [event | {"batch": draw(st.integers(1, 3))} for event in events]


@settings(max_examples=200, deadline=None)
@given(events=arrivals())
def test_oracle(events: list[Event]) -> None:
    runs = runs_of(events)
    devices = {event["device"] for event in events} - {None}
    expected = {device: oracle.timeline(events, device) for device in devices}
    assert by_device(runs) == {device: told for device, told in expected.items() if told}
    nested = runs.group_by("device", maintain_order=True).agg(runs=pl.struct("start", "end", "person"))
    for instant in range(-1, 7):
        last = {device: oracle.evidence(events, device, instant) for device in devices}
        found = dict(nested.select("device", timeline.known_at(pl.col("runs"), instant)).iter_rows())
        assert found == {device: last[device] for device in found}
        assert not any(person for device, person in last.items() if device not in found)


@settings(max_examples=200, deadline=None)
@given(events=arrivals())
def test_whom_a_device_saw_last(events: list[Event]) -> None:
    found = {device: known for device, known, _, _ in timeline.newest(points(events)).iter_rows()}
    devices = {event["device"] for event in events} - {None}
    last = {device: oracle.known(events, device) for device in devices}
    assert found == {device: person for device, person in last.items() if person is not None}


@settings(max_examples=300, deadline=None)
@given(data=st.data(), events=arrivals(), radius=st.integers(0, 3))
def test_runs_follow_what_comes_and_goes(data: st.DataObject, events: list[Event], radius: int) -> None:
    fates = [data.draw(st.sampled_from(["stays", "comes", "goes"])) for _ in events]
    stays, comes, goes = (
        [event for event, fate in zip(events, fates, strict=True) if fate == wanted]
        for wanted in ("stays", "comes", "goes")
    )
    added, removed = points(comes).drop("batch"), points(goes).drop("batch")
    runs = runs_of([*stays, *goes])
    known = [timeline.points_of(runs), added]
    asked = timeline.probes(runs, added, removed)
    if asked.height:
        known[0] = known[0].join(removed, on=list(timeline.POINTS), how="anti")
        known += _reread(points(stays).drop("batch"), asked, radius)
    assert by_device(timeline.runs_of(pl.concat(known))) == by_device(runs_of([*stays, *comes]))


def _reread(rows: pl.DataFrame, asked: pl.DataFrame, radius: int) -> list[pl.DataFrame]:
    """Read what is left of the events around the probes, then, where that is not enough, all."""
    low, high = asked["time"].min(), asked["time"].max()
    near = rows.filter(pl.col("time").is_between(low - radius, high + radius))  # type: ignore[operator]
    more = timeline.unsettled(asked, near)
    left = rows.filter(pl.col("device").is_in(more["device"].implode()))
    return [near, left] if more.height else [near]
