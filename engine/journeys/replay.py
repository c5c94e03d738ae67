"""Replay: recomputes whom a window's rows belong to; logs, masks and re-adds what changed.

The window is (at − lookback, at]. Evidence is what the window's rows say and each device's last
known person before it, so a replay never undoes correct live stitching. Rows come from the
journeys, which hold exactly the ones that count, and what was known before from the devices'
timelines: the cost follows the window, not the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from engine.definitions.model import Definitions
from engine.errors import UnsupportedError
from engine.journeys import change, device_table, devices, intake, lacking, runs, staging, store
from engine.journeys.change import Change, Versions
from engine.journeys.columns import (
    DATASET,
    HASH_HIGH,
    HASH_LOW,
    NAMESPACE,
    PERSON,
    TIME,
    journey_schema,
)
from engine.journeys.copies import live
from engine.journeys.devices import Journeys
from engine.journeys.graph import Graph, look_up
from engine.journeys.intake import Member
from engine.journeys.persons import (
    Distinct,
    Found,
    Persons,
    coded,
    compared,
    count_distinct,
    labelled,
    respecting,
)
from engine.journeys.regrouping import Regrouped, Transfers, regrouped, transfers
from engine.journeys.runs import Part, Progress
from engine.journeys.stitch_log import Kind
from engine.journeys.windows import Asked, Window, basis_of, window_of
from engine.lake.table import ROW
from engine.world import Home, World
from stitching import field_based, graph_based
from stitching.field_based import Events
from stitching.names import Codes, LookUp

_LABELS = (ROW, DATASET, HASH_HIGH, PERSON, NAMESPACE)
"""What says which row it is, and whom it belongs to."""


@dataclass(frozen=True)
class Replayed:
    """What a replay found.

    Attributes:
        rows_in_window: rows of the restitched datasets in the window.
        rows_changed: those that get another person.
        persons_before: distinct persons of the window's rows before the replay.
        persons_after: the same after it.
        regrouped: the persons that are merged and split.
    """

    rows_in_window: int
    rows_changed: int
    persons_before: int
    persons_after: int
    regrouped: Regrouped


@dataclass(frozen=True)
class Committed:
    """What a replay committed and must publish.

    Attributes:
        rows_resumed: rows that an interrupted replay had written.
    """

    versions: Versions
    replayed: Replayed
    rows_resumed: int


def replay(
    home: Home, name: str, world: World, asked: Asked, *, progress: Progress | None = None
) -> Committed:
    """Restitch rows of a connection, and commit what changes.

    Slices of many changed rows outlive an interruption (``staging``) if the next replay has the same
    basis; the caller discards them once the outcome is published.

    Args:
        home: the home; the caller holds its lease.
        name: the connection.
        world: the newest published world.
        asked: what to restitch.
        progress: told (phase, done, total) between steps; what it raises ends the replay.
    """
    definitions = world.definitions
    versions = devices.ensure(home, definitions, name, change.versions_of(world, name))
    basis = basis_of(world, name, asked)
    found = _look(_task(home, world, name, versions), definitions, asked, progress, whole=True)
    resumed = 0
    if found.replayed.rows_changed:
        masks = pl.concat([move.dead for move in found.moves])
        parts = [move.part for move in found.moves]
        resumed = staging.finished_rows(home.journeys_path(name), basis)
        changes = Change(parts, masks, Kind.REPLAY, found.carried, basis)
        versions = change.commit(home, definitions, name, versions, changes, progress)
    return Committed(versions, found.replayed, resumed)


def rehearse(
    home: Home, name: str, world: World, asked: Asked, *, progress: Progress | None = None
) -> Replayed:
    """Return what a replay would find in a world that the caller has pinned; nothing is written.

    Raises:
        UnsupportedError: the world is so old that it does not know its devices.
    """
    versions = change.versions_of(world, name)
    by_field = any(member.field_based for member in intake.members(world.definitions, name))
    if versions.devices is None and by_field:
        raise UnsupportedError(
            f'what devices of connection "{name}" have seen is not known yet',
            hint=f"An older wayline wrote this home; one replay brings it up to date: wayline replay {name}",
        )
    task = _task(home, world, name, versions)
    return _look(task, world.definitions, asked, progress, whole=False).replayed


@dataclass(frozen=True)
class _Look:
    """What changes in all datasets, and the columns that the changed rows bring."""

    moves: Sequence[_Move]
    carried: pa.Schema
    replayed: Replayed


def _look(
    task: _Task, definitions: Definitions, asked: Asked, progress: Progress | None, *, whole: bool
) -> _Look:
    """Restitch dataset by dataset; the changed rows are only read if they are wanted whole."""
    carried = journey_schema(definitions, task.name)
    members = [found for found in intake.members(definitions, task.name) if found.name in asked.lookbacks]
    moves = []
    for done, member in enumerate(members):
        _report(progress, "restitching", done, len(members))
        window = window_of(asked.at, asked.lookbacks[member.name])
        carried = lacking.common_within(task.source.files, window.start + 1, window.end + 1, carried)
        moves.append(_move(task, member, window, carried.names if whole else ()))
    _report(progress, "restitching", len(members), len(members))
    counts = [move.counts for move in moves]
    replayed = Replayed(
        rows_in_window=sum(move.rows for move in moves),
        rows_changed=sum(move.part.adds.height for move in moves),
        persons_before=count_distinct([count.before for count in counts]),
        persons_after=count_distinct([count.after for count in counts]),
        regrouped=regrouped([count.transfers for count in counts]),
    )
    return _Look(moves, carried, replayed)


def _task(home: Home, world: World, name: str, versions: Versions) -> _Task:
    source = devices.journeys(home, world.definitions, name, versions.journeys)
    return _Task(home, name, versions, source, Graph(home, world.identities))


def _report(progress: Progress | None, phase: str, done: int, total: int) -> None:
    if progress is not None:
        progress(phase, done, total)


@dataclass(frozen=True)
class _Move:
    """Rows of a dataset in the window, the part of them that changes hands, its masks, and who they are."""

    rows: int
    part: Part
    dead: pl.DataFrame
    counts: _Counts


@dataclass(frozen=True)
class _Counts:
    """The persons of rows.

    Attributes:
        before: as they were.
        after: as they become.
        transfers: from whom to whom rows change.
    """

    before: Distinct
    after: Distinct
    transfers: Transfers


@dataclass(frozen=True)
class _Task:
    """What all datasets of a replay have in common."""

    home: Home
    name: str
    versions: Versions
    source: Journeys
    graph: Graph


def _move(task: _Task, member: Member, window: Window, carried: Sequence[str]) -> _Move:
    told = [*_event_columns(member), *_LABELS]
    further = [name for name in carried if name not in {*told, HASH_LOW}]
    about = task.source.files.about(window.start + 1, window.end + 1)
    small = about <= runs.SLICE_ROWS
    with ThreadPoolExecutor(1) as beside:
        # While one core finds persons, the other learns who they were and counts what became of them.
        known = beside.submit(_known, task, member, window, about)
        rows = _live(task.source, member, window, [*told, *further] if small else told).collect()
        events = coded(member, rows, beside)
        labels = beside.submit(labelled, member, rows)
        found = Found(events, _restitched(member, events, beside, known))
        persons = compared(member, respecting(task.home, member, found, rows[ROW]), labels.result())
        counts = beside.submit(_counted, persons)
        moved = rows.drop(PERSON, NAMESPACE).filter(pl.Series(persons.changed))
        adds = persons.adds(member, moved[ROW])
        whole = moved if small else None
        return _Move(
            rows=rows.height,
            part=Part(member, (), adds, _live(task.source, member, window, carried), whole),
            dead=moved.select(store.MASK_ROW),
            counts=counts.result(),
        )


def _counted(persons: Persons) -> _Counts:
    return _Counts(
        persons.distinct(persons.before),
        persons.distinct(persons.after),
        transfers(persons.names, persons.before, persons.after),
    )


def _known(task: _Task, member: Member, window: Window, about: int) -> LookUp:
    """Return what tells whom the graph knows devices as, or they saw last; of about so many rows."""
    if not member.field_based:
        return look_up(task.graph, member, ahead=about)
    version = task.versions.devices
    assert version is not None  # noqa: S101 - something is stitched, so the table was ensured
    table = task.home.devices_path(task.name)
    return device_table.known_before(table, version, member.index, window.start, events=about)


def _restitched(member: Member, events: Events, beside: ThreadPoolExecutor, known: Future[LookUp]) -> Codes:
    """Return the person of each event."""
    if not member.field_based:
        return graph_based.restitch(events, known.result())
    timelines = beside.submit(lambda: events.timelines)
    before = known.result()(events.device_texts)
    timelines.result()
    last = member.stitching is not None and member.stitching.shared_devices == "last"
    return field_based.restitch(events, before, last=last)


def _event_columns(member: Member) -> list[str]:
    """Return the columns that say who was where, and when."""
    return list(dict.fromkeys([TIME, str(member.device_path), member.person_path]))


def _live(source: Journeys, member: Member, window: Window, columns: Sequence[str]) -> pl.LazyFrame:
    """Return columns of the dataset's live rows in the window, always in the same order."""
    inside = (pl.col(TIME) > window.start) & (pl.col(TIME) <= window.end)
    return live(
        source.files,
        source.columns,
        columns,
        where=(pl.col(DATASET) == member.index) & inside,
        start=window.start + 1,
        end=window.end + 1,
    )
