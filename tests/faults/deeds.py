"""What victims do: one function per operation on a home, with limits small enough for a few thousand rows."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from engine import batches, flow
from engine.backup import backup, restore
from engine.governance import privacy
from engine.journeys import compact, runs
from engine.lake import commits
from engine.rollback import roll_back
from engine.upkeep import keep_up
from engine.vacuum import vacuum
from engine.world import Home
from tests.faults.events import web_events
from tests.faults.inspection import answer
from tests.journeys.support import definitions, ingest_rows
from wayline import cli

AT = datetime(2024, 3, 1, tzinfo=UTC)
LOOKBACK = timedelta(days=60)
PERSON = {"crm": {"c7"}, "ecid": {"d30"}}
"""Identities that are deleted: a person of two devices, and a device."""
IDENTITIES = {"priority": ["crm", "ecid"], "unique": ["crm"], "limit": 3}
LIMITS: dict[Any, dict[str, int]] = {
    compact: {"SPLIT_ROWS": 100, "MAX_RUNS": 2, "ROWS_PER_BUCKET": 600, "STEP_ROWS": 1200},
    runs: {"FILE_ROWS": 200, "SLICE_ROWS": 1 << 11},
    commits: {"CHECKPOINT_EVERY": 3},
}
_EVENTS = frozenset(
    ["open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "sqlite3.connect", "os.scandir"]
)


def view(*fields: str) -> dict[str, Any]:
    """Return a data view of the shop that uses fields, and an identity graph."""
    shop = {"connection": "shop", "dimensions": {name: name for name in fields}}
    return {"data_views": {"shop": shop}, "identities": IDENTITIES}


def link_anew(home: Home) -> None:
    """Apply settings that make the identity graph anew."""
    flow.apply(home, definitions(buckets=2, **view("channel") | {"identities": {**IDENTITIES, "limit": 2}}))


def use_more_fields(home: Home) -> None:
    """Apply a data view that uses fields which journeys do not hold yet, and copy them in."""
    flow.apply(home, definitions(**view("channel", "topic", "device")))
    flow.compact(home)


def build_anew(home: Home) -> None:
    """Apply a change of definitions that makes journeys anew."""
    flow.apply(home, definitions(buckets=4, window="31d", **view("channel")))


DEEDS: dict[str, Callable[..., Any]] = {
    "ingest": lambda home, file: flow.ingest(home, "web", [file]),
    "replace": lambda home, file: flow.ingest(home, "web", [file], replaces=[2]),
    "revert": lambda home: batches.revert(home, "web", 2),
    "delete": lambda home: batches.delete(home, "web", 2),
    "replay": lambda home: flow.replay(home, "shop", at=AT, lookback=LOOKBACK),
    "compact": flow.compact,
    "keep up": keep_up,
    "fields": use_more_fields,
    "apply": build_anew,
    "link": link_anew,
    "vacuum": lambda home: vacuum(home, keep=timedelta()),
    "rebuild": lambda home: flow.rebuild(home, "shop"),
    "rollback": lambda home, world: roll_back(home, world),
    "backup": lambda home, target: backup(home, Path(target)),
    "restore": lambda home, source, target: restore(Path(source), Path(target)),
    "privacy": lambda home: privacy.delete(home, PERSON),
    "erase": lambda home: erase(home),
    "recover": lambda home: recover(home),
    "replay raw": lambda home: quietly(home, "replay"),
    "runs": lambda home: leave_runs(home),
}
"""Operation → what does it; paths are text."""


def hold(home: Home, parent: Connection) -> None:
    """Be the writer until killed."""
    with home.lease():
        parent.recv()


def read(home: Home, parent: Connection) -> None:
    """Hold a world and tell its answer, again whenever asked."""
    with home.pin() as world:
        while True:
            parent.send(answer(home, world))
            parent.recv()


DIALOGUES = {"hold": hold, "read": read}
"""What talks with the process that started it."""


def recover(home: Home) -> None:
    """Bring a home back to a published state, as the next writer does."""
    with home.lease() as lease:
        flow.recover(lease)


def erase(home: Home) -> None:
    """Delete identities, and the files that older worlds have of them."""
    privacy.delete(home, PERSON)
    vacuum(home)


def carry_out(deed: str, root: Path, arguments: tuple[Any, ...]) -> None:
    """Open a home, do something with it, and close it."""
    home = Home.open(root)
    DEEDS[deed](home, *arguments)
    home.close()


def shrink(change: Callable[[Any, str, int], None] = setattr) -> None:
    """Make limits so small that little data goes every way that much data goes."""
    for module, limits in LIMITS.items():
        for name, value in limits.items():
            change(module, name, value)


def victim(
    deed: str, root: Path, arguments: tuple[Any, ...], dies_at: int | None, tell: bool, parent: Connection
) -> None:
    """Carry out a deed as a process of its own; tell when it begins, and how long and how far it went.

    Args:
        deed: a name of ``DEEDS``.
        root: the home.
        arguments: of the deed.
        dies_at: number of the access to the home's folder at which it kills itself; None for never.
        tell: whether to tell for whom it waits.
        parent: told "begun", then (seconds, accesses).
    """
    shrink()
    accesses = 0

    def count(event: str, details: tuple[Any, ...]) -> None:
        nonlocal accesses
        if event in _EVENTS and details and str(details[0]).startswith(str(root.parent)):
            accesses += 1
            if accesses == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

    parent.send("begun")
    started = time.monotonic()
    sys.addaudithook(count)
    if deed in DIALOGUES:
        DIALOGUES[deed](Home.open(root), parent)
    elif tell:
        flow.ingest(Home.open(root), "web", list(arguments), on_wait=parent.send)
    else:
        carry_out(deed, root, arguments)
    parent.send((time.monotonic() - started, accesses))


def quietly(home: Home, deed: str) -> None:
    """Do something and leave undone what is due after it."""
    flow.keep_up, kept = lambda *_, **__: 0, flow.keep_up  # type: ignore[assignment]
    try:
        DEEDS[deed](home)
    finally:
        flow.keep_up = kept


def leave_runs(home: Home) -> None:
    """Make more runs than there may be, each too small to be split."""
    for number in range(5, 9):
        ingest_rows(home, "web", web_events(number, 20))


def command(deed: str, root: Path, arguments: tuple[Any, ...], most: int | None, errors: Path) -> None:
    """Carry out a deed as the command line does, as a process of its own that ends with its exit code.

    Args:
        deed: a name of ``DEEDS``.
        root: the home.
        arguments: of the deed.
        most: bytes that a file may have; None for what the disk takes.
        errors: the named pipe that standard error goes to.
    """
    shrink()
    os.dup2(os.open(errors, os.O_WRONLY), 2)
    if most is not None:
        # The catalog is open already, so that more than opening it is tried.
        kept = Home.open(root)
        kept.current()
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    setattr(cli, "app", lambda: DEEDS[deed](Home.open(root), *arguments))  # noqa: B010 - it is typed as an app
    cli.main()
