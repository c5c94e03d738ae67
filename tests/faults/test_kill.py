"""kill -9 during ingest, replay, revert and replace, at any instant: afterwards everything is as before or as after.

The victim is a real process. ``WAYLINE_FAULT_SEEDS`` says how many instants are tried per case (6),
and ``WAYLINE_FAULT_SEED`` where the seeds start, to repeat one that failed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine import batches, flow
from engine.catalog.records import BatchStatus
from engine.journeys import delta, store
from engine.journeys.scan import scan
from engine.world import Home
from tests.journeys.support import definitions, new_home

pytestmark = pytest.mark.faults

SEEDS = int(os.environ.get("WAYLINE_FAULT_SEEDS", "6"))
FIRST_SEED = int(os.environ.get("WAYLINE_FAULT_SEED", "1"))
ROWS = 20_000
AT = datetime(2024, 3, 1, tzinfo=UTC)
INSTRUCTIONS: dict[str, Callable[[Path, Path], str]] = {
    "ingest": lambda home, file: f"flow.ingest(Home.open({str(home)!r}), 'web', [{str(file)!r}])",
    "revert": lambda home, _: f"batches.revert(Home.open({str(home)!r}), 'web', 1)",
    "replace": lambda home, file: (
        f"flow.ingest(Home.open({str(home)!r}), 'web', [{str(file)!r}], replaces=[2])"
    ),
    "replay": lambda home, _: (
        f"flow.replay(Home.open({str(home)!r}), 'shop', at=datetime(2024, 3, 1, tzinfo=UTC),"
        " lookback=timedelta(days=60))"
    ),
}
VICTIM = """
import sys
from datetime import UTC, datetime, timedelta
from engine import batches, flow
from engine.world import Home
print("ready", flush=True)
sys.stdin.readline()
{instruction}
print("done", flush=True)
"""


def write_events(path: Path, first: int, seed: int) -> None:
    """Write web events: a few thousand devices, some persons, some ids that came before."""
    chosen = random.Random(seed)
    start = datetime(2024, 1, 5, tzinfo=UTC)
    ids = range(max(first - 500, 0), max(first - 500, 0) + ROWS)
    devices = [chosen.randrange(3_000) for _ in ids]
    rows = {
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
    pl.DataFrame(rows, schema_overrides=kinds).write_parquet(path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A home with two batches, and a third one to take in."""
    folder = tmp_path_factory.mktemp("faults")
    files = [folder / f"batch{number}.parquet" for number in range(3)]
    for number, file in enumerate(files):
        write_events(file, number * ROWS, number)
    home = new_home(folder, definitions(buckets=4, calls=False))
    for file in files[:2]:
        flow.ingest(home, "web", [file])
    home.catalog.close()
    return {"home": home.root, "file": files[2], "folder": folder}


def answer(home: Home) -> list[tuple[Any, ...]]:
    """Return everything a reader can see: journeys, and rows per dataset."""
    world = home.current()
    names = ["_person", "_namespace", "_event_id", "channel", "revenue", "items"]
    found = [
        row
        for chunk in scan(home, "shop", world.journeys["shop"], names)
        for row in zip(
            chunk.times.tolist(),
            *(chunk.columns[name].to_pylist() for name in names[:-1]),
            map(repr, chunk.columns["items"].to_pylist()),
            strict=True,
        )
    ]
    rows = flow.status(home).datasets[0].rows
    return [*sorted(found, key=repr), (rows,)]


def start_victim(instruction: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", VICTIM.format(instruction=instruction)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def release(victim: subprocess.Popen[str]) -> None:
    assert victim.stdin is not None and victim.stdout is not None
    assert victim.stdout.readline() == "ready\n"
    victim.stdin.write("go\n")
    victim.stdin.flush()


def run_to_the_end(instruction: str) -> float:
    victim = start_victim(instruction)
    release(victim)
    started = time.monotonic()
    assert victim.wait(120) == 0
    return time.monotonic() - started


def kill_after(instruction: str, seconds: float) -> None:
    victim = start_victim(instruction)
    release(victim)
    time.sleep(seconds)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()


def copy_of(home: Path, name: str) -> Path:
    target = home.parent / name
    shutil.copytree(home, target)
    return target


def check_clean(home: Home) -> None:
    """Assert that nothing unpublished is left after a recovery."""
    world = home.current()
    assert delta.latest_version(home.journeys_path("shop")) == world.journeys["shop"]
    assert delta.latest_version(home.stitch_log_path("shop")) == world.stitch_logs["shop"]
    assert store.sweep(home.journeys_path("shop"), world.journeys["shop"]) == 0
    assert not home.catalog.batches("web", BatchStatus.LOADING)
    written = (BatchStatus.SUCCESS, BatchStatus.INACTIVE)
    numbers = {batch.id for batch in home.catalog.batches("web") if batch.status in written}
    for path in home.dataset_path("web").glob("*.parquet"):
        assert path.name.split("-")[1] in numbers


@pytest.mark.parametrize("operation", ["ingest", "replay", "revert", "replace"])
def test_killed_at_any_instant(prepared: dict[str, Path], operation: str) -> None:
    instruction = INSTRUCTIONS[operation]
    finished = copy_of(prepared["home"], f"{operation}-finished")
    before = answer(Home.open(finished))
    duration = run_to_the_end(instruction(finished, prepared["file"]))
    after = answer(Home.open(finished))
    assert before != after
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        print(f"WAYLINE_FAULT_SEED={seed} {operation}")
        path = copy_of(prepared["home"], f"{operation}-{seed}")
        kill_after(instruction(path, prepared["file"]), random.Random(seed).random() * duration)
        home = Home.open(path)
        assert answer(home) in (before, after), f"half a world, seed {seed}"
        with home.lease() as lease:
            flow.recover(lease)
        assert answer(home) in (before, after), f"half a recovery, seed {seed}"
        check_clean(home)
        _carry_on(home, operation, prepared["file"], done=answer(home) == after)
        assert answer(home) == after, f"seed {seed}"
        shutil.rmtree(path)


def _carry_on(home: Home, operation: str, file: Path, *, done: bool) -> None:
    """Do what was interrupted, if it has to be done again."""
    if operation == "replay":
        flow.replay(home, "shop", at=AT, lookback=timedelta(days=60))
    elif operation == "revert" and not done:
        batches.revert(home, "web", 1)
    elif not done:
        flow.ingest(home, "web", [file], replaces=[2] if operation == "replace" else [])


def test_a_killed_recovery_is_recovered(prepared: dict[str, Path]) -> None:
    finished = copy_of(prepared["home"], "twice-finished")
    instruction = INSTRUCTIONS["ingest"]
    before = answer(Home.open(finished))
    duration = run_to_the_end(instruction(finished, prepared["file"]))
    after = answer(Home.open(finished))
    for seed in range(FIRST_SEED, FIRST_SEED + SEEDS):
        print(f"WAYLINE_FAULT_SEED={seed} twice")
        chosen = random.Random(1000 + seed)
        path = copy_of(prepared["home"], f"twice-{seed}")
        recover = f"home = Home.open({str(path)!r})\nwith home.lease() as lease: flow.recover(lease)"
        kill_after(instruction(path, prepared["file"]), (0.3 + 0.7 * chosen.random()) * duration)
        kill_after(recover, chosen.random() * duration)
        home = Home.open(path)
        assert answer(home) in (before, after)
        with home.lease() as lease:
            flow.recover(lease)
        check_clean(home)
        assert answer(home) in (before, after)
        shutil.rmtree(path)
