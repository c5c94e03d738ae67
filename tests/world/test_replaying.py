"""Replays as jobs: rehearsed, reported, stopped, gone on with, seen whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import flow, replaying
from engine.catalog import replays
from engine.catalog.records import Regrouping, ReplayStatus
from engine.definitions.identity import IdentitiesDefinition
from engine.errors import CancelledError, InputError, UnknownNameError, UnsupportedError
from engine.journeys import change, runs, staging, store
from engine.journeys.windows import Asked, basis_of
from engine.lake import delta
from engine.replaying import Order
from engine.world import Home
from tests.faults.inspection import answer
from tests.journeys.support import definitions, ingest_rows, new_home
from tests.journeys.test_replay_examples import NOON, TABLE, persons, table_rows, web

AT = NOON + timedelta(minutes=30)
DAY = timedelta(days=1)
MANY = 60
SLICE = 16


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The worked table of EX-ST-1."""
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", table_rows(TABLE))
    return home


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """As many devices as rows that a replay gives to their persons, in four slices."""
    home = new_home(tmp_path, definitions())
    rows = [
        web(minute, f"d{device}", person, f"{device}-{minute}")
        for device in range(MANY)
        for minute, person in ((1, None), (2, f"p{device // 2}"))
    ]
    ingest_rows(home, "web", rows)
    monkeypatch.setattr(runs, "SLICE_ROWS", SLICE)
    return home


def replay(home: Home, **more: Any) -> Any:
    return replaying.replay(home, Order("shop", DAY, AT), **more)


def test_rows_follow_from_the_rules_for_identities(home: Home) -> None:
    world, asked = home.current(), Asked(AT, {"web": DAY})
    ruled = world.definitions.model_copy(update={"identities": IdentitiesDefinition(placeholders=("Ann",))})
    before, after = (basis_of(now, "shop", asked) for now in (world, replace(world, definitions=ruled)))
    assert before.recipe != after.recipe
    assert replace(before, recipe=after.recipe) == after


def listed(home: Home) -> list[ReplayStatus]:
    return [record.status for record in replays.listed(home.catalog, "shop")]


def tidy(home: Home) -> bool:
    """Return whether the tables are as the newest world says, with no file beside."""
    world, table = home.current(), home.journeys_path("shop")
    return all(
        delta.latest_version(path) == version and not delta.sweep(path, version, folders)
        for path, version, folders in (
            (table, world.journeys["shop"], store.KINDS),
            (home.stitch_log_path("shop"), world.stitch_logs["shop"], ("",)),
        )
    )


def data_files(home: Home) -> set[Path]:
    return {path for path in home.root.rglob("*") if path.is_file() and "catalog" not in path.name}


def test_ex_st_1_report_of_a_replay(home: Home) -> None:
    done = replay(home)
    assert (done.rows_in_window, done.rows_changed) == (12, 2)
    assert (done.persons_before, done.persons_after) == (4, 2)
    assert (done.persons_merged, done.persons_split) == (1, 0)
    assert done.merges == (Regrouping("Bob", ("Bob", "246", "81911"), 3, 2),)
    assert replays.listed(home.catalog, "shop") == [done]
    again = replay(home)
    assert (again.rows_changed, again.persons_merged, again.merges) == (0, 0, ())


def test_a_rehearsal_reports_what_the_replay_will_and_changes_nothing(home: Home) -> None:
    world, files, before = home.current(), data_files(home), persons(home)
    windows = [timedelta(minutes=19), timedelta(minutes=25), timedelta(minutes=29, seconds=1), DAY]
    found = replaying.rehearse(home, [Order("shop", window, AT) for window in windows])
    assert [record.rows_changed for record in found] == [0, 0, 2, 2]
    assert [record.rows_in_window for record in found] == [1, 4, 12, 12]
    assert (home.current(), data_files(home), persons(home)) == (world, files, before)
    assert listed(home) == []
    names = ("rows_in_window", "rows_changed", "persons_before", "persons_after", "merges", "splits")
    done = replay(home)
    for name in (*names, "persons_merged", "persons_split", "at", "lookback", "datasets"):
        assert getattr(found[-1], name) == getattr(done, name), name


def test_a_rehearsal_waits_for_nobody(home: Home) -> None:
    with home.lease():
        assert replaying.rehearse(home, [Order("shop", DAY, AT)])[0].rows_changed == 2


def test_a_shared_device_is_reported_as_split(home: Home) -> None:
    ingest_rows(home, "web", [web(30, "s", "ryan", "s2"), web(31, "s", "cassidy", "s4")])
    ingest_rows(home, "web", [web(30.5, "s", None, "s3"), web(29, "s", None, "s1"), web(33, "s", None, "s5")])
    order = Order("shop", DAY, NOON + timedelta(hours=1), None)
    [found] = replaying.rehearse(home, [order])
    # Live all three were cassidy's; the two before her login go to ryan.
    assert (found.persons_split, found.splits) == (1, (Regrouping("cassidy", ("cassidy", "ryan"), 2, 2),))


