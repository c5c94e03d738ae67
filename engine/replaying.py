"""Replays as jobs: on demand or on schedule, rehearsed, stopped, and gone on with after an interruption.

The catalog knows a replay from its start on. Whoever reports progress finds out there whether it was
asked to stop; as the commits come last, stopping leaves everything as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.exc import DatabaseError

from engine.catalog import replays
from engine.catalog.records import ReplayRecord, ReplayStatus
from engine.errors import BusyError, CancelledError, InputError, UnsupportedError, did_you_mean
from engine.journeys import replay as journeys
from engine.journeys import staging
from engine.journeys.change import Outcome
from engine.journeys.columns import connection_of
from engine.journeys.replay import Committed, Replayed
from engine.journeys.runs import Progress
from engine.journeys.windows import Asked, basis_of
from engine.recovery import publication, recover
from engine.world import Home, Lease, World

RESUMABLE: Final = timedelta(days=1)
"""For how long an interrupted replay that ended "now" is gone on with, instead of a new one begun."""
_PATIENCE: Final = 60.0
_POLL_SECONDS: Final = 0.1


class StoppedError(CancelledError):
    """What a replay was part of ends; the next replay goes on with it."""


@dataclass(frozen=True)
class Order:
    """What a replay shall do, as it is asked for.

    Attributes:
        lookback: length of the window; None takes each dataset's own.
        at: end of the window, UTC if it has no zone; None is now.
        datasets: the stitched datasets to restitch; None takes all.
        schedule: the schedule that it is for (``ReplaySchedule.text``).
        due_at: the instant of that schedule.
    """

    connection: str
    lookback: timedelta | None = None
    at: datetime | None = None
    datasets: Collection[str] | None = None
    schedule: str | None = None
    due_at: datetime | None = None


def replay(
    home: Home,
    order: Order,
    *,
    progress: Progress | None = None,
    on_wait: Callable[[str], None] | None = None,
    wait: float | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> ReplayRecord:
    """Restitch a connection's rows with event time in (at − lookback, at], as one world.

    Args:
        home: the home.
        order: what to do.
        progress: told (phase, done, total).
        on_wait: told if another process is writing.
        wait: seconds to wait for another writer; None waits for as long as it takes.
        stopping: asked between steps whether to stop and leave the rest to the next replay.

    Raises:
        UnknownNameError: there is no such connection.
        InputError: it has no such stitched dataset.
        UnsupportedError: nothing in it is stitched.
        CancelledError: somebody asked it to stop.
        BusyError: another writer held the lease for longer than ``wait``.
    """
    started = datetime.now(UTC)
    with home.lease(wait=wait, on_wait=on_wait) as lease:
        world = recover(lease, progress)
        asked = _gone_on_with(home, world, order, _asked(world, order, started))
        record = _begin(home, order, asked, started)
        try:
            watched = _watched(home, record, progress, stopping)
            done = journeys.replay(home, order.connection, world, asked, progress=watched)
            return _publish(lease, record, done)
        except BaseException as error:
            _end(lease, record, error)
            raise


def rehearse(home: Home, orders: Sequence[Order], *, progress: Progress | None = None) -> list[ReplayRecord]:
    """Return what each of some replays would report now; nothing is changed, and nobody has to wait.

    Args:
        home: the home.
        orders: what the replays would do.
        progress: told (phase, done, total).

    Raises:
        UnknownNameError, InputError, UnsupportedError: as ``replay``.
    """
    found = []
    with home.pin() as world:
        for order in orders:
            started = datetime.now(UTC)
            asked = _asked(world, order, started)
            seen = journeys.rehearse(home, order.connection, world, asked, progress=progress)
            record = ReplayRecord(order.connection, asked.at, asked.longest, started, datetime.now(UTC))
            found.append(_reported(replace(record, datasets=tuple(asked.lookbacks)), seen))
    return found


def cancel(home: Home, connection: str, *, patience: float = _PATIENCE) -> ReplayRecord:
    """Ask the replay of a connection that is under way to stop, and wait until it has.

    Args:
        home: the home.
        connection: its name.
        patience: seconds to wait at most.

    Returns:
        The replay; its status says how it ended, or that it still runs.

    Raises:
        UnknownNameError: there is no such connection.
        InputError: no replay of it is under way.
    """
    connection_of(home.current().definitions, connection)
    _recover_if_nobody_writes(home)
    number = replays.ask_to_stop(home.catalog, connection)
    if number is None:
        raise InputError(
            f'no replay of connection "{connection}" is under way',
            hint="wayline replays lists those that were.",
        )
    deadline = time.monotonic() + patience
    while (record := replays.find(home.catalog, number)).status is ReplayStatus.RUNNING:
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
        _recover_if_nobody_writes(home)
    return record


def _asked(world: World, order: Order, now: datetime) -> Asked:
    """Return the windows that an order means; see ``replay`` for errors."""
    parts = connection_of(world.definitions, order.connection).datasets
    own = {name: part.stitching.lookback for name, part in parts.items() if part.stitching is not None}
    if not own:
        raise UnsupportedError(
            f'no dataset of connection "{order.connection}" is stitched, so there is nothing to replay',
            hint="Give a dataset of the connection stitching: persistent_id and person_id.",
        )
    wanted = own if order.datasets is None else order.datasets
    for name in wanted:
        if name not in own:
            raise InputError(
                f'connection "{order.connection}" has no stitched dataset "{name}"',
                hint=did_you_mean(name, own),
            )
    at = now if order.at is None else order.at
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return Asked(aware, {name: order.lookback or own[name] for name in wanted})


def _gone_on_with(home: Home, world: World, order: Order, asked: Asked) -> Asked:
    """Return what an interrupted replay was asked, if this one is asked the same of the same world."""
    table = home.journeys_path(order.connection)
    end = staging.window_end(table)
    if order.at is not None or end is None or asked.at - end > RESUMABLE:
        return asked
    earlier = replace(asked, at=end)
    return earlier if staging.is_basis(table, basis_of(world, order.connection, earlier)) else asked


def _begin(home: Home, order: Order, asked: Asked, now: datetime) -> ReplayRecord:
    record = ReplayRecord(
        order.connection,
        asked.at,
        asked.longest,
        now,
        status=ReplayStatus.RUNNING,
        datasets=tuple(asked.lookbacks),
        schedule=order.schedule,
        due_at=order.due_at,
    )
    with home.catalog.writing() as connection:
        return replays.add(connection, record)


def _watched(
    home: Home, record: ReplayRecord, progress: Progress | None, stopping: Callable[[], bool]
) -> Progress:
    """Return a progress that raises CancelledError once the replay shall stop."""
    number = record.id
    assert number is not None  # noqa: S101 - it is stored

    def report(phase: str, done: int, total: int) -> None:
        if stopping():
            raise StoppedError(f"the replay of {record.connection} is put off: wayline is ending")
        if replays.is_asked_to_stop(home.catalog, number):
            raise CancelledError(
                f"the replay of {record.connection} was cancelled; everything is as before",
                hint=f"wayline replay {record.connection} begins anew.",
            )
        if progress is not None:
            progress(phase, done, total)

    return report


def _publish(lease: Lease, record: ReplayRecord, done: Committed) -> ReplayRecord:
    finished = replace(
        _reported(record, done.replayed),
        status=ReplayStatus.DONE,
        finished_at=datetime.now(UTC),
        rows_resumed=done.rows_resumed,
    )
    outcomes = {record.connection: Outcome(done.versions)}
    lease.publish(f"replay {record.connection}", replay=finished, **publication(outcomes))
    staging.discard(lease.home.journeys_path(record.connection))
    return finished


def _reported(record: ReplayRecord, seen: Replayed) -> ReplayRecord:
    return replace(
        record,
        rows_in_window=seen.rows_in_window,
        rows_changed=seen.rows_changed,
        persons_before=seen.persons_before,
        persons_after=seen.persons_after,
        persons_merged=seen.regrouped.merged,
        persons_split=seen.regrouped.split,
        merges=seen.regrouped.merges,
        splits=seen.regrouped.splits,
    )


def _end(lease: Lease, record: ReplayRecord, error: BaseException) -> None:
    """Store how a replay ended that did not come through; one that is called off leaves no files."""
    status = _status(error)
    ended = replace(record, status=status, finished_at=datetime.now(UTC))
    if status is ReplayStatus.FAILED:
        ended = replace(ended, error=str(error).partition("\n")[0] or type(error).__name__)
    # The user must hear of what went wrong first; what stays undone is undone by the next writer.
    with suppress(DatabaseError, OSError):
        # First of all: a recovery takes a replay that is still said to run for one that died.
        with lease.home.catalog.writing() as connection:
            replays.save(connection, ended)
        if status is ReplayStatus.CANCELLED:
            staging.discard(lease.home.journeys_path(record.connection))
        if status is not ReplayStatus.FAILED:
            recover(lease)


def _status(error: BaseException) -> ReplayStatus:
    if isinstance(error, (StoppedError, KeyboardInterrupt)):
        return ReplayStatus.INTERRUPTED
    return ReplayStatus.CANCELLED if isinstance(error, CancelledError) else ReplayStatus.FAILED


def _recover_if_nobody_writes(home: Home) -> None:
    """Let a replay that died be known as interrupted: nobody replays without the lease."""
    with suppress(BusyError), home.lease(wait=0) as lease:
        recover(lease)
