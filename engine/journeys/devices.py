"""What a connection knows of its devices: whom each saw last, and its timeline of persons.

Live stitching asks for the person last seen, a replay for the last person before its window. Both
answers cost what is asked for, not the history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from engine.definitions.model import Definitions
from engine.journeys import device_table, intake, runs, store
from engine.journeys.change import Versions
from engine.journeys.columns import DATASET, TIME, journey_schema
from engine.journeys.copies import live
from engine.journeys.device_table import STATES
from engine.journeys.intake import Member
from engine.journeys.store import Files
from engine.lake.table import ROW
from engine.world import Home
from stitching import timeline

_NEAR: Final = 7 * 86_400_000_000
"""Microseconds around a late event in which its neighbours are looked for first."""
_EVENT: Final = ("device", "time", "person", "row")


@dataclass(frozen=True)
class Journeys:
    """Where the events of devices can be read again.

    Attributes:
        files: the files of a version of the journeys.
        columns: all columns of their table.
    """

    files: Files
    columns: pl.Schema


def journeys(home: Home, definitions: Definitions, name: str, version: int) -> Journeys:
    """Return a version of a connection's journeys."""
    columns = runs.polars_columns(journey_schema(definitions, name))
    return Journeys(store.files(home.journeys_path(name), version), columns)


def ensure(home: Home, definitions: Definitions, name: str, versions: Versions) -> Versions:
    """Return versions with a table of devices, if any is asked for them; made of the journeys if lacking."""
    asked = [member for member in intake.members(definitions, name) if member.field_based]
    if versions.devices is not None or not asked:
        return versions
    source = journeys(home, definitions, name, versions.journeys)
    states = {member.index: states_of(_events(source, member)) for member in asked}
    return replace(versions, devices=device_table.overwrite(home.devices_path(name), states))


def memory(states: pl.DataFrame) -> pl.DataFrame:
    """Return ``device, person`` of the devices that have seen somebody, as live stitching takes it."""
    return states.filter(pl.col("known").is_not_null()).select("device", person="known")


def memory_without(source: Journeys, member: Member, devices: pl.Series, rows: pl.Series) -> pl.DataFrame:
    """Return whom devices would have seen last had some rows never come (``device, person``).

    Args:
        source: the journeys.
        member: the dataset.
        devices: distinct devices.
        rows: ids of the rows.
    """
    if not len(devices):
        return pl.DataFrame(schema={"device": pl.String, "person": pl.String})
    named = _events(source, member, devices)
    known = timeline.newest(_arrivals(named.filter(~pl.col("row").is_in(rows.implode()))))
    return known.select("device", person="known")


def states_of(events: pl.DataFrame) -> pl.DataFrame:
    """Return what identity rows tell of their devices (``STATES``): of the named ones among them."""
    named = _named(events)
    return _states(timeline.runs_of(_points(named)), timeline.newest(_arrivals(named)))


def learn(
    source: Journeys, member: Member, old: pl.DataFrame, events: pl.DataFrame, dead: pl.DataFrame
) -> pl.DataFrame:
    """Return the devices that a batch changes, as they are after it (``STATES``).

    Args:
        source: the journeys before the batch.
        member: the dataset.
        old: the states of all devices in the batch before it.
        events: identity rows that become events.
        dead: identity rows that are events no more.
    """
    added, removed = _named(events), _named(dead)
    touched = pl.concat([added["device"], removed["device"]]).unique()
    old = old.join(touched.to_frame(), on="device", how="semi")
    states = _states(_timelines(source, member, old, added, removed), _known(old, added))
    lost = _forgotten(states, removed)
    if not len(lost):
        return states
    again = pl.concat([_events(source, member, lost), added.select(_EVENT)])
    again = again.join(removed, on="row", how="anti")
    reread = states_of(again.filter(pl.col("device").is_in(lost.implode())))
    return pl.concat([states.join(lost.to_frame(), on="device", how="anti"), _with_empty(reread, lost)])