def test_only_stitched_datasets_that_are_named_are_replayed(home: Home) -> None:
    assert replaying.replay(home, Order("shop", DAY, AT, ("web",))).datasets == ("web",)
    with pytest.raises(InputError, match='no stitched dataset "calls"'):
        replaying.replay(home, Order("shop", datasets=("calls",)))
    with pytest.raises(UnknownNameError):
        replaying.rehearse(home, [Order("shoe")])
    with pytest.raises(UnsupportedError, match="nothing to replay"):
        flow.apply(
            home, definitions(connections={"shop": {"datasets": {"calls": {"person_id": "customer"}}}})
        )
        replaying.rehearse(home, [Order("shop")])
    assert listed(home) == [ReplayStatus.DONE]


def phases(home: Home, act: Callable[[str, int], None]) -> Callable[[str, int, int], None]:
    return lambda phase, done, total: act(phase, done)


def test_it_is_cancelled_between_steps_and_leaves_everything_as_it_was(large: Home) -> None:
    before, world = answer(large), large.current()
    files, seen = data_files(large), []

    def ask(phase: str, done: int) -> None:
        seen.append((phase, done))
        if (phase, done) == ("journeys", 2 * SLICE):
            assert replays.ask_to_stop(large.catalog, "shop") is not None

    with pytest.raises(CancelledError, match="everything is as before"):
        replay(large, progress=phases(large, ask))
    assert seen[-1] == ("journeys", 2 * SLICE)
    assert large.current() == world
    assert answer(large) == before
    assert data_files(large) - {large.root / "writer.lock"} == files - {large.root / "writer.lock"}
    assert listed(large) == [ReplayStatus.CANCELLED]
    done = replay(large)
    assert (done.rows_changed, done.rows_resumed) == (MANY, 0)


def test_another_process_cancels_and_waits_for_the_end(large: Home) -> None:
    other, begun = Home.open(large.root), threading.Event()

    def wait(phase: str, done: int) -> None:
        begun.set()
        while not replays.is_asked_to_stop(large.catalog, 1):
            time.sleep(0.01)

    with ThreadPoolExecutor(1) as thread:
        under_way = thread.submit(replay, large, progress=phases(large, wait))
        assert begun.wait(30)
        assert replaying.cancel(other, "shop").status is ReplayStatus.CANCELLED
        with pytest.raises(CancelledError):
            under_way.result()
    with pytest.raises(InputError, match="no replay of connection"):
        replaying.cancel(other, "shop")
    assert listed(large) == [ReplayStatus.CANCELLED]


@pytest.mark.parametrize("error", [KeyboardInterrupt, None])
def test_one_that_is_interrupted_is_gone_on_with(large: Home, error: Any) -> None:
    """By Ctrl-C, or because its server ends."""
    before, stop = answer(large), []

    def interrupt(phase: str, done: int) -> None:
        if (phase, done) == ("journeys", 2 * SLICE):
            stop.append(True)
            if error is not None:
                raise error

    order = Order("shop", timedelta(days=20_000))
    with pytest.raises(error or replaying.StoppedError):
        replaying.replay(
            large, order, progress=phases(large, interrupt), stopping=lambda: len(stop) > 0 and error is None
        )
    assert listed(large) == [ReplayStatus.INTERRUPTED]
    assert answer(large) == before
    assert tidy(large)
    done = replaying.replay(large, order)
    # A window up to now is the one of the replay that it goes on with.
    assert done.at == replays.listed(large.catalog, "shop")[0].at
    assert (done.rows_changed, done.rows_resumed) == (MANY, 3 * SLICE if error is None else 2 * SLICE)
    assert not (large.journeys_path("shop") / staging.FOLDER).exists()
    assert tidy(large)


def interrupted(home: Home, order: Order) -> None:
    def interrupt(phase: str, done: int) -> None:
        if (phase, done) == ("journeys", SLICE):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replaying.replay(home, order, progress=phases(home, interrupt))


