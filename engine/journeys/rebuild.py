"""Rebuild: a connection's journeys and devices from nothing but the lake and the stitch log.

A row's person is what the log last said of it; rows that the log does not know are stitched live.
So a rebuild gives the same answers, and a new connection is a rebuild with an empty log. Slices of
rows that are finished outlive the process: the next rebuild goes on from them (``staging``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import polars as pl
import pyarrow as pa

from engine.catalog.records import Skip
from engine.definitions.model import ConnectionDefinition, Definitions
from engine.journeys import change, device_table, devices, intake, runs, staging, stitch_log, store
from engine.journeys.append import arrive, respecting, stitch
from engine.journeys.change import Outcome, Versions
from engine.journeys.columns import NAMESPACE, PERSON, TIME, journey_schema
from engine.journeys.compact import covering, grown_buckets
from engine.journeys.graph import Graph
from engine.journeys.intake import Member
from engine.journeys.runs import Part, Progress
from engine.lake import delta
from engine.lake import table as lake
from engine.lake.table import LakeFile
from engine.world import Home


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild committed, and what it did.

    Attributes:
        outcome: what must be published.
        rows: events of the connection.
        slices: pieces that the rows were written in.
        resumed: those among them that an earlier rebuild, which was interrupted, had finished.
    """

    outcome: Outcome
    rows: int
    slices: int
    resumed: int


@dataclass(frozen=True)
class _Task:
    """A rebuild's arguments, as ``rebuild`` says."""

    home: Home
    definitions: Definitions
    name: str
    datasets: Mapping[str, int]
    keep: Collection[str]
    graph: Graph
    progress: Progress

    @property
    def connection(self) -> ConnectionDefinition:
        """The definition of the connection."""
        return self.definitions.connections[self.name]

    @property
    def table(self) -> Path:
        """The folder of the journey table."""
        return self.home.journeys_path(self.name)

    def files(self, member: Member) -> tuple[LakeFile, ...]:
        """Return the lake files that a dataset is read from."""
        return lake.files(self.home.dataset_path(member.name), self.datasets[member.name])


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


@dataclass(frozen=True)
class _Slice:
    """A finished slice: its files, relative to the table, and whether an earlier rebuild wrote them."""

    files: Sequence[delta.NewFile]
    resumed: bool


def rebuild(
    home: Home,
    definitions: Definitions,
    name: str,
    datasets: Mapping[str, int],
    *,
    keep: Collection[str] = (),
    graph: int | None = None,
    progress: Progress | None = None,
) -> Rebuilt:
    """Write all journeys and devices of a connection anew, in commits that replace what was there.

    All commits come last. The caller discards the pieces (``staging``) once the outcome is published.

    Args:
        home: the home; the caller holds its lease.
        definitions: where the connection is defined.
        name: the connection.
        datasets: dataset → version to consume.
        keep: stitched datasets whose log entries still hold; the others are stitched anew.
        graph: version of the identity graph that has taken in these versions; None if there is none.
        progress: told (phase, done, total).
    """
    identities = Graph(home, graph)
    task = _Task(home, definitions, name, datasets, keep, identities, progress or (lambda *_: None))
    log = _open_log(task)
    stitched = list(_stitch_all(task, log))
    schema = journey_schema(definitions, name)
    slices = _write(task, schema, _basis(task, log), [found.part for found in stitched])
    versions = Versions(
        journeys=_commit(task.table, schema, slices),
        stitch_log=_commit_log(task, log, [found.unlogged for found in stitched]),
        devices=_commit_devices(task, stitched),
    )
    skips = tuple(skip for found in stitched for skip in found.skips)
    rows = sum(found.part.adds.height for found in stitched)
    return Rebuilt(Outcome(versions, skips), rows, len(slices), sum(piece.resumed for piece in slices))


def _open_log(task: _Task) -> int | None:
    """Create the log if the connection stitches; return its version."""
    if all(part.stitching is None for part in task.connection.datasets.values()):
        return None
    return delta.create(task.home.stitch_log_path(task.name), stitch_log.SCHEMA, "row")


def _basis(task: _Task, log: int | None) -> staging.Basis:
    recipe = staging.recipe(task.definitions, task.name, task.graph.version, sorted(task.keep))
    consumed = {name: task.datasets[name] for name in task.connection.datasets}
    return staging.Basis(consumed, log if task.keep else None, recipe)


