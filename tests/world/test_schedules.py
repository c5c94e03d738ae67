"""Replays on schedule: which are due, that each is carried out once, and what a failure leaves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import flow, replaying, schedules
from engine.catalog import replays
from engine.catalog.records import ReplayRecord, ReplayStatus
from engine.definitions.model import Definitions
from engine.errors import BusyError, HomeError
from engine.replaying import StoppedError
from engine.schedules import due, jobs, run_due, scheduled_replays
from engine.world import Home
from tests.journeys.support import CALLS, STITCHED, WEB, ingest_rows, new_home

TUESDAY = datetime(2024, 3, 5, 10, 30, tzinfo=UTC)
MONDAY = datetime(2024, 3, 4, tzinfo=UTC)
OFTEN = timedelta(milliseconds=10)


def scheduled(**schedule: Any) -> Definitions:
    """Return web and app with a schedule each, in two connections, and calls without."""
    parts = {
        name: STITCHED | ({"replay": schedule[name]} if name in schedule else {}) for name in ("web", "app")
    }
    return Definitions.model_validate(
        {
            "datasets": {"web": WEB, "app": WEB, "calls": CALLS},
            "connections": {
                "shop": {"datasets": {**parts, "calls": {"person_id": "customer"}}, "buckets": 2},
                "second": {"datasets": {"web": parts["web"]}, "buckets": 2},
            },
        }
    )


def a_day_ago() -> list[dict[str, Any]]:
    at = datetime.now(UTC) - timedelta(days=1)
    row = {"device": "d", "login": {"customer": None}}
    return [
        row | {"id": "1", "at": at},
        row | {"id": "2", "at": at + timedelta(hours=1), "login": {"customer": "Ann"}},
    ]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = new_home(tmp_path, scheduled(web="weekly/14", app="daily/1"))
    ingest_rows(home, "web", a_day_ago())
    return home


def done(home: Home, job: schedules.Job, due_at: datetime, status: ReplayStatus) -> None:
    """Enter a replay as it would have been."""
    lookback, text = job.schedule.lookback, job.schedule.text
    record = ReplayRecord(job.connection, due_at, lookback, due_at, due_at, status=status)
    with home.catalog.writing() as connection:
        replays.add(connection, ReplayRecord(**{**vars(record), "schedule": text, "due_at": due_at}))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def records(home: Home) -> list[ReplayRecord]:
    return replays.listed(home.catalog)


def test_datasets_of_one_schedule_are_one_job_per_connection() -> None:
    same = jobs(scheduled(web="weekly/14", app={"every": "7d", "lookback": "14d", "at": "0:00"}))
    assert [(job.connection, job.datasets) for job in same] == [
        ("shop", ("web", "app")),
        ("second", ("web",)),
    ]
    other = jobs(scheduled(web="weekly/14", app="daily/1"))
    assert [(job.connection, job.datasets) for job in other] == [
        ("shop", ("web",)),
        ("shop", ("app",)),
        ("second", ("web",)),
    ]
    assert jobs(scheduled()) == ()


@pytest.mark.parametrize("status", [ReplayStatus.DONE, ReplayStatus.FAILED, ReplayStatus.CANCELLED])
def test_what_came_to_an_end_is_due_again_at_the_next_instant(home: Home, status: ReplayStatus) -> None:
    [weekly, daily, second] = due(home, TUESDAY)
    done(home, weekly, MONDAY - timedelta(days=21), status)
    assert due(home, TUESDAY) == (weekly, daily, second)
    done(home, weekly, MONDAY, status)
    assert due(home, TUESDAY) == (daily, second)
    assert due(home, MONDAY + timedelta(days=7)) == (weekly, daily, second)


@pytest.mark.parametrize("status", [ReplayStatus.RUNNING, ReplayStatus.INTERRUPTED])
def test_what_did_not_is_still_due(home: Home, status: ReplayStatus) -> None:
    job = due(home, TUESDAY)[0]
    done(home, job, MONDAY, status)
    assert due(home, TUESDAY)[0] == job


def test_missed_runs_are_caught_up_once(home: Home) -> None:
    outcomes = run_due(home)
    assert [(found.record.connection, found.record.datasets) for found in outcomes if found.record] == [
        ("shop", ("web",)),
        ("shop", ("app",)),
        ("second", ("web",)),
    ]
    first = records(home)[0]
    assert (first.rows_changed, first.lookback) == (1, timedelta(days=14))
    assert first.at == first.started_at
    assert first.due_at == jobs(home.current().definitions)[0].schedule.latest(first.at)
    assert run_due(home) == []
    now = datetime.now(UTC)
    daily = jobs(home.current().definitions)[1].schedule
    assert flow.status(home).connections[0].next_replay == daily.following(now)


def test_the_status_tells_what_is_due_already(home: Home) -> None:
    first = flow.status(home).connections[0].next_replay
    assert first is not None and first <= datetime.now(UTC)


def test_a_failure_is_logged_kept_and_keeps_nobody_else(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    replay = replaying.journeys.replay

    def fails(home: Home, name: str, *arguments: Any, **options: Any) -> Any:
        if name == "shop":
            raise HomeError("the disk is full")
        return replay(home, name, *arguments, **options)

    monkeypatch.setattr(replaying.journeys, "replay", fails)
    with caplog.at_level(logging.WARNING):
        outcomes = run_due(home)
    assert [found.error is None for found in outcomes] == [False, False, True]
    assert "the scheduled replay of shop (every 1w at 00:00, 2w back) failed: the disk is full" in caplog.text
    assert [(found.status, found.error) for found in records(home)][1:] == [
        (ReplayStatus.FAILED, "the disk is full"),
        (ReplayStatus.DONE, None),
    ]
    shop = flow.status(home).connections[0]
    assert shop.failed_replay is not None and shop.failed_replay.error == "the disk is full"
    assert run_due(home) == []


def test_a_server_carries_out_what_is_due_once(home: Home) -> None:
    with scheduled_replays(home, OFTEN):
        until(lambda: len(records(home)) == 3 and records(home)[-1].status is ReplayStatus.DONE)
        time.sleep(0.1)
    assert [found.status for found in records(home)] == [ReplayStatus.DONE] * 3


def test_a_server_gives_way_to_who_writes(home: Home) -> None:
    with ExitStack() as serving:
        with home.lease():
            with pytest.raises(BusyError):
                run_due(home, wait=0)
            serving.enter_context(scheduled_replays(home, OFTEN))
            time.sleep(0.1)
            assert records(home) == []
        until(lambda: len(records(home)) == 3)


def test_a_server_that_ends_interrupts_its_replay_and_the_next_one_goes_on(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []
    replay, ends = replaying.journeys.replay, threading.Event()

    def stopping(home: Home, name: str, world: Any, asked: Any, *, progress: Any) -> Any:
        stopped.append(name)
        assert ends.wait(60)
        time.sleep(0.1)
        return replay(home, name, world, asked, progress=progress)

    with monkeypatch.context() as patch:
        patch.setattr(replaying.journeys, "replay", stopping)
        with scheduled_replays(home, OFTEN):
            until(lambda: bool(stopped))
            ends.set()
    assert stopped == ["shop"]
    assert [found.status for found in records(home)] == [ReplayStatus.INTERRUPTED]
    assert len(run_due(home)) == 3


def test_on_demand_it_is_stopped_by_no_schedule(home: Home) -> None:
    flow.replay(home, "shop")
    assert len(due(home, datetime.now(UTC))) == 3
    with pytest.raises(StoppedError):
        replaying.replay(home, replaying.Order("shop"), stopping=lambda: True)
