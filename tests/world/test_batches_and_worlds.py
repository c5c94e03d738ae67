"""Batches that end, together with vacuum and rollback: files go when they may, and batches come back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import batches
from engine.errors import HomeError
from engine.rollback import roll_back
from engine.vacuum import vacuum
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, journeys, new_home

START = datetime(2024, 1, 10, tzinfo=UTC)
NOTHING = timedelta(0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", [event(0, "a", "winner", "Ann")])
    ingest_rows(home, "web", [event(1, "a", "repeat", None), event(2, "b", "other", None)])
    return home


def event(day: int, name: str, channel: str, person: str | None) -> dict[str, Any]:
    at = START + timedelta(days=day)
    return {"id": name, "at": at, "device": "d1", "login": {"customer": person}, "channel": channel}


def seen(home: Home) -> list[tuple[str, str]]:
    rows = [row for rows in journeys(home, ["channel", "_person"]) for row in rows]
    return [(channel, person) for _, channel, person in sorted(rows)]


def statuses(home: Home) -> list[str]:
    return [record.status.value for record in batches.batches(home, "web")]


def files(home: Home) -> list[str]:
    return sorted(path.name[:8] for path in home.dataset_path("web").glob("*.parquet"))


def test_a_reverted_batch_keeps_its_files_until_no_world_shows_it(home: Home) -> None:
    batches.revert(home, "web", 1)
    vacuum(home, keep=timedelta(days=7))
    assert (files(home), statuses(home)) == (["00000001", "00000002"], ["inactive", "success"])
    vacuum(home, keep=NOTHING)
    assert (files(home), statuses(home)) == (["00000002"], ["deleted", "success"])
    assert seen(home) == [("repeat", "d1"), ("other", "Ann")]


def test_a_deleted_batch_goes_at_the_next_vacuum(home: Home) -> None:
    before = home.current()
    batches.delete(home, "web", 1)
    vacuum(home, keep=timedelta(days=7))
    assert (files(home), statuses(home)) == (["00000002"], ["deleted", "success"])
    with pytest.raises(HomeError, match="vacuumed"):
        roll_back(home, before.id)
    assert seen(home) == [("repeat", "d1"), ("other", "Ann")]


def test_a_pinned_reader_keeps_a_deleted_batch(home: Home) -> None:
    with home.pin():
        batches.delete(home, "web", 1)
        vacuum(home, keep=NOTHING)
        assert files(home) == ["00000001", "00000002"]
    with home.pin():  # A process lets go of a world when it sees a newer one.
        pass
    vacuum(home, keep=NOTHING)
    assert files(home) == ["00000002"]


def test_a_rollback_over_a_revert_brings_the_batch_back_and_it_can_be_reverted_again(home: Home) -> None:
    before, shown = home.current(), seen(home)
    batches.revert(home, "web", 1)
    after = seen(home)
    roll_back(home, before.id)
    assert (seen(home), statuses(home)) == (shown, ["success", "success"])
    batches.revert(home, "web", 1)
    assert (seen(home), statuses(home)) == (after, ["inactive", "success"])


def test_a_rollback_over_a_replacement_swaps_the_batches_again(home: Home) -> None:
    before, shown = home.current(), seen(home)
    ingest_rows(home, "web", [event(0, "a", "new", "Bob")], replaces=[1, 2])
    assert (seen(home), statuses(home)) == ([("new", "Bob")], ["inactive", "inactive", "success"])
    roll_back(home, before.id)
    assert (seen(home), statuses(home)) == (shown, ["success", "success", "inactive"])
    ingest_rows(home, "web", [event(3, "c", "last", None)])
    assert seen(home)[-1] == ("last", "Ann")
