"""Lets erased rows and deleted persons leave a connection: journeys, stitch log and devices, physically.

What is committed holds no row, mask, entry or timeline of them; the files before it go with the next
vacuum. Rows that were stitched to a deleted person fall back to their devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl
import pyarrow as pa

from engine.catalog.records import Skip
from engine.journeys import change, compact, device_table, devices, intake, stitch_log, withdraw
from engine.journeys.append import respecting, stitch
from engine.journeys.change import Change, Outcome, Versions
from engine.journeys.columns import DATASET, NAMESPACE, PERSON, TIME, journey_schema
from engine.journeys.copies import live
from engine.journeys.devices import Journeys
from engine.journeys.duplicates import Resolution, resolve
from engine.journeys.graph import Graph
from engine.journeys.intake import IDENTITIES, Member
from engine.journeys.runs import Part, Progress
from engine.journeys.stitch_log import Kind
from engine.lake import delta
from engine.lake import table as lake
from engine.lake.carriers import Wanted
from engine.lake.table import ROW, LakeFile
from engine.world import Home, World
from stitching.identity import joined


@dataclass(frozen=True)
class Erased:
    """What an erasure committed to a connection's tables.

    Attributes:
        outcome: what must be published; its skips take the place of those that the catalog has.
        unstitched: rows that fell back to their device.
    """

    outcome: Outcome
    unstitched: int


@dataclass(frozen=True)
class Gone:
    """Rows that left a dataset's lake table.

    Attributes:
        before: the table's version with them.
        after: the version without them.
        rows: old file → ids of the rows.
    """

    before: int
    after: int
    rows: Mapping[LakeFile, pl.Series]

    @property
    def ids(self) -> pl.Series:
        """The ids of all of them."""
        return pl.concat([pl.Series(dtype=pl.Int64), *self.rows.values()])


def erase(
    home: Home,
    name: str,
    world: World,
    gone: Mapping[str, Gone],
    wanted: Wanted,
    progress: Progress | None = None,
    *,
    graph: int | None = None,
) -> Erased:
    """Commit a connection's journeys, stitch log and devices without erased rows and deleted persons.

    Args:
        home: the home; the caller holds its lease.
        name: the connection.
        world: the newest published world.
        gone: dataset → the rows that left it.
        wanted: the deleted identities.
        progress: told (phase, done, total).
        graph: version of the identity graph without them; None if there is none.
    """
    definitions = world.definitions
    versions = devices.ensure(home, definitions, name, change.versions_of(world, name))
    source = devices.journeys(home, definitions, name, versions.journeys)
    task = _Task(home, name, world, versions, source, gone, Graph(home, graph))
    found = [_member(task, member, wanted) for member in intake.members(definitions, name)]
    masks = pl.concat([piece.dead for piece in found])
    changes = Change([piece.part for piece in found], masks, Kind.ERASURE)
    if masks.height or any(piece.part.adds.height for piece in found):
        versions = change.commit(home, definitions, name, versions, changes, progress)
    outcome = Outcome(_purged(task, versions, found, wanted, progress), _skips(task))
    return Erased(outcome, sum(piece.unstitched for piece in found))


def persons(wanted: Wanted) -> pl.DataFrame:
    """Return identities as ``namespace, person``."""
    rows = [(code, value) for code, values in wanted.items() for value in sorted(values)]
    return pl.DataFrame(rows, schema={"namespace": pl.String, "person": pl.String}, orient="row")


def stitched_to(source: Journeys, wanted: Wanted, columns: Sequence[str]) -> pl.LazyFrame:
    """Return columns of the rows of journeys that belong to one of some identities."""
    either = [
        (pl.col(NAMESPACE) == code) & pl.col(PERSON).is_in(sorted(values)) for code, values in wanted.items()
    ]
    return live(source.files, source.columns, columns, where=pl.any_horizontal(either))


@dataclass(frozen=True)
class _Task:
    """What all datasets of an erasure have in common."""

    home: Home
    name: str
    world: World
    versions: Versions
    source: Journeys
    gone: Mapping[str, Gone]
    graph: Graph

    def files(self, member: Member) -> tuple[LakeFile, ...]:
        """Return the lake files of a dataset as they are after the erasure."""
        gone = self.gone.get(member.name)
        version = self.world.datasets[member.name] if gone is None else gone.after
        return lake.files(self.home.dataset_path(member.name), version)


@dataclass(frozen=True)
class _Piece:
    """What an erasure does to a dataset in its connection.

    Attributes:
        part: rows that get another person: those unstitched, and repeats of erased ones.
        dead: masks of their copies, and of those of erased rows.
        learned: the devices that know something else now (``device_table.STATES``).
    """

    member: Member
    part: Part
    dead: pl.DataFrame
    learned: pl.DataFrame
    unstitched: int


def _member(task: _Task, member: Member, wanted: Wanted) -> _Piece:
    resolution = _resolution(task, member)
    events, dead = resolution.events, resolution.dead
    known = _states(task, member, resolution)
    memory = withdraw.memory(task.source, member, known, resolution)
    again = respecting(task.home, member, events, stitch(member, events, memory, task.graph))
    freed = _freed(task, member, wanted, dead)
    own = again.clear()
    if member.stitching is not None:
        own = intake.named(member, freed.select("row", person="device", known=pl.lit(False)))
    files = _holding(task.files(member), pl.concat([again["row"], own["row"]]))
    lost = pl.concat([dead.select("row", "time"), freed.select("row", "time")])
    learned = known.clear()
    if member.field_based:
        learned = devices.learn(task.source, member, known, events, dead)
    return _Piece(
        member=member,
        part=Part(member, files, pl.concat([again, own])),
        dead=change.masks_of(task.source.files, _schema(task), member.index, lost),
        learned=learned,
        unstitched=own.height,
    )


def _schema(task: _Task) -> pa.Schema:
    return journey_schema(task.world.definitions, task.name)


def _resolution(task: _Task, member: Member) -> Resolution:
    """Return which events went with the erased rows, and which repeats of them are events now."""
    none = pl.DataFrame(schema=IDENTITIES)
    gone = task.gone.get(member.name)
    if gone is None:
        return Resolution(none, none.select("row", "time"), none, none)
    rows = intake.identities_of(member, list(gone.rows))
    departures = rows.join(gone.ids.to_frame("row"), on="row", how="semi").filter(intake.admissible())
    window = task.world.definitions.connections[task.name].duplicate_window
    return resolve(
        member,
        none,
        departures=departures,
        earlier=task.files(member),
        moved=list(gone.rows),
        window=window // timedelta(microseconds=1),
    )


def _states(task: _Task, member: Member, resolution: Resolution) -> pl.DataFrame:
    seen = pl.concat([resolution.events["device"], resolution.dead["device"]]).drop_nulls().unique()
    if task.versions.devices is None or not member.field_based:
        return pl.DataFrame(schema=device_table.STATES)
    return device_table.read(task.home.devices_path(task.name), task.versions.devices, member.index, seen)


def _freed(task: _Task, member: Member, wanted: Wanted, dead: pl.DataFrame) -> pl.DataFrame:
    """Return ``row, time, device`` of the rows that belong to deleted persons without naming them."""
    if member.stitching is None:
        return pl.DataFrame(schema={"row": pl.Int64, "time": pl.Int64, "device": pl.String})
    columns = dict.fromkeys([ROW, TIME, DATASET, str(member.device_path), member.person_path])
    rows = stitched_to(task.source, wanted, list(columns))
    device, _ = intake.journey_identity(member)
    mine = rows.filter(pl.col(DATASET) == member.index).select(row=ROW, time=TIME, device=device)
    return mine.collect().join(dead, on="row", how="anti")


def _holding(files: Sequence[LakeFile], rows: pl.Series) -> list[LakeFile]:
    """Return the files of the batches that rows came with."""
    numbers = set((rows // (1 << 32)).unique())
    return [file for file in files if file.number in numbers]


def _purged(
    task: _Task, versions: Versions, found: Sequence[_Piece], wanted: Wanted, progress: Progress | None
) -> Versions:
    """Write what still holds traces anew: dead copies and masks, log entries, what devices knew."""
    home, name = task.home, task.name
    buckets = task.world.definitions.connections[name].buckets
    table = home.journeys_path(name)
    based = compact.compact_all(table, versions.journeys, _schema(task), buckets, progress)
    delta.drop_between(table, task.versions.journeys, based)
    versions = replace(versions, journeys=based)
    if versions.stitch_log is not None:
        rows = {
            piece.member.index: task.gone[piece.member.name].ids
            for piece in found
            if piece.member.name in task.gone
        }
        log = stitch_log.purge(home.stitch_log_path(name), versions.stitch_log, persons(wanted), rows)
        versions = replace(versions, stitch_log=log)
    if versions.devices is not None:
        learned = {piece.member.index: piece.learned for piece in found if piece.member.field_based}
        told = device_table.purge(home.devices_path(name), versions.devices, learned, _names(wanted))
        versions = replace(versions, devices=told)
    return versions


def _names(wanted: Wanted) -> list[str]:
    """Return identities as devices' tables call them: a value, or namespace and value where that varies."""
    either = persons(wanted).select(pl.col("person"), joined=joined(pl.col("namespace"), pl.col("person")))
    return [*either["person"], *either["joined"]]


def _skips(task: _Task) -> tuple[Skip, ...]:
    """Count again the rows that the connection does not take, for batches that lost some of them."""
    left = []
    known = {
        (skip.dataset, skip.batch, skip.reason): skip.rows for skip in task.home.catalog.skips(task.name)
    }
    for member in intake.members(task.world.definitions, task.name):
        if member.name not in task.gone:
            continue
        gone = task.gone[member.name]
        rows = intake.identities_of(member, list(gone.rows))
        erased = rows.join(gone.ids.to_frame("row"), on="row", how="semi")
        batches = {batch.number: batch.id for batch in task.home.catalog.batches(member.name)}
        for number, reason, count in intake.skipped(erased).iter_rows():
            key = (member.name, batches[number], reason)
            left.append(Skip(task.name, *key, max(known.get(key, 0) - count, 0)))
    return tuple(left)
