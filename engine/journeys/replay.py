"""Replay: recomputes whom a window's rows belong to; logs, masks and re-adds what changed.

The window is (at − lookback, at]. Evidence is what the window's rows say and each device's last
known person before it, so a replay never undoes correct live stitching. Everything is read from the
journeys, which hold exactly the rows that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from engine.journeys import change, intake, runs, store
from engine.journeys.append import named
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
from engine.journeys.duplicates import touches
from engine.journeys.intake import Member
from engine.journeys.runs import Part, Progress
from engine.journeys.stitch_log import Kind
from engine.journeys.store import Files
from engine.lake import table as lake
from engine.lake.table import ROW
from engine.world import Home, World
from stitching import field_based

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DEVICE = "_device"
_OWN = "_own"


@dataclass(frozen=True)
class Replayed:
    """What a replay committed and must publish.

    Attributes:
        rows_in_window: rows of stitched datasets in the window.
        persons_before: distinct persons of the connection before the replay.
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
    versions = Versions(world.journeys[name], world.stitch_logs.get(name))
    files = store.files(home.journeys_path(name), versions.journeys)
    columns = runs.polars_columns(journey_schema(definitions, name))
    moves = []
    for member in intake.members(definitions, name):
        if member.stitching is not None:
            window = window_of(at, lookback or member.stitching.lookback)
            moves.append(_move(home, world, files, columns, member, window))
        if progress is not None:
            progress("restitching", member.index + 1, len(definitions.connections[name].datasets))
    before = count_persons(files, columns)
    seen = sum(move.rows for move in moves)
    moved = sum(move.part.adds.height for move in moves)
    if not moved:
        return Replayed(versions, seen, 0, before, before)
    masks = pl.concat([move.dead for move in moves])
    changes = Change([move.part for move in moves], masks, Kind.REPLAY)
    after = change.commit(home, definitions, name, versions, changes, progress)
    newest = store.files(files.table, after.journeys)
    return Replayed(after, seen, moved, before, count_persons(newest, columns))


def count_persons(files: Files, columns: pl.Schema) -> int:
    """Return the number of distinct persons in a version of journeys."""
    hashes = live(files, columns, [HASH_HIGH, HASH_LOW]).unique()
    return int(hashes.select(pl.len()).collect().item())


@dataclass(frozen=True)
class _Move:
    """Rows of a dataset in the window, the part of them that changes hands, and its masks."""

    rows: int
    part: Part
    dead: pl.DataFrame


def _move(
    home: Home, world: World, files: Files, columns: pl.Schema, member: Member, window: Window
) -> _Move:
    rows = _rows(files, columns, member, window)
    changed = _changed(member, rows, _evidence(files, columns, member, window, rows))
    dead = rows.join(changed, left_on=ROW, right_on="row", how="semi").select(store.MASK_ROW)
    return _Move(rows.height, Part(member, _lake_files(home, world, member, window), changed), dead)


def _rows(files: Files, columns: pl.Schema, member: Member, window: Window) -> pl.DataFrame:
    """Return the dataset's live rows in the window, with their persons and identities."""
    inside = (pl.col(TIME) > window.start) & (pl.col(TIME) <= window.end)
    rows = live(
        files,
        columns,
        [ROW, TIME, DATASET, HASH_HIGH, PERSON, NAMESPACE, *_identity_paths(member)],
        where=(pl.col(DATASET) == member.index) & inside,
        start=window.start + 1,
        end=window.end + 1,
    )
    return rows.with_columns(_identity_columns(member)).collect()


def _evidence(
    files: Files, columns: pl.Schema, member: Member, window: Window, rows: pl.DataFrame
) -> pl.DataFrame:
    """Return ``device, person``: who was last known before the window on the window's devices."""
    _, person_path = _identity_paths(member)
    earlier = (
        (pl.col(DATASET) == member.index) & (pl.col(TIME) <= window.start) & pl.col(person_path).is_not_null()
    )
    told = live(files, columns, [TIME, *_identity_paths(member)], where=earlier, end=window.start + 1).select(
        TIME, *_identity_columns(member)
    )
    devices = rows.lazy().select(_DEVICE).drop_nulls().unique()
    return (
        told.filter(pl.col(_OWN).is_not_null())
        .join(devices, on=_DEVICE, how="semi")
        .group_by(_DEVICE)
        .agg(pl.col(_OWN).filter(pl.col(TIME) == pl.col(TIME).max()).min())
        .select(device=pl.col(_DEVICE), person=pl.col(_OWN))
        .collect()
    )


def _changed(member: Member, rows: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """Return ``row, _person, _namespace`` of the rows that now belong to somebody else."""
    events = rows.select(row=pl.col(ROW), device=pl.col(_DEVICE), person=pl.col(_OWN), time=pl.col(TIME))
    now = named(member, field_based.replay(events, evidence))
    was = rows.select(row=pl.col(ROW), was=pl.col(PERSON), namespace=pl.col(NAMESPACE))
    differs = (pl.col(PERSON) != pl.col("was")) | (pl.col(NAMESPACE) != pl.col("namespace"))
    return now.join(was, on="row").filter(differs).select("row", PERSON, NAMESPACE)


def _identity_paths(member: Member) -> tuple[str, str]:
    return str(member.device_path), member.person_path


def _identity_columns(member: Member) -> tuple[pl.Expr, pl.Expr]:
    device, person = (pl.col(path).cast(pl.String) for path in _identity_paths(member))
    return (
        pl.when(device != "").then(device).alias(_DEVICE),
        pl.when(person != "").then(person).alias(_OWN),
    )


def _lake_files(home: Home, world: World, member: Member, window: Window) -> list[lake.LakeFile]:
    files = lake.files(home.dataset_path(member.name), world.datasets[member.name])
    return [file for file in files if touches(file, window.start, window.end)]
