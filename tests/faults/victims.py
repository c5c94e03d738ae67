"""Processes that die: they carry out an instruction on a home and are killed at a chosen instant.

``WAYLINE_FAULT_SEEDS`` says how many instants are tried per case (6), and ``WAYLINE_FAULT_SEED``
where the seeds start, to repeat one that failed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from engine import flow
from engine.catalog.records import BatchStatus
from engine.journeys import delta, store
from engine.journeys.scan import scan
from engine.world import Home, World

SEEDS = int(os.environ.get("WAYLINE_FAULT_SEEDS", "6"))
FIRST_SEED = int(os.environ.get("WAYLINE_FAULT_SEED", "1"))
ROWS = 20_000
AT = datetime(2024, 3, 1, tzinfo=UTC)

_VICTIM = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from engine import flow
from engine.world import Home
from tests.faults import deeds
home = Home.open({home!r})
print("ready", flush=True)
sys.stdin.readline()
{instruction}
print("done", flush=True)
"""


def start(home: Path, instruction: str) -> subprocess.Popen[str]:
    """Start a process that waits for ``release`` and then carries out an instruction on ``home``."""
    victim = subprocess.Popen(
        [sys.executable, "-c", _VICTIM.format(home=str(home), instruction=instruction)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == "ready\n"
    return victim


def release(victim: subprocess.Popen[str]) -> None:
    """Let it begin."""
    assert victim.stdin is not None
    victim.stdin.write("go\n")
    victim.stdin.flush()


def run_to_the_end(home: Path, instruction: str) -> float:
    """Carry an instruction out undisturbed; return the seconds that it took."""
    victim = start(home, instruction)
    started = time.monotonic()
    release(victim)
    victim.communicate(timeout=120)
    assert victim.returncode == 0
    return time.monotonic() - started


def kill_after(home: Path, instruction: str, seconds: float) -> None:
    """Kill -9 an instruction after it has run for a while."""
    victim = start(home, instruction)
    release(victim)
    time.sleep(seconds)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()


def instants(case: str, duration: float) -> Iterator[tuple[int, float]]:
    """Yield each seed with an instant within a duration, and print what repeats it."""
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        print(f"WAYLINE_FAULT_SEED={seed} {case}")
        yield seed, random.Random(f"{case} {seed}").random() * duration


def copy_of(home: Path, name: str) -> Path:
    """Copy a home that nobody has open."""
    target = home.parent / name
    shutil.copytree(home, target)
    return target


def write_events(path: Path, first: int, seed: int, rows: int = ROWS) -> None:
    """Write web events: a few thousand devices, some persons, some ids that came before."""
    chosen = random.Random(seed)
    start = datetime(2024, 1, 5, tzinfo=UTC)
    ids = range(max(first - 500, 0), max(first - 500, 0) + rows)
    devices = [chosen.randrange(3_000) for _ in ids]
    columns = {
        "id": [f"e{number}" for number in ids],
        "at": [start + timedelta(seconds=chosen.randrange(50 * 86_400)) for _ in ids],
        "device": [f"d{device}" for device in devices],
        "login": [{"customer": f"c{device // 2}" if chosen.random() < 0.1 else None} for device in devices],
        "channel": [chosen.choice(["paid", "mail", None]) for _ in ids],
        "revenue": [float(chosen.randrange(100)) for _ in ids],
        "items": [[{"sku": "a", "price": None}] if chosen.random() < 0.1 else None for _ in ids],
    }
    kinds = {
        "at": pl.Datetime("us", "UTC"),
        "items": pl.List(pl.Struct({"sku": pl.String, "price": pl.Decimal(12, 2)})),
    }
    pl.DataFrame(columns, schema_overrides=kinds).write_parquet(path)


def answer(home: Home, world: World | None = None) -> list[tuple[Any, ...]]:
    """Return everything a reader of a world can see: journeys, and rows per dataset."""
    world = world or home.current()
    names = ["_person", "_namespace", "_event_id", "channel", "revenue", "items"]
    found = [row for chunk in scan(home, "shop", world.journeys["shop"], names) for row in _rows(chunk, names)]
    return [*sorted(found, key=repr), (flow.status(home).datasets[0].rows,)]
