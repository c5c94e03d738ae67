"""What a home holds, in numbers: for ``wayline status`` and for the demo's narration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from engine.alarms import Alarm, alarms_of
from engine.catalog import replays
from engine.catalog.records import BatchStatus, ReplayRecord, ReplayStatus
from engine.journeys import intake, runs, store
from engine.journeys.columns import DATASET, HASH_HIGH, HASH_LOW, NAMESPACE, journey_schema
from engine.journeys.copies import live
from engine.lake import table as lake
from engine.schedules import next_replay
from engine.world import Home, World


@dataclass(frozen=True)
class DatasetStatus:
    """A dataset in numbers.

    Attributes:
        rows: rows in the lake.
        batches: successful batches.
        rejects: records of successful batches that were not accepted.
        failed_batches: batches of which nothing was taken.
    """

    name: str
    kind: str
    rows: int
    batches: int
    rejects: int
    failed_batches: int
    last_batch_at: datetime | None


@dataclass(frozen=True)
class ConnectionStatus:
    """A connection in numbers.

    Attributes:
        stitched_rate: stitched datasets: rows with a person's namespace ÷ rows; None without rows.
        runs: appends and replays that are not merged into the base.
        last_replay: the newest that came through.
        failed_replay: the newest replay, if it failed.
        next_replay: when the next one is due by a schedule; in the past if it is due already.
        skips: reason → rows that were not taken.
        alarms: identities that are suspect.
    """

    name: str
    persons: int
    events: int
    stitched_rate: float | None
    runs: int
    last_replay: ReplayRecord | None
    failed_replay: ReplayRecord | None
    next_replay: datetime | None
    skips: Mapping[str, int]
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True)
class Status:
    """What a world shows."""

    world: int
    published_at: datetime
    cause: str
    datasets: tuple[DatasetStatus, ...]
    connections: tuple[ConnectionStatus, ...]


def status(home: Home) -> Status:
    """Return the numbers of the newest world."""
    with home.pin() as world:
        return Status(
            world.id,
            world.published_at,
            world.cause,
            tuple(_dataset(home, world, name) for name in world.definitions.datasets),
            tuple(_connection(home, world, name) for name in world.definitions.connections),
        )


def _dataset(home: Home, world: World, name: str) -> DatasetStatus:
    batches = home.catalog.batches(name)
    done = [batch for batch in batches if batch.status is BatchStatus.SUCCESS]
    return DatasetStatus(
        name=name,
        kind=world.definitions.datasets[name].kind,
        rows=sum(file.rows for file in lake.files(home.dataset_path(name), world.datasets[name])),
        batches=len(done),
        rejects=sum(batch.failed_records for batch in done),
        failed_batches=sum(batch.status is BatchStatus.FAILED for batch in batches),
        last_batch_at=max((batch.finished_at for batch in done if batch.finished_at), default=None),
    )


def _connection(home: Home, world: World, name: str) -> ConnectionStatus:
    files = store.files(home.journeys_path(name), world.journeys[name])
    columns = runs.polars_columns(journey_schema(world.definitions, name))
    kept = live(files, columns, [DATASET, NAMESPACE]).group_by(DATASET, NAMESPACE).len()
    counts = kept.collect()
    known = replays.listed(home.catalog, name)
    done = [replay for replay in known if replay.status is ReplayStatus.DONE]
    failed = bool(known) and known[-1].status is ReplayStatus.FAILED
    return ConnectionStatus(
        name=name,
        persons=_persons(files, columns),
        events=int(counts["len"].sum()),
        stitched_rate=_stitched_rate(world, name, counts),
        runs=files.runs,
        last_replay=done[-1] if done else None,
        failed_replay=known[-1] if failed else None,
        next_replay=next_replay(home, world.definitions, name, datetime.now(UTC)),
        skips=_skips(home, name),
        alarms=alarms_of(home, world, [name]),
    )


def count_persons(home: Home, world: World, name: str) -> int:
    """Return how many persons a connection has in a world."""
    files = store.files(home.journeys_path(name), world.journeys[name])
    return _persons(files, runs.polars_columns(journey_schema(world.definitions, name)))


def _persons(files: store.Files, columns: pl.Schema) -> int:
    hashes = live(files, columns, [HASH_HIGH, HASH_LOW]).unique()
    return int(hashes.select(pl.len()).collect().item())


def _stitched_rate(world: World, name: str, counts: pl.DataFrame) -> float | None:
    rows = known = 0
    for member in intake.members(world.definitions, name):
        if member.stitching is None:
            continue
        of_member = counts.filter(pl.col(DATASET) == member.index)
        rows += int(of_member["len"].sum())
        known += int(of_member.filter(intake.is_stitched(member))["len"].sum())
    return known / rows if rows else None


def _skips(home: Home, name: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for skip in home.catalog.skips(name):
        totals[skip.reason] = totals.get(skip.reason, 0) + skip.rows
    return totals
