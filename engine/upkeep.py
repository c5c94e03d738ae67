"""Keeps journeys in shape: compaction in steps, each of them one published world.

The writer's lease is taken for a step only, so appends, replays and questions go on in between.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from deltalake.exceptions import DeltaError
from sqlalchemy.exc import DatabaseError

from engine.errors import BusyError, WaylineError
from engine.journeys import compact as steps
from engine.journeys import store
from engine.journeys.backfill import backfill, lagging
from engine.journeys.columns import connection_of, journey_schema
from engine.journeys.lacking import lake_of
from engine.journeys.runs import Progress
from engine.recovery import recover
from engine.world import Home, World

PAUSE: Final = 2.0
"""Seconds after which a background thread looks again whether something is due."""

_log = logging.getLogger(__name__)


def compact(
    home: Home,
    connection: str | None = None,
    progress: Progress | None = None,
    *,
    on_wait: Callable[[str], None] | None = None,
) -> dict[str, int]:
    """Merge everything into the base; return connection → steps that it took.

    Args:
        home: the home.
        connection: its name; None takes all.
        progress: told (phase, done, total) within a step.
        on_wait: told if another process is writing.

    Raises:
        UnknownNameError: there is no such connection.
    """
    definitions = home.current().definitions
    if connection is not None:
        connection_of(definitions, connection)
    names = definitions.connections if connection is None else (connection,)
    return {name: _steps(home, name, progress, on_wait) for name in names}


def keep_up(home: Home, progress: Progress | None = None, *, fields: bool = False) -> int:
    """Do what is due in all connections unless somebody else writes; return the number of steps.

    What was written before is published, so a step that fails is a warning: a later one will do.

    Args:
        home: the home.
        progress: told (phase, done, total) within a step.
        fields: whether files may lack fields that views use; to know costs a look into each file.
    """
    done = 0
    try:
        while _one_due(home, progress, fields):
            done += 1
    except BusyError:
        pass  # whoever writes now looks after it
    except (WaylineError, OSError, DeltaError, DatabaseError) as error:
        _log.warning("compaction is put off: %s", str(error).partition("\n")[0])
    return done


class Upkeep:
    """A thread that does what is due in the background; it gives way to whoever writes.

    Args:
        home: the home; other threads may use it meanwhile.
        pause: seconds between two looks when nothing is due.
    """

    def __init__(self, home: Home, pause: float = PAUSE) -> None:
        self._home = home
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wayline-upkeep", daemon=True)

    def start(self) -> None:
        """Begin to look; once only."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step under way, and wait for it."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._look():
                self._stopping.wait(self._pause)

    def _look(self) -> bool:
        """Do one step if one is due; return whether it was done."""
        try:
            # An idle server lets go of older worlds, so that a vacuum can take their files.
            with self._home.pin():
                pass
            return _one_due(self._home, None, fields=True)
        except BusyError:
            return False
        except Exception:
            # Whatever is wrong with the journeys, questions must still be answered.
            _log.exception("compaction is put off")
            return False


@contextmanager
def upkeep(home: Home) -> Iterator[None]:
    """Do what is due in the background while the block lasts."""
    thread = Upkeep(home)
    thread.start()
    try:
        yield
    finally:
        thread.stop()


def _steps(home: Home, name: str, progress: Progress | None, on_wait: Callable[[str], None] | None) -> int:
    done = 0
    while _step(home, [name], steps.anything, progress, None, on_wait):
        done += 1
    return done


def _one_due(home: Home, progress: Progress | None, fields: bool) -> bool:
    world = home.current()
    waiting = [name for name in world.journeys if _is_due(home, world, name, fields)]
    return bool(waiting) and _step(home, waiting, steps.due, progress, 0)


def _is_due(home: Home, world: World, name: str, fields: bool) -> bool:
    files = store.files(home.journeys_path(name), world.journeys[name])
    if steps.due(files) is not None:
        return True
    return fields and bool(lagging(files, journey_schema(world.definitions, name)))


def _step(
    home: Home,
    names: Iterable[str],
    due: steps.Due,
    progress: Progress | None,
    wait: float | None,
    on_wait: Callable[[str], None] | None = None,
) -> bool:
    """Do and publish one step in the newest world; return whether one of the connections had any."""
    with home.lease(wait=wait, on_wait=on_wait) as lease:
        world = recover(lease, progress)
        for name in names:
            if name not in world.journeys:
                continue
            schema = journey_schema(world.definitions, name)
            buckets = world.definitions.connections[name].buckets
            table = home.journeys_path(name)
            fill = partial(
                backfill, schema=schema, lake=lake_of(home, world.definitions, name), progress=progress
            )
            version = steps.step(
                table, world.journeys[name], schema, buckets, progress, due=due, otherwise=fill
            )
            if version is not None:
                lease.publish(f"compact {name}", journeys={name: version})
                return True
    return False
