"""Replay: recomputes whom a window's rows belong to; logs, masks and re-adds what changed.

The window is (at − lookback, at]. Evidence is what the window's rows say and each device's last
known person before it, so a replay never undoes correct live stitching. Rows come from the
journeys, which hold exactly the ones that count, and what was known before from the devices'
timelines: the cost follows the window, not the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from engine.journeys import change, device_table, devices, intake, store
from engine.journeys.append import named
from engine.journeys.change import Change, Versions
from engine.journeys.columns import DATASET, HASH_HIGH, NAMESPACE, PERSON, TIME
from engine.journeys.copies import live
from engine.journeys.devices import Journeys
from engine.journeys.intake import Member
from engine.journeys.runs import Part, Progress
from engine.journeys.stitch_log import Kind
from engine.lake.table import ROW
from engine.world import Home, World
from stitching import field_based

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DEVICE = "_device"
_OWN = "_own"
_EVENT = {"row": ROW, "device": _DEVICE, "person": _OWN, "time": TIME}


@dataclass(frozen=True)
class Replayed:
    """What a replay committed and must publish.

    Attributes:
        rows_in_window: rows of stitched datasets in the window.
        persons_before: distinct persons of those rows before the replay.
        persons_after: the same after it.
    """

    versions: Versions
    rows_in_window: int
    rows_changed: int
    persons_before: int
    persons_after: int


@dataclass(frozen=True)
class Window:
    """Event times in µs with start < time ≤ end."""

    start: int
    end: int


def window_of(at: datetime, lookback: timedelta) -> Window:
    """Return the window of a replay at a moment."""
    end = (at.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    return Window(end - lookback // timedelta(microseconds=1), end)


def replay(
    home: Home,
    name: str,
    world: World,
    *,
    lookback: timedelta | None,
    at: datetime,
    progress: Progress | None = None,
) -> Replayed:
    """Restitch the rows of a connection whose event time lies in (at − lookback, at].

    Args:
        home: the home; the caller holds its lease.
        name: the connection.
        world: the newest published world.
        lookback: length of the window; None takes each dataset's own.
        at: when the window ends; aware.
        progress: told (phase, done, total).
    """
    definitions = world.definitions
    versions = devices.ensure(home, definitions, name, change.versions_of(world, name))
    source = devices.journeys(home, definitions, name, versions.journeys)
    moves = []
    for member in intake.members(definitions, name):
        if member.stitching is not None:
            window = window_of(at, lookback or member.stitching.lookback)
            moves.append(_move(home, name, versions, source, member, window))
        if progress is not None:
            progress("restitching", member.index + 1, len(definitions.connections[name].datasets))
    before, after = (_distinct([getattr(move, side) for move in moves]) for side in ("before", "after"))
    seen = sum(move.rows for move in moves)
    moved = sum(move.part.adds.height for move in moves)
    if moved:
        masks = pl.concat([move.dead for move in moves])
        changes = Change([move.part for move in moves], masks, Kind.REPLAY)
        versions = change.commit(home, definitions, name, versions, changes, progress)
    return Replayed(versions, seen, moved, before, after)


def _distinct(persons: Sequence[pl.Series]) -> int:
    return pl.concat(persons).n_unique() if persons else 0


@dataclass(frozen=True)
class _Move:
    """Rows of a dataset in the window, the part of them that changes hands, and its masks.

    Attributes:
        before: the distinct persons of the rows as they were.
        after: the same as they become.
    """

    rows: int
    part: Part
    dead: pl.DataFrame
    before: pl.Series
    after: pl.Series


def _move(
    home: Home, name: str, versions: Versions, source: Journeys, member: Member, window: Window
) -> _Move:
    rows = _rows(source, member, window)
    known = _evidence(home, name, versions, member, window, rows)
    now = named(member, field_based.replay(rows.select(**_EVENT), known))
    differs = (now[PERSON] != rows[PERSON]) | (now[NAMESPACE] != rows[NAMESPACE])
    whole = _live(source, member, window, source.columns.names())
    return _Move(
        rows=rows.height,
        part=Part(member, (), now.filter(differs), whole),
        dead=rows.filter(differs).select(store.MASK_COLUMNS),
        before=rows[PERSON].unique(),
        after=now[PERSON].unique(),
    )


def _rows(source: Journeys, member: Member, window: Window) -> pl.DataFrame:
    """Return the dataset's live rows in the window, with their persons and identities."""
    device, person = intake.journey_identity(member)
    paths = (str(member.device_path), member.person_path)
    system = [ROW, TIME, DATASET, HASH_HIGH, PERSON, NAMESPACE]
    rows = _live(source, member, window, list(dict.fromkeys([*system, *paths])))
    return rows.select(*system, device.alias(_DEVICE), person.alias(_OWN)).collect()


def _live(source: Journeys, member: Member, window: Window, columns: Sequence[str]) -> pl.LazyFrame:
    """Return columns of the dataset's live rows in the window."""
    inside = (pl.col(TIME) > window.start) & (pl.col(TIME) <= window.end)
    return live(
        source.files,
        source.columns,
        columns,
        where=(pl.col(DATASET) == member.index) & inside,
        start=window.start + 1,
        end=window.end + 1,
    )


def _evidence(
    home: Home, name: str, versions: Versions, member: Member, window: Window, rows: pl.DataFrame
) -> pl.DataFrame:
    """Return ``device, person``: who was last known before the window on the window's devices."""
    assert versions.devices is not None  # noqa: S101 - something is stitched, so the table was ensured
    seen = rows[_DEVICE].drop_nulls().unique()
    states = device_table.read(home.devices_path(name), versions.devices, member.index, seen)
    return devices.evidence(states, window.start)
