"""Identities as of an instant: made once, shared, bounded, swept, and never removed from under a reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import flow
from engine.cancellation import Cancellation
from engine.catalog.lock import exclusive
from engine.errors import CancelledError
from engine.journeys import as_of, as_of_files
from engine.journeys.scan import loads
from engine.vacuum import vacuum
from engine.world import Home, World
from tests.journeys.support import definitions, ingest_rows, journeys, new_home
from tests.world.homes import START, make_home, rows


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Worlds 1 and 2 without events, then three batches."""
    return make_home(tmp_path)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The instants for which differences were looked for."""
    found: list[int] = []
    whole = as_of.difference

    def noted(home: Home, world: World, name: str, instant: int, check: Callable[[], None]) -> Any:
        found.append(instant)
        return whole(home, world, name, instant, check)

    monkeypatch.setattr(as_of, "difference", noted)
    return found


def then(home: Home, world: int) -> World:
    return replace(home.current(), identity_as_of=home.world(world).published_at)


def owners(home: Home, world: World) -> dict[int, str]:
    found = journeys(home, ("_row", "_person"), world)
    return {row: person for events in found for _, row, person in events}


def kept(home: Home) -> list[str]:
    return sorted(path.name for path in (home.root / "asof").glob("*/*/"))


def test_they_are_made_once_for_all_instants_between_which_nothing_was_learned(
    home: Home, made: list[int]
) -> None:
    first = owners(home, then(home, 3))
    late = replace(home.current(), identity_as_of=home.world(3).published_at + timedelta(microseconds=1))
    assert owners(home, late) == owners(home, then(home, 3)) == first
    assert len(made) == len(kept(home)) == 1
    flow.compact(home)
    flow.rebuild(home, "shop")
    assert owners(home, then(home, 3)) == first
    assert len(made) == 1
    ingest_rows(home, "web", rows(7))
    after = owners(home, then(home, 3))
    assert len(made) == 2 and first.items() <= after.items()


def test_nothing_is_made_where_nothing_was_learned_since(home: Home, made: list[int]) -> None:
    assert owners(home, then(home, 5)) == owners(home, home.current())
    future = replace(home.current(), identity_as_of=datetime.max.replace(tzinfo=START.tzinfo))
    assert owners(home, future) == owners(home, home.current())
    assert not made and not (home.root / "asof").exists()


def test_before_anything_was_known_each_event_speaks_for_itself(home: Home) -> None:
    events = journeys(home, ("_person", "_namespace", "login.customer", "device"), then(home, 2))
    for _, person, namespace, customer, device in (row for events_ in events for row in events_):
        assert person == (customer or device)
        assert namespace == ("crm" if customer else "ecid")


def test_a_connection_without_stitching_has_no_past(tmp_path: Path) -> None:
    plain = {"shop": {"datasets": {"calls": {"person_id": "customer"}}}}
    home = new_home(tmp_path, definitions(connections=plain))
    ingest_rows(home, "calls", [{"at": START, "customer": "Ann"}])
    assert owners(home, then(home, 1)) == owners(home, home.current())
    assert not (home.root / "asof").exists()


def test_those_used_longest_ago_go_where_there_are_too_many(
    home: Home, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_of_files, "MOST", 2)
    answers = {world: owners(home, then(home, world)) for world in (2, 3)}
    owners(home, then(home, 2))
    answers[4] = owners(home, then(home, 4))
    assert len(made) == 3 and len(kept(home)) == 2
    assert owners(home, then(home, 2)) == answers[2]
    assert len(made) == 3
    assert owners(home, then(home, 3)) == answers[3]
    assert len(made) == 4


def test_the_one_made_last_stays_however_large(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_of_files, "MOST_BYTES", 1)
    for world in (2, 3):
        owners(home, then(home, world))
        assert len(kept(home)) == 1


def test_what_is_being_read_stays(home: Home) -> None:
    world = then(home, 3)
    version = world.journeys["shop"]
    found = loads(home, "shop", version, ("_person",), world=world)
    assert as_of_files.sweep(home, everything=True) == []
    assert [load.chunk() for load in found]
    found.clear()
    (swept,) = as_of_files.sweep(home, everything=True)
    assert (swept.connection, swept.files > 2, kept(home)) == ("shop", True, [])


def test_a_vacuum_takes_those_of_other_worlds(home: Home) -> None:
    owners(home, then(home, 3))
    assert not [removed for removed in vacuum(home).removed if removed.table.startswith("identities")]
    ingest_rows(home, "web", rows(7))
    owners(home, then(home, 3))
    planned = vacuum(home, dry_run=True).removed
    assert len(kept(home)) == 2
    assert vacuum(home).removed == planned
    assert [removed.table for removed in planned] == ["identities as of, shop"]
    assert len(kept(home)) == 1
    assert [removed for removed in vacuum(home).removed if removed.table.startswith("identities")] == []


def test_several_who_ask_at_once_make_it_once(home: Home, made: list[int]) -> None:
    world, found = then(home, 3), []
    threads = [threading.Thread(target=lambda: found.append(owners(home, world))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(answer == found[0] for answer in found) and len(found) == 4


def test_who_waits_can_be_cancelled(home: Home) -> None:
    world, cancellation = then(home, 3), Cancellation()
    (home.root / "asof").mkdir()
    with exclusive(home.root / "asof" / "making.lock"):
        threading.Timer(0.1, cancellation.cancel).start()
        with pytest.raises(CancelledError):
            loads(home, "shop", world.journeys["shop"], (), world=world, check=cancellation.check)
    assert owners(home, world)


def test_what_a_process_that_died_has_left_is_removed(home: Home) -> None:
    left = home.root / "asof" / "shop" / ".abc-1.gone" / "level0"
    left.mkdir(parents=True)
    (left / "x.parquet").touch()
    owners(home, then(home, 3))
    assert not left.parent.exists()
