"""Scheduled replays: which are due, and how a server carries them out, one at a time.

What is due follows from the definitions, the clock and the catalog alone. So it does not matter which
process looks, a replay that was missed is caught up once, and one that was interrupted is due again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from deltalake.exceptions import DeltaError
from sqlalchemy.exc import DatabaseError

from engine import replaying
from engine.catalog import replays
from engine.catalog.records import ReplayRecord
from engine.definitions.model import Definitions
from engine.definitions.schedule import ReplaySchedule
from engine.errors import BusyError, WaylineError
from engine.journeys.runs import Progress
from engine.replaying import Order, StoppedError
from engine.upkeep import keep_up
from engine.world import Home

PAUSE: Final = timedelta(seconds=5)
"""How long until a server looks again whether a replay is due."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """The datasets of a connection that have one schedule: they are replayed together."""

    connection: str
    schedule: ReplaySchedule
    datasets: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a scheduled replay: the replay, or why it failed."""

    job: Job
    record: ReplayRecord | None
    error: Exception | None = None


def jobs(definitions: Definitions) -> tuple[Job, ...]:
    """Return what is scheduled, in the order of the definitions."""
    found: dict[tuple[str, ReplaySchedule], list[str]] = {}
    for name, connection in definitions.connections.items():
        for dataset, part in connection.datasets.items():
            if part.replay is not None:
                found.setdefault((name, part.replay), []).append(dataset)
    return tuple(Job(name, schedule, tuple(datasets)) for (name, schedule), datasets in found.items())


def due(home: Home, now: datetime) -> tuple[Job, ...]:
    """Return the jobs for whose latest instant no replay came to an end; a new one is due at once."""
    return tuple(job for job in jobs(home.current().definitions) if _is_due(home, job, now))


def next_replay(home: Home, definitions: Definitions, connection: str, now: datetime) -> datetime | None:
    """Return when the next replay of a connection is due, in the past if it is; None without a schedule."""
    own = (job for job in jobs(definitions) if job.connection == connection)
    instants = (
        job.schedule.latest(now) if _is_due(home, job, now) else job.schedule.following(now) for job in own
    )
    return min(instants, default=None)


def run_due(home: Home, *, progress: Progress | None = None, wait: float | None = None) -> list[Outcome]:
    """Carry out every job that is due, one after the other; a failure is kept and the next one tried.

    Args:
        home: the home.
        progress: told (phase, done, total).
        wait: seconds to wait for another writer; None waits for as long as it takes.

    Raises:
        BusyError: another writer held the lease for longer than ``wait``.
    """
    return [_carry_out(home, job, _Run(progress, wait)) for job in due(home, datetime.now(UTC))]


@contextmanager
def scheduled_replays(home: Home, pause: timedelta = PAUSE) -> Iterator[None]:
    """Carry out what is due in the background while the block lasts; it gives way to whoever writes.

    In the end the replay under way is interrupted after its present step, and waited for; it is due again.

    Args:
        home: the home; other threads may use it meanwhile.
        pause: how long after a look the next one follows.
    """
    # Not at the top: every command would wait for what only a server needs.
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.interval import IntervalTrigger

    stopping, scheduler = threading.Event(), BackgroundScheduler(timezone=UTC)
    look = IntervalTrigger(seconds=pause.total_seconds(), timezone=UTC)
    # A look that a replay keeps from taking place is made up for by the next one.
    once = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
    scheduler.add_job(_look, look, args=(home, stopping), next_run_time=datetime.now(UTC), **once)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler.start()
    try:
        yield
    finally:
        stopping.set()
        scheduler.shutdown()


def _look(home: Home, stopping: threading.Event) -> None:
    try:
        for job in due(home, datetime.now(UTC)):
            _carry_out(home, job, _Run(None, 0, stopping))
    except (BusyError, StoppedError):
        pass  # whoever writes now is not kept; the next look is soon
    except Exception:
        # Whatever is wrong with the catalog, questions must still be answered.
        _log.exception("scheduled replays are put off")


@dataclass(frozen=True)
class _Run:
    """How jobs are carried out: whom to tell, how long to wait for the lease, what stops them."""

    progress: Progress | None
    wait: float | None
    stopping: threading.Event | None = None

    def is_stopping(self) -> bool:
        """Return whether the process ends."""
        return self.stopping is not None and self.stopping.is_set()


def _is_due(home: Home, job: Job, now: datetime) -> bool:
    last = replays.last_due(home.catalog, job.connection, job.schedule.text)
    return last is None or last < job.schedule.latest(now)


def _carry_out(home: Home, job: Job, run: _Run) -> Outcome:
    """Replay what a job says; BusyError and StoppedError leave it due, another failure does not."""
    due_at = job.schedule.latest(datetime.now(UTC))
    order = Order(job.connection, job.schedule.lookback, None, job.datasets, job.schedule.text, due_at)
    try:
        record = replaying.replay(home, order, progress=run.progress, wait=run.wait, stopping=run.is_stopping)
    except (BusyError, StoppedError):
        raise
    except (WaylineError, OSError, DeltaError, DatabaseError) as error:
        message = str(error).partition("\n")[0]
        _log.warning("the scheduled replay of %s (%s) failed: %s", job.connection, job.schedule.text, message)
        return Outcome(job, None, error)
    keep_up(home, run.progress)
    return Outcome(job, record)
