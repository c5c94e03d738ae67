"""Processes that die: they do something with a home and are killed at a chosen instant.

``WAYLINE_FAULT_SEEDS`` says how many instants are tried per case, and ``WAYLINE_FAULT_SEED`` where the
seeds start, to repeat one that failed; without it every run takes others. What is tried is printed.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.faults import deeds
from tests.faults.events import calls, web_events
from tests.journeys.support import definitions, ingest_rows, new_home

SEEDS = int(os.environ.get("WAYLINE_FAULT_SEEDS", "2"))
FIRST_SEED = int(os.environ.get("WAYLINE_FAULT_SEED", str(random.SystemRandom().randrange(10**6))))
_LAST = 0.15
"""Share of a deed's time at its end that gets as many kills as the whole."""

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["pytest", "tests.faults.deeds"])


@dataclass(frozen=True)
class Run:
    """An undisturbed run: how many seconds it took, and how often it went to the home's folder."""

    seconds: float
    accesses: int


@dataclass(frozen=True)
class Instant:
    """When a victim dies: after some seconds, or at an access to the home's folder."""

    seed: int
    seconds: float | None = None
    access: int | None = None


@dataclass(frozen=True)
class Victim:
    """A process on its way, and what it says."""

    process: ForkServerProcess
    pipe: Any


def start(deed: str, root: Path, *arguments: Any, dies_at: int | None = None, tell: bool = False) -> Victim:
    """Start a process that does something with a home; return once it has begun.

    Args:
        deed: a name of ``deeds.DEEDS``.
        root: the home.
        arguments: of the deed.
        dies_at: number of the access to the home at which it kills itself.
        tell: whether it says for whom it waits.
    """
    ours, theirs = _SERVER.Pipe()
    process = _SERVER.Process(target=deeds.victim, args=(deed, root, arguments, dies_at, tell, theirs))
    process.start()
    theirs.close()
    assert ours.recv() == "begun"
    return Victim(process, ours)


def run_to_the_end(deed: str, root: Path, *arguments: Any) -> Run:
    """Let a process do its work undisturbed."""
    return finish(start(deed, root, *arguments))


def finish(victim: Victim) -> Run:
    """Wait until a process is done."""
    run = Run(*victim.pipe.recv())
    victim.process.join(120)
    assert victim.process.exitcode == 0
    return run


def command(deed: str, root: Path, *arguments: Any, most: int | None = None) -> tuple[int, str]:
    """Do something as the command line does; return exit code and what it says on standard error.

    Args:
        deed: what to do.
        root: the home.
        arguments: of the deed.
        most: bytes that a file may have at most.
    """
    pipe = root.parent.parent / "errors"
    # Not a file: what is said must get through however small files have to be.
    os.mkfifo(pipe)
    process = _SERVER.Process(target=deeds.command, args=(deed, root, arguments, most, pipe))
    process.start()
    said = pipe.read_text()
    pipe.unlink()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode, said


def kill(deed: str, root: Path, *arguments: Any, at: Instant) -> None:
    """Let a process begin its work and kill -9 it at an instant."""
    victim = start(deed, root, *arguments, dies_at=at.access)
    if at.seconds is not None:
        time.sleep(at.seconds)
        victim.process.kill()
    victim.process.join(120)
    assert victim.process.exitcode in (-9, 0)


def instants(case: str, run: Run) -> Iterator[Instant]:
    """Yield instants of a deed: some at a random moment, some near its end, some at a random access."""
    for seed, chosen in tries(case):
        kind, share = chosen.randrange(4), chosen.random()
        if kind == 0:
            instant = Instant(seed, seconds=share * run.seconds)
        elif kind == 1:
            instant = Instant(seed, seconds=(1 - _LAST * share) * run.seconds)
        else:
            instant = Instant(seed, access=1 + int(share * run.accesses))
        print(instant, flush=True)
        yield instant


def tries(case: str) -> Iterator[tuple[int, random.Random]]:
    """Yield each seed with what it chooses from, and print what repeats it."""
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        print(f"WAYLINE_FAULT_SEED={seed} WAYLINE_FAULT_SEEDS=1: {case}", flush=True)
        yield seed, random.Random(f"{case} {seed}")


def copy_of(root: Path, name: str) -> Path:
    """Copy a home that nobody has open; Parquet files never change, so they are shared."""
    target = root.parent / name
    shutil.copytree(root, target, copy_function=_copy)
    return target


def _copy(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def make_home(folder: Path) -> Path:
    """Make a home with three batches of web events and one of calls, nothing of it merged but the first."""
    home = new_home(folder, definitions(buckets=2, **deeds.view("channel")))
    for number in range(2):
        ingest_rows(home, "web", web_events(number))
    ingest_rows(home, "calls", calls(0))
    ingest_rows(home, "web", web_events(2))
    home.close()
    return home.root