def test_another_world_or_window_is_begun_anew(large: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order("shop", timedelta(days=20_000))
    interrupted(large, order)
    ingest_rows(large, "web", [web(5, "late", None, "late")])
    assert not (large.journeys_path("shop") / staging.FOLDER).exists()
    interrupted(large, order)
    assert replay(large).rows_resumed == 0
    rollback = new_home(large.root.parent, definitions())
    ingest_rows(rollback, "web", [web(number, f"d{number}", None, f"a{number}") for number in range(20)])
    ingest_rows(rollback, "web", [web(50 + number, f"d{number}", "p", f"b{number}") for number in range(20)])
    interrupted(rollback, order)
    monkeypatch.setattr(replaying, "RESUMABLE", timedelta())
    assert replaying.replay(rollback, order).rows_resumed == 0


def test_a_failure_is_kept_with_its_reason_and_gone_on_with(
    large: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = staging.write, [2]

    def full(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(staging, "write", full)
        with pytest.raises(OSError, match="No space"):
            replay(large)
    [record] = replays.listed(large.catalog, "shop")
    assert (record.status, record.error) == (ReplayStatus.FAILED, "[Errno 28] No space left on device")
    [shop] = flow.status(large).connections
    assert (shop.failed_replay, shop.last_replay) == (record, None)
    assert replay(large).rows_resumed == 2 * SLICE
    [shop] = flow.status(large).connections
    assert shop.failed_replay is None and shop.last_replay is not None
    assert tidy(large)


VICTIM = """
import os, signal
from datetime import timedelta
from pathlib import Path
from engine import replaying
from engine.journeys import change, runs, staging
from engine.lake import delta
from engine.world import Home, Lease

def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

runs.SLICE_ROWS = {slice_rows}
home = Home.open(Path({home!r}))
{trap}
replaying.replay(home, replaying.Order("shop", timedelta(days=20_000)))
"""
IN_THE_THIRD = """
ordered, left = runs.ordered, [2]
def trapped(*arguments):
    left[0] -= 1
    return ordered(*arguments) if left[0] >= 0 else die()
runs.ordered = trapped
"""
MOMENTS = {
    "in the third slice": (IN_THE_THIRD, 2 * SLICE),
    "before the commits": ("delta.commit = die", MANY),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_one_is_gone_on_with(large: Home, moment: str) -> None:
    trap, finished = MOMENTS[moment]
    world, before = large.current(), answer(large)
    code = VICTIM.format(slice_rows=SLICE, home=str(large.root), trap=trap)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    victim = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert victim.returncode == -signal.SIGKILL, victim.stderr.decode()
    assert (large.current(), answer(large)) == (world, before)
    assert listed(large) == [ReplayStatus.RUNNING]
    with pytest.raises(InputError, match="under way"):
        replaying.cancel(large, "shop")
    assert listed(large) == [ReplayStatus.INTERRUPTED]
    done = replaying.replay(large, Order("shop", timedelta(days=20_000)))
    assert (done.rows_changed, done.rows_resumed) == (MANY, finished)
    assert tidy(large)


def test_the_pieces_make_the_same_journeys(large: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(large, Order("shop", timedelta(days=20_000)))
    copied = new_home(large.root.parent, definitions())
    rows = [
        web(minute, f"d{device}", person, f"{device}-{minute}")
        for device in range(MANY)
        for minute, person in ((1, None), (2, f"p{device // 2}"))
    ]
    ingest_rows(copied, "web", rows)
    assert replaying.replay(large, Order("shop", timedelta(days=20_000))).rows_resumed == SLICE
    monkeypatch.setattr(runs, "SLICE_ROWS", 1 << 20)
    replaying.replay(copied, Order("shop", timedelta(days=20_000)))
    assert answer(large) == answer(copied)


def test_small_replays_leave_no_pieces(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are done sooner than they could be gone on with."""
    monkeypatch.setattr(staging, "prepare", None)
    assert replay(home).rows_changed == 2


def test_readers_see_one_version_throughout(large: Home) -> None:
    """Whatever step a replay is at, another thread reads the world before it, and one that holds it still does."""
    before, seen = answer(large), []
    with large.pin() as held, ThreadPoolExecutor(1) as reader:

        def ask(phase: str, done: int) -> None:
            seen.append(phase)
            assert reader.submit(lambda: answer(large)).result() == before

        replay(large, progress=phases(large, ask))
        assert answer(large, held) == before
    assert answer(large) != before
    assert set(seen) == {"restitching", "journeys"}
    assert seen.count("journeys") == -(-MANY // SLICE)


def test_an_older_home_knows_of_its_replays_only_what_they_kept(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", table_rows(TABLE))
    replay(home)
    new = ["persons_merged", "persons_split", "rows_resumed", "status", "datasets", "schedule", "due_at"]
    with home.catalog.writing() as connection:
        for name in [*new, "error", "cancel"]:
            connection.exec_driver_sql(f"ALTER TABLE replays DROP COLUMN {name}")
        home.catalog.set_meta(connection, "format", "2")
    [record] = replays.listed(Home.open(home.root).catalog, "shop")
    assert (record.status, record.persons_merged, record.rows_changed) == (ReplayStatus.DONE, None, 2)


def test_what_devices_saw_must_be_known_to_rehearse(home: Home) -> None:
    with home.catalog.writing() as connection:
        connection.exec_driver_sql("UPDATE worlds SET devices = '{}'")
    opened = Home.open(home.root)
    with pytest.raises(UnsupportedError, match="not known yet"):
        replaying.rehearse(opened, [Order("shop", DAY, AT)])
    assert datetime.now(UTC) > AT and change.versions_of(opened.current(), "shop").devices is None
