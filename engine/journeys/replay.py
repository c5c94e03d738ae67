"""Replay: recomputes whom a window's rows belong to; logs, masks and re-adds what changed.

The window is (at − lookback, at]. Evidence is what the window's rows say and each device's last
known person before it, so a replay never undoes correct live stitching. Rows come from the
journeys, which hold exactly the ones that count, and what was known before from the devices'
timelines: the cost follows the window, not the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from engine.definitions.model import Definitions
from engine.errors import UnsupportedError
from engine.journeys import change, device_table, devices, intake, lacking, runs, staging, store, tombstones
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
from engine.journeys.regrouping import Regrouped, Transfers, regrouped, transfers
from engine.journeys.runs import Part, Progress
from engine.journeys.stitch_log import Kind
from engine.journeys.windows import Asked, Window, basis_of, window_of
from engine.lake.table import ROW
from engine.world import Home, World
from stitching import field_based, graph_based
from stitching.identity import joined, parted
from stitching.names import NOBODY, Codes, Names

Mask: TypeAlias = npt.NDArray[np.bool_]

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
        carried = _carried(task.source, window, carried)
        moves.append(_move(task, member, window, carried.names if whole else ()))
    _report(progress, "restitching", len(members), len(members))
    before, after = (_distinct([getattr(move, side) for move in moves]) for side in ("before", "after"))
    replayed = Replayed(
        rows_in_window=sum(move.rows for move in moves),
        rows_changed=sum(move.part.adds.height for move in moves),
        persons_before=before,
        persons_after=after,
        regrouped=regrouped([move.transfers for move in moves]),
    )
    return _Look(moves, carried, replayed)


def _task(home: Home, world: World, name: str, versions: Versions) -> _Task:
    source = devices.journeys(home, world.definitions, name, versions.journeys)
    return _Task(home, name, versions, source, Graph(home, world.identities))


def _report(progress: Progress | None, phase: str, done: int, total: int) -> None:
    if progress is not None:
        progress(phase, done, total)


def _distinct(persons: Sequence[_Distinct]) -> int:
    if len(persons) == 1:
        return persons[0].codes.size
    return pl.concat([found.names.texts_of(found.codes) for found in persons]).n_unique() if persons else 0


@dataclass(frozen=True)
class _Distinct:
    """The distinct persons of rows, as codes, which are those of their dataset alone."""

    names: Names
    codes: Codes


@dataclass(frozen=True)
class _Move:
    """Rows of a dataset in the window, the part of them that changes hands, and its masks.

    Attributes:
        before: the persons of the rows as they were.
        after: the same as they become.
        transfers: from whom to whom they change.
    """

    rows: int
    part: Part
    dead: pl.DataFrame
    before: _Distinct
    after: _Distinct
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
    events = _live(task.source, member, window, _event_columns(member)).collect()
    further = [name for name in carried if name not in {*events.columns, *_LABELS, HASH_LOW}]
    small = events.height <= runs.SLICE_ROWS
    with ThreadPoolExecutor(1) as beside:
        # While one core finds persons, the other reads what else is in the rows.
        labels = _live(task.source, member, window, [*_LABELS, *(further if small else ())])
        labelled = beside.submit(_labelled, member, labels)
        found = (_found if member.field_based else _found_in_graph)(task, member, window, events)
        was = labelled.result()
        rows = was.rows
        persons = _persons(member, _respecting(task, member, found, rows[ROW]), was)
        told = beside.submit(transfers, persons.names, persons.before, persons.after)
        changed = pl.Series(persons.changed)
        moved = rows.filter(changed)
        adds = persons.adds(member, moved[ROW])
        whole = pl.concat([moved, events.filter(changed)], how="horizontal") if small else None
        return _Move(
            rows=rows.height,
            part=Part(member, (), adds, _live(task.source, member, window, carried), whole),
            dead=moved.with_columns(events[TIME].filter(changed)).select(store.MASK_ROW),
            before=persons.distinct(persons.before),
            after=persons.distinct(persons.after),
            transfers=told.result(),
        )


@dataclass(frozen=True)
class _Persons:
    """Whom N rows belong to, as codes.

    Attributes:
        names: what the codes stand for.
        known: whether a person id says who they belong to now.
        changed: whether person or namespace differ.
        spaces: the namespaces that rows get, where rows tell them.
    """

    names: Names
    before: Codes
    after: Codes
    known: Mask
    changed: Mask
    spaces: pl.Series | None = None

    def adds(self, member: Member, rows: pl.Series) -> pl.DataFrame:
        """Return ``row, _person, _namespace`` of the rows that change, which have these ids."""
        codes, known = self.after[self.changed], self.known[self.changed]
        told = pl.DataFrame({"row": rows, "person": self.names.texts_of(codes), "known": known})
        if self.spaces is None:
            return intake.named(member, told)
        spaces = self.spaces.filter(pl.Series(self.changed))
        return told.select("row", pl.col("person").alias(PERSON), spaces.alias(NAMESPACE))

    def distinct(self, codes: Codes) -> _Distinct:
        """Return the persons among codes, each once."""
        present = np.zeros(len(self.names), np.bool_)
        present[codes] = True
        return _Distinct(self.names, np.flatnonzero(present).astype(np.int32))


@dataclass(frozen=True)
class _Found:
    """Events of a window, and the person of each (``NOBODY`` where none is known)."""

    events: field_based.Events
    persons: Codes


def _coded(member: Member, rows: pl.DataFrame) -> field_based.Events:
    device, person = intake.unjudged_identity(member)
    told = rows.select(device=device, person=person, time=TIME)
    return field_based.coded(told, intake.judge(member))


def _found(task: _Task, member: Member, window: Window, rows: pl.DataFrame) -> _Found:
    events = _coded(member, rows)
    seen = events.names.texts().head(events.devices)
    known = _evidence(task, member, window, seen)
    last = member.stitching is not None and member.stitching.shared_devices == "last"
    return _Found(events, field_based.restitch(events, known, last=last))


def _found_in_graph(task: _Task, member: Member, window: Window, rows: pl.DataFrame) -> _Found:
    """Find whom the graph knows the devices as; what was before the window tells nothing."""
    events = _coded(member, rows)
    return _Found(events, graph_based.restitch(events, look_up(task.graph, member)))


def _respecting(task: _Task, member: Member, found: _Found, rows: pl.Series) -> _Found:
    """Leave rows with their devices where the person found for them was deleted after they arrived."""
    if not tombstones.cover(task.home, member.name):
        return found
    codes = np.unique(found.persons[found.persons != NOBODY])
    namespace, person = pl.lit(member.namespace(member.person)), pl.col("text")
    if member.varies:
        namespace, person = parted(person)
    texts = found.events.names.texts_of(codes).to_frame("text").with_columns(code=codes)
    persons = texts.select("code", person.alias(PERSON), namespace.alias(NAMESPACE))
    buried = tombstones.buried(task.home, member.name, persons.drop("code"))
    if not buried.height:
        return found
    forbidden, batches = np.zeros(found.persons.size, np.bool_), rows.to_numpy() >> 32
    told = persons.join(buried, on=[NAMESPACE, PERSON]).select("code", "upto")
    for code, upto in told.iter_rows():
        forbidden |= (found.persons == code) & (batches <= upto)
    return replace(found, persons=np.where(forbidden, np.int32(NOBODY), found.persons))


@dataclass(frozen=True)
class _Labelled:
    """N rows as they were, and whom they belonged to.

    Attributes:
        names: what the codes stand for, which are those of these persons alone.
        persons: int32[N].
        own: bool[N], whether the namespace is that of persons; true where persons are told with theirs.
        other: bool[N], whether it is that of devices; likewise.
    """

    rows: pl.DataFrame
    names: Names
    persons: Codes
    own: Mask
    other: Mask


def _labelled(member: Member, labels: pl.LazyFrame) -> _Labelled:
    rows, names = labels.collect(), Names()
    if member.varies:
        told = rows.select(joined(pl.col(NAMESPACE), pl.col(PERSON))).to_series()
        every = np.ones(rows.height, np.bool_)
        return _Labelled(rows, names, names.number(told), every, every)
    own, other = (
        (rows[NAMESPACE] == member.namespace(reference)).to_numpy()
        for reference in (member.person, member.device)
    )
    return _Labelled(rows, names, names.number(rows[PERSON]), own, other)


def _persons(member: Member, found: _Found, was: _Labelled) -> _Persons:
    """Compare the persons that rows had with those that were found for them."""
    known, names = found.persons != NOBODY, found.events.names
    # Devices and persons share their codes: who is not known is called like the device.
    after = np.where(known, found.persons, found.events.device)
    before = names.number(was.names.texts())[was.persons]
    fits = np.where(known, was.own, was.other)
    persons = _Persons(names, before, after, known, (before != after) | ~fits)
    return _parted(persons) if member.varies else persons


def _parted(persons: _Persons) -> _Persons:
    """Return persons by their values alone, where codes stood for namespaces and values."""
    namespace, value = parted(pl.col("text"))
    texts = persons.names.texts().to_frame("text").select(namespace=namespace, value=value)
    names = Names()
    values = names.number(texts["value"])
    return replace(
        persons,
        names=names,
        before=values[persons.before],
        after=values[persons.after],
        spaces=texts["namespace"].gather(persons.after),
    )


def _carried(source: Journeys, window: Window, schema: pa.Schema) -> pa.Schema:
    """Return the columns that all files hold whose rows may move; the lake has the others."""
    every = (*source.files.base, *source.files.level0)
    near = [file for file in every if file.overlaps(window.start + 1, window.end + 1)]
    return lacking.common(source.files.table, near, schema)


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


def _evidence(task: _Task, member: Member, window: Window, seen: pl.Series) -> pl.DataFrame:
    """Return ``device, person``: who was last known before the window on the window's devices."""
    version = task.versions.devices
    assert version is not None  # noqa: S101 - something is stitched, so the table was ensured
    table = task.home.devices_path(task.name)
    states = device_table.read(table, version, member.index, seen, ("device", "runs"))
    return devices.evidence(states, window.start)