def _stitch_all(task: _Task, log: int | None) -> Iterator[_Stitched]:
    members = intake.members(task.definitions, task.name)
    rows = [sum(file.rows for file in task.files(member)) for member in members]
    for member in members:
        task.progress("identities", sum(rows[: member.index]), sum(rows))
        yield _stitch(task, member, log)
    task.progress("identities", sum(rows), sum(rows))


def _stitch(task: _Task, member: Member, log: int | None) -> _Stitched:
    files, window = task.files(member), task.connection.duplicate_window
    arrival = arrive(task.home, task.name, member, earlier=(), added=files, window=window)
    events = arrival.resolution.events
    known = _logged(task, member, log).join(events.select("row"), on="row", how="semi")
    unknown = events.join(known, on="row", how="anti") if known.height else events
    told = events.join(known, on="row", how="semi") if known.height and unknown.height else events.clear()
    adds = stitch(member, unknown, devices.memory(devices.states_of(told)), task.graph)
    adds = respecting(task.home, member, unknown, adds)
    every = pl.concat([known, adds]) if known.height else adds
    states = devices.states_of(events)
    return _Stitched(Part(member, files, every), Part(member, files, adds), arrival.skips, states)


def _logged(task: _Task, member: Member, log: int | None) -> pl.DataFrame:
    if log is None or member.name not in task.keep:
        return pl.DataFrame(schema={"row": pl.Int64, PERSON: pl.String, NAMESPACE: pl.String})
    return stitch_log.latest(task.home.stitch_log_path(task.name), log, member.index)


def _write(task: _Task, schema: pa.Schema, basis: staging.Basis, parts: Sequence[Part]) -> list[_Slice]:
    """Write the rows slice by slice, but for those that are finished already."""
    pieces, total = list(runs.slices(parts)), sum(part.adds.height for part in parts)
    writer = _writer(grown_buckets(total, task.connection.buckets), alone=len(pieces) == 1)
    staging.prepare(task.table, basis)
    slices: list[_Slice] = []
    done = 0
    for number, piece in enumerate(pieces):
        task.progress("journeys", done, total)
        files = staging.finished(task.table, number)
        slices.append(_Slice(files or [], resumed=files is not None))
        if files is None:
            write = partial(_write_slice, piece, schema, writer)
            slices[-1] = _Slice(staging.write(task.table, number, write), resumed=False)
        done += sum(file.rows for file in slices[-1].files)
    task.progress("journeys", total, total)
    return slices


_Writer: TypeAlias = Callable[[Path, pl.DataFrame], list[delta.NewFile]]


def _writer(buckets: int, *, alone: bool) -> _Writer:
    """Choose the files of slices: the base, if one holds everything; else runs that are split already."""
    if alone:
        return lambda folder, rows: runs.write_base(folder, 0, rows, buckets)
    places = covering((), buckets)
    return lambda folder, rows: runs.split_rows(folder, 0, rows, places)


def _write_slice(
    piece: Sequence[Part], schema: pa.Schema, writer: _Writer, folder: Path
) -> list[delta.NewFile]:
    rows = runs.ordered(piece, schema)
    return writer(folder, rows) if rows.height else []


def _commit(table: Path, schema: pa.Schema, slices: Sequence[_Slice]) -> int:
    version = delta.create(table, schema, TIME)
    delta.sweep(table, version, store.KINDS)
    files = [file for piece in slices for file in piece.files]
    return delta.overwrite(table, version, schema, staging.named(table, version + 1, files))


def _commit_log(task: _Task, version: int | None, unlogged: Sequence[Part]) -> int | None:
    """Log the persons of rows that were stitched anew; a log of which nothing holds is emptied."""
    if task.keep or not version:
        return change.commit_log(task.home, task.name, version, unlogged, stitch_log.Kind.LIVE)
    log = task.home.stitch_log_path(task.name)
    entries = change.log_entries(log, version + 1, unlogged, stitch_log.Kind.LIVE)
    return delta.overwrite(log, version, stitch_log.SCHEMA, entries)


def _commit_devices(task: _Task, stitched: Sequence[_Stitched]) -> int | None:
    states = {found.part.member.index: found.states for found in stitched if found.part.member.field_based}
    return device_table.overwrite(task.home.devices_path(task.name), states) if states else None