def _timelines(
    source: Journeys, member: Member, old: pl.DataFrame, added: pl.DataFrame, removed: pl.DataFrame
) -> pl.DataFrame:
    """Return the runs of devices after some events came and some went."""
    before, came, went = _runs(old), _points(added), _points(removed)
    known = [timeline.points_of(before), came]
    asked = timeline.probes(before, came, went)
    if asked.height:
        known[0] = known[0].join(went, on=list(timeline.POINTS), how="anti")
        known += _around(source, member, asked, removed)
    return timeline.runs_of(pl.concat(known))


def _around(
    source: Journeys, member: Member, asked: pl.DataFrame, removed: pl.DataFrame
) -> list[pl.DataFrame]:
    """Read what is named around probes: close by, then, where that does not do, in the whole run."""
    span = asked.select(low=pl.col("time").min() - _NEAR, high=pl.col("time").max() + _NEAR).row(0)
    found = []
    for whole in (False, True):
        if whole:
            span = asked.select(pl.col("start").min(), pl.col("end").max()).row(0)
        events = _events(source, member, asked["device"].unique(), span)
        points = _points(events.join(removed, on="row", how="anti"))
        found.append(points)
        asked = timeline.unsettled(asked, points)
        if not asked.height:
            break
    return found


def _known(old: pl.DataFrame, added: pl.DataFrame) -> pl.DataFrame:
    """Return whom devices saw last, of what was known and what came (``timeline.NEWEST``)."""
    seen = old.filter(pl.col("known").is_not_null()).select(
        "device", time="known_time", person="known", batch="known_batch"
    )
    return timeline.newest(pl.concat([seen, _arrivals(added)]))


def _forgotten(states: pl.DataFrame, removed: pl.DataFrame) -> pl.Series:
    """Return the devices whose last seen person may rest on an event that went."""
    keys = {"device": "device", "known_batch": "batch", "known_time": "time"}
    gone = _arrivals(removed)
    met = states.join(gone, left_on=list(keys), right_on=list(keys.values()), how="semi")
    return met["device"]


def _events(
    source: Journeys,
    member: Member,
    devices: pl.Series | None = None,
    span: tuple[int, int] | None = None,
) -> pl.DataFrame:
    """Read the named events of devices from journeys (``device, time, person, row``).

    Args:
        source: the journeys.
        member: the dataset.
        devices: distinct devices; None is all.
        span: the first and the last time to read; None is all.
    """
    device, person = intake.journey_identity(member)
    where = (pl.col(DATASET) == member.index) & person.is_not_null() & device.is_not_null()
    start = end = None
    if devices is not None:
        where &= device.is_in(devices.implode())
    if span is not None:
        where &= pl.col(TIME).is_between(*span)
        start, end = span[0], span[1] + 1
    wanted = list(dict.fromkeys([ROW, TIME, str(member.device_path), member.person_path]))
    rows = live(source.files, source.columns, wanted, where=where, start=start, end=end)
    return rows.select(device=device, time=pl.col(TIME), person=person, row=pl.col(ROW)).collect()


def _named(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events that name a person on a device (``device, time, person, row``)."""
    told = pl.col("device").is_not_null() & pl.col("person").is_not_null()
    return events.filter(told).select(_EVENT)


def _points(named: pl.DataFrame) -> pl.DataFrame:
    return named.select(list(timeline.POINTS))


def _arrivals(named: pl.DataFrame) -> pl.DataFrame:
    """Return points with the number of the batch that brought them."""
    return named.select(*timeline.POINTS, batch=pl.col("row") // (1 << 32))


def _runs(states: pl.DataFrame) -> pl.DataFrame:
    """Return the runs of states, one a row (``timeline.RUNS``)."""
    told = states.filter(pl.col("runs").list.len() > 0).select("device", "runs")
    return told.explode("runs").unnest("runs").select(list(timeline.RUNS))


def _states(found: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Put runs, which lie together per device, and last seen persons together (``STATES``)."""
    nested = found.group_by("device", maintain_order=True).agg(runs=pl.struct("start", "end", "person"))
    return known.join(nested, on="device", how="full", coalesce=True).select(list(STATES))


def _with_empty(states: pl.DataFrame, devices: pl.Series) -> pl.DataFrame:
    """Add devices of which nothing is known any more."""
    return devices.to_frame("device").join(states, on="device", how="left").select(list(STATES))
