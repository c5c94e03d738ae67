"""How an event flows: applied definitions, ingested files, journeys, replays, published worlds.

Every change takes the writer's lease, first brings the home back to a published state, and ends in
exactly one new world. A process that dies on the way leaves the world before, or the world after.
Compaction that is due then follows in worlds of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine import applying
from engine.applying import Applied
from engine.catalog.records import ReplayRecord
from engine.definitions.model import Definitions
from engine.errors import UnsupportedError
from engine.ingest.batch import ingest as ingest_batch
from engine.ingest.report import BatchReport
from engine.journeys import staging
from engine.journeys.change import Outcome
from engine.journeys.columns import connection_of
from engine.journeys.rebuild import rebuild as rebuild_journeys
from engine.journeys.replay import replay as replay_journeys
from engine.journeys.runs import Progress
from engine.lake import table as lake
from engine.recovery import follow, ingest_cause, publication, recover
from engine.status import Status, status
from engine.upkeep import compact, keep_up
from engine.world import Home, World

__all__ = [
    "Applied",
    "Rebuild",
    "Status",
    "apply",
    "compact",
    "ingest",
    "rebuild",
    "recover",
    "replay",
    "status",
]

OnWait = Callable[[str], None]
"""Told a sentence for the user when another process holds the lease."""


def apply(
    home: Home,
    definitions: Definitions,
    *,
    progress: Progress | None = None,
    on_wait: OnWait | None = None,
) -> Applied:
    """Make definitions the home's own: all of them, so what they lack is removed.

    Args:
        home: the home.
        definitions: the new definitions, complete.
        progress: told (phase, done, total) while journeys are built.
        on_wait: told if another process is writing.

    Raises:
        DefinitionError: they contradict themselves, or data would be lost.
    """
    applied = applying.apply(home, definitions, progress=progress, on_wait=on_wait)
    keep_up(home, progress, fields=True)
    return applied


def ingest(
    home: Home,
    dataset: str,
    files: Sequence[Path | str],
    *,
    journey_progress: Progress | None = None,
    on_wait: OnWait | None = None,
    **options: Any,
) -> BatchReport:
    """Take files into a dataset as one batch and into the journeys that use it, as one world.

    Args:
        home: the home.
        dataset: name of the dataset.
        files: what to read.
        journey_progress: told (phase, done, total) while journeys follow.
        on_wait: told if another process is writing.
        options: of ``engine.ingest.batch.ingest``, such as the batches that this one replaces.

    Raises:
        WaylineError: the batch failed; nothing was written.
    """
    with home.lease(on_wait=on_wait) as lease:
        world = recover(lease, journey_progress)
        report = ingest_batch(lease, dataset, files, **options)
        version = report.version or lake.latest_version(home.dataset_path(dataset))
        follow(
            lease,
            world,
            {dataset: version},
            ingest_cause(report.record, report.replaced),
            batch=report.record,
            gone=report.replaced,
            progress=journey_progress,
        )
    keep_up(home, journey_progress)
    return report


def replay(
    home: Home,
    connection: str,
    *,
    lookback: timedelta | None = None,
    at: datetime | None = None,
    progress: Progress | None = None,
    on_wait: OnWait | None = None,
) -> ReplayRecord:
    """Restitch a connection's rows with event time in (at − lookback, at], as one world.

    Args:
        home: the home.
        connection: its name.
        lookback: length of the window; None takes each dataset's own.
        at: end of the window, UTC if it has no zone; None is now.
        progress: told (phase, done, total).
        on_wait: told if another process is writing.

    Raises:
        UnknownNameError: there is no such connection.
        UnsupportedError: nothing in it is stitched.
    """
    started = datetime.now(UTC)
    moment = _aware(at or started)
    with home.lease(on_wait=on_wait) as lease:
        world = recover(lease, progress)
        longest = _longest_lookback(world, connection)
        done = replay_journeys(home, connection, world, lookback=lookback, at=moment, progress=progress)
        record = replace(
            ReplayRecord(connection, moment, lookback or longest, started, datetime.now(UTC)),
            rows_in_window=done.rows_in_window,
            rows_changed=done.rows_changed,
            persons_before=done.persons_before,
            persons_after=done.persons_after,
        )
        lease.publish(
            f"replay {connection}",
            replay=record,
            **publication({connection: Outcome(done.versions)}),
        )
    keep_up(home, progress)
    return replace(record, id=home.catalog.replays(connection)[-1].id)


@dataclass(frozen=True)
class Rebuild:
    """What a rebuild did.

    Attributes:
        world: the world that it published.
        rows: events of the connection.
        slices: pieces that they were written in.
        resumed: those that a rebuild before, which was interrupted, had finished.
    """

    world: World
    rows: int
    slices: int
    resumed: int


def rebuild(
    home: Home,
    connection: str,
    *,
    progress: Progress | None = None,
    on_wait: OnWait | None = None,
) -> Rebuild:
    """Write a connection's journeys anew from lake and stitch log, as one world; answers stay the same.

    A rebuild that was interrupted is gone on with, unless what journeys follow from has changed.

    Args:
        home: the home.
        connection: its name.
        progress: told (phase, done, total).
        on_wait: told if another process is writing.

    Raises:
        UnknownNameError: there is no such connection.
    """
    with home.lease(on_wait=on_wait) as lease:
        world = recover(lease, progress)
        stitched = [
            name
            for name, part in connection_of(world.definitions, connection).datasets.items()
            if part.stitching is not None
        ]
        done = rebuild_journeys(
            home,
            world.definitions,
            connection,
            world.datasets,
            keep=stitched,
            graph=world.identities,
            progress=progress,
        )
        rebuilt = lease.publish(
            f"rebuild {connection}", forget=[connection], **publication({connection: done.outcome})
        )
        staging.discard(home.journeys_path(connection))
    keep_up(home, progress)
    return Rebuild(rebuilt, done.rows, done.slices, done.resumed)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _longest_lookback(world: World, connection: str) -> timedelta:
    parts = connection_of(world.definitions, connection).datasets.values()
    lookbacks = [part.stitching.lookback for part in parts if part.stitching is not None]
    if not lookbacks:
        raise UnsupportedError(
            f'no dataset of connection "{connection}" is stitched, so there is nothing to replay',
            hint="Give a dataset of the connection stitching: persistent_id and person_id.",
        )
    return max(lookbacks)
