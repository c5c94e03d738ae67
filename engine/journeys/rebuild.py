"""Rebuild: a connection's journeys and devices from nothing but the lake and the stitch log.

A row's person is what the log last said of it; rows that the log does not know are stitched live.
So a rebuild gives the same answers, and a new connection is a rebuild with an empty log.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from engine.catalog.records import Skip
from engine.definitions.model import ConnectionDefinition, Definitions
from engine.journeys import change, delta, device_table, devices, intake, runs, stitch_log, store
from engine.journeys.append import arrive, stitch
from engine.journeys.change import Outcome, Versions
from engine.journeys.columns import NAMESPACE, PERSON, TIME, journey_schema
from engine.journeys.compact import compact, grown_buckets
from engine.journeys.intake import Member
from engine.journeys.runs import Part, Progress
from engine.lake import table as lake
from engine.world import Home


@dataclass(frozen=True)
class _Stitched:
    """A dataset's events with their persons, and those among them that the log does not know.

    Attributes:
        states: what the events tell of their devices.
    """

    part: Part
    unlogged: Part
    skips: tuple[Skip, ...]
    states: pl.DataFrame


def rebuild(
    home: Home,
    definitions: Definitions,
    name: str,
    datasets: Mapping[str, int],
    *,
    keep: Collection[str] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Write all journeys and devices of a connection anew, in commits that replace what was there.

    Args:
        home: the home; the caller holds its lease.
        definitions: where the connection is defined.
        name: the connection.
        datasets: dataset → version to consume.
        keep: stitched datasets whose log entries still hold; the others are stitched anew.
        progress: told (phase, done, total).
    """
    schema = journey_schema(definitions, name)
    logs = _open_log(home, definitions, name, reset=not keep)
    stitched = [
        _stitch(home, definitions.connections[name], name, member, datasets[member.name], logs, keep)
        for member in intake.members(definitions, name)
    ]
    log = change.commit_log(home, name, logs, [found.unlogged for found in stitched], stitch_log.Kind.LIVE)
    parts = [found.part for found in stitched]
    buckets = definitions.connections[name].buckets
    journeys = _write(home, name, schema, parts, buckets, progress)
    states = {found.part.member.index: found.states for found in stitched if found.part.member.stitching}
    told = device_table.overwrite(home.devices_path(name), states) if states else None
    skips = tuple(skip for found in stitched for skip in found.skips)
    return Outcome(Versions(journeys, log, told), skips)


def _open_log(home: Home, definitions: Definitions, name: str, *, reset: bool) -> int | None:
    """Create the log if the connection stitches; empty it on reset. Return its version."""
    if all(part.stitching is None for part in definitions.connections[name].datasets.values()):
        return None
    path = home.stitch_log_path(name)
    version = delta.create(path, stitch_log.SCHEMA, "row")
    return delta.overwrite(path, version, stitch_log.SCHEMA, []) if reset and version else version


def _stitch(
    home: Home,
    connection: ConnectionDefinition,
    name: str,
    member: Member,
    version: int,
    log: int | None,
    keep: Collection[str],
) -> _Stitched:
    files = lake.files(home.dataset_path(member.name), version)
    arrival = arrive(home, name, member, earlier=(), added=files, window=connection.duplicate_window)
    events = arrival.resolution.events
    known = _logged(home, name, member, log, keep).join(events.select("row"), on="row", how="semi")
    unknown = events.join(known, on="row", how="anti") if known.height else events
    told = events.join(known, on="row", how="semi") if known.height and unknown.height else events.clear()
    adds = stitch(member, unknown, devices.memory(devices.states_of(told)))
    every = pl.concat([known, adds]) if known.height else adds
    states = devices.states_of(events)
    return _Stitched(Part(member, files, every), Part(member, files, adds), arrival.skips, states)


def _logged(home: Home, name: str, member: Member, log: int | None, keep: Collection[str]) -> pl.DataFrame:
    if log is None or member.name not in keep:
        return pl.DataFrame(schema={"row": pl.Int64, PERSON: pl.String, NAMESPACE: pl.String})
    return stitch_log.latest(home.stitch_log_path(name), log, member.index)


def _write(
    home: Home,
    name: str,
    schema: pa.Schema,
    parts: list[Part],
    buckets: int,
    progress: Progress | None,
) -> int:
    table = home.journeys_path(name)
    version = delta.create(table, schema, TIME)
    store.sweep(table, version)
    total = sum(part.adds.height for part in parts)
    written: list[delta.NewFile] = []
    for rows in runs.ordered_slices(parts, schema, progress):
        if total <= runs.SLICE_ROWS:
            written += runs.write_base(table, version + 1, rows, grown_buckets(total, buckets))
        else:
            written.append(runs.write_level0(table, version + 1, rows))
    journeys = delta.overwrite(table, version, schema, written)
    return compact(table, journeys, schema, buckets, progress)
