"""Follows what the lake took in or out: admit, resolve duplicates, stitch live, write, mask.

The cost grows with what arrived, not with the history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl

from engine.catalog.records import Skip
from engine.journeys import change, device_table, devices, intake, tombstones, withdraw
from engine.journeys.change import Change, Outcome, Versions
from engine.journeys.columns import journey_schema
from engine.journeys.duplicates import Resolution, resolve, touches
from engine.journeys.graph import Graph, look_up
from engine.journeys.intake import Member
from engine.journeys.runs import Part, Progress
from engine.journeys.stitch_log import Kind
from engine.lake import table as lake
from engine.lake.table import LakeFile
from engine.world import Home, World
from stitching import field_based, graph_based


@dataclass(frozen=True)
class Arrival:
    """Rows of one dataset that came or went.

    Attributes:
        files: the lake files that hold the new events.
        resolution: what the rows do to the dataset's events.
        skips: rows that are not taken.
    """

    files: Sequence[LakeFile]
    resolution: Resolution
    skips: tuple[Skip, ...]


def append(
    home: Home,
    name: str,
    world: World,
    datasets: Mapping[str, int],
    progress: Progress | None = None,
    *,
    graph: int | None = None,
) -> Outcome:
    """Bring a connection's journeys from a world's dataset versions to newer ones.

    Args:
        home: the home; the caller holds its lease.
        name: the connection.
        world: the newest published world.
        datasets: changed datasets and their versions; those outside the connection are ignored.
        progress: told (phase, done, total).
        graph: version of the identity graph that has taken in the newer versions; None if there is none.
    """
    definitions = world.definitions
    identities = Graph(home, graph)
    versions = devices.ensure(home, definitions, name, change.versions_of(world, name))
    source = devices.journeys(home, definitions, name, versions.journeys)
    schema = journey_schema(definitions, name)
    parts: list[Part] = []
    dead: list[pl.DataFrame] = []
    skips: list[Skip] = []
    learned: dict[int, pl.DataFrame] = {}
    for member in intake.members(definitions, name):
        if datasets.get(member.name) in (None, world.datasets[member.name]):
            continue
        arrival = _arrival(home, name, world, member, datasets[member.name])
        events, gone = arrival.resolution.events, arrival.resolution.dead
        known = _states(home, name, versions, member, arrival.resolution)
        memory = withdraw.memory(source, member, known, arrival.resolution)
        adds = respecting(home, member, events, stitch(member, events, memory, identities))
        parts.append(Part(member, arrival.files, adds))
        dead.append(change.masks_of(source.files, schema, member.index, gone))
        skips += arrival.skips
        if member.field_based:
            learned[member.index] = devices.learn(source, member, known, events, gone)
    if learned and versions.devices is not None:
        told = device_table.commit(home.devices_path(name), versions.devices, learned)
        versions = replace(versions, devices=told)
    changes = Change(parts, pl.concat(dead) if dead else None, Kind.LIVE)
    after = change.commit(home, definitions, name, versions, changes, progress)
    return Outcome(after, tuple(skips))


def _states(
    home: Home, name: str, versions: Versions, member: Member, resolution: Resolution
) -> pl.DataFrame:
    """Return what is known of the devices of rows that come or go."""
    seen = pl.concat([resolution.events["device"], resolution.dead["device"]]).drop_nulls().unique()
    if versions.devices is None or not member.field_based:
        return pl.DataFrame(schema=device_table.STATES)
    return device_table.read(home.devices_path(name), versions.devices, member.index, seen)


def _arrival(home: Home, name: str, world: World, member: Member, version: int) -> Arrival:
    """Take in what came to a dataset since the world, up to a version, and what left it."""
    path, before = home.dataset_path(member.name), world.datasets[member.name]
    window = world.definitions.connections[name].duplicate_window
    added, removed = (find(path, before, version) for find in (lake.added_files, lake.removed_files))
    earlier = [file for file in lake.files(path, before) if file not in set(removed)]
    return arrive(home, name, member, earlier=earlier, added=added, removed=removed, window=window)


def arrive(
    home: Home,
    name: str,
    member: Member,
    *,
    earlier: Sequence[LakeFile],
    added: Sequence[LakeFile],
    removed: Sequence[LakeFile] = (),
    window: timedelta,
) -> Arrival:
    """Admit the rows of new lake files and resolve duplicates, without the rows of removed ones."""
    rows = intake.identities_of(member, added)
    admitted = rows.filter(intake.admissible())
    microseconds = window // timedelta(microseconds=1)
    resolution = resolve(
        member,
        admitted,
        departures=withdraw.departures(member, removed),
        earlier=earlier,
        moved=[*added, *removed],
        window=microseconds,
    )
    skips = _skips(home, name, member, rows) if admitted.height < rows.height else ()
    return Arrival(_holding(earlier, added, resolution.revived), resolution, skips)


def stitch(member: Member, events: pl.DataFrame, memory: pl.DataFrame, graph: Graph) -> pl.DataFrame:
    """Give new events their persons: ``row, _person, _namespace``.

    Args:
        member: the dataset in its connection.
        events: identity rows.
        memory: ``device, person``: whom the devices saw last before the events.
        graph: the identity graph of the world that will show the events.
    """
    if member.stitching is None:
        return intake.own_person(member, events)
    if member.graph is not None:
        return intake.named(member, graph_based.stitch(events, look_up(graph, member)))
    stitched = field_based.live(events.select("row", "device", "person", "time"), memory)
    return intake.named(member, stitched.rows)


def respecting(home: Home, member: Member, events: pl.DataFrame, adds: pl.DataFrame) -> pl.DataFrame:
    """Leave rows with their devices where the person found for them was deleted after they arrived.

    Args:
        home: the home.
        member: the dataset in its connection.
        events: identity rows.
        adds: ``row, _person, _namespace`` as they were stitched.
    """
    if member.stitching is None:
        return adds
    forbidden = tombstones.forbidden(home, member.name, adds)
    if not forbidden.any():
        return adds
    lost = events.join(adds.filter(forbidden), on="row", how="semi")
    own = intake.named(member, lost.select("row", person="device", known=pl.lit(False)))
    return pl.concat([adds.filter(~forbidden), own])


def _holding(earlier: Sequence[LakeFile], added: Sequence[LakeFile], revived: pl.DataFrame) -> list[LakeFile]:
    """Return the files that hold new events: the new ones, and where repeats came to life."""
    if not revived.height:
        return list(added)
    low, high = revived.select(low=pl.min("time"), high=pl.max("time")).row(0)
    return [*(file for file in earlier if touches(file, low, high)), *added]


def _skips(home: Home, name: str, member: Member, rows: pl.DataFrame) -> tuple[Skip, ...]:
    batches = {record.number: record.id for record in home.catalog.batches(member.name)}
    return tuple(
        Skip(name, member.name, batches[number], reason, count)
        for number, reason, count in intake.skipped(rows).iter_rows()
    )
