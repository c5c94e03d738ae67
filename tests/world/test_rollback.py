"""Rollback: the new world shows exactly what the old one did, and everything goes on from there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from engine import flow, rollback
from engine.catalog.records import BatchStatus
from engine.definitions.model import Definitions
from engine.errors import HomeError, InputError, UnknownNameError
from engine.history import history
from engine.lake import delta
from engine.lake import table as lake
from engine.rollback import roll_back
from engine.vacuum import vacuum
from engine.world import Home
from tests.journeys.support import ingest_rows
from tests.world.homes import START, make_home, rows, seen, shop


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Worlds: 1 init, 2 apply, 3 to 5 batches, 6 replay."""
    home = make_home(tmp_path)
    flow.replay(home, "shop", at=START + timedelta(days=60), lookback=timedelta(days=90))
    return home


def statuses(home: Home) -> list[str]:
    return [batch.status.value for batch in home.catalog.batches("web")]


def skipped(home: Home) -> int:
    return sum(skip.rows for skip in home.catalog.skips("shop"))


def test_every_world_can_be_shown_again_and_again(home: Home) -> None:
    shown = {world.id: seen(home, world) for world in home.worlds()}
    assert len(set(shown.values())) == len(shown)
    for back in (3, 5, 2, 6, 4):
        world = roll_back(home, back)
        assert world == home.current() == Home.open(home.root).current()
        assert seen(home) == shown[back]
        assert skipped(home) == max(0, min(back, 5) - 2)
        for older in shown:
            assert seen(home, home.world(older)) == shown[older]


def test_batches_that_are_not_shown_are_inactive(home: Home) -> None:
    roll_back(home, 3)
    assert statuses(home) == ["success", "inactive", "inactive"]
    assert all(batch.ended_at for batch in home.catalog.batches("web", BatchStatus.INACTIVE))
    roll_back(home, 4)
    assert statuses(home) == ["success", "success", "inactive"]
    assert home.catalog.batches("web")[1].ended_at is None
    assert flow.status(home).datasets[0].batches == 2


def test_a_batch_without_rows_is_shown_where_it_was(home: Home, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text("id,at,device,channel,revenue\n")
    before = home.current().id
    flow.ingest(home, "web", [empty])
    after = home.current().id
    roll_back(home, before)
    assert statuses(home)[-1] == "inactive"
    roll_back(home, after)
    assert statuses(home)[-1] == "success"


def test_ingesting_and_rebuilding_after_a_rollback_agree(home: Home) -> None:
    roll_back(home, 4)
    ingest_rows(home, "web", rows(7))
    assert home.catalog.batches("web")[-1].number == 4
    flow.replay(home, "shop", at=START + timedelta(days=60), lookback=timedelta(days=90))
    before = seen(home)
    flow.rebuild(home, "shop")
    assert seen(home) == before


def test_a_replay_after_a_rollback_gives_what_it_gave_before(home: Home) -> None:
    replayed = seen(home)
    roll_back(home, 5)
    assert seen(home) != replayed
    flow.replay(home, "shop", at=START + timedelta(days=60), lookback=timedelta(days=90))
    assert seen(home) == replayed


def test_definitions_go_back_too(home: Home) -> None:
    before = home.current()
    more = shop(window="1h", buckets=4).model_dump()
    more["datasets"]["web"]["fields"]["extra"] = {"type": "string"}
    flow.apply(home, type(before.definitions).model_validate(more))
    ingest_rows(home, "web", [{**rows(9)[0], "extra": "x"}])
    shown = seen(home)
    after = home.current()
    world = roll_back(home, before.id)
    assert world.definitions == before.definitions
    assert seen(home) == seen(home, before)
    ingest_rows(home, "web", rows(10))
    roll_back(home, after.id)
    assert seen(home) == shown
    assert home.current().definitions == after.definitions


def test_a_dataset_that_is_applied_anew_does_not_take_older_worlds_with_it(home: Home) -> None:
    shown, full = seen(home), home.current()
    empty = roll_back(home, 1)
    assert (empty.datasets, empty.journeys, empty.definitions.datasets) == ({}, {}, {})
    other = shop().model_dump()
    other["datasets"]["web"]["fields"]["revenue"] = {"type": "string"}
    other["data_views"]["shop"]["metrics"] = {}
    flow.apply(home, type(full.definitions).model_validate(other))
    assert lake.files(home.dataset_path("web"), home.current().datasets["web"]) == ()
    ingest_rows(home, "web", [{**row, "revenue": "much"} for row in rows(1)])
    assert seen(home, full) == shown
    roll_back(home, full.id)
    assert seen(home) == shown
    assert statuses(home) == ["success", "success", "success", "inactive"]


def test_a_rollback_that_dies_before_publishing_is_undone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, shown = home.current(), seen(home)
    with monkeypatch.context() as patched:
        patched.setattr(rollback, "_publish", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            roll_back(home, 3)
    assert delta.latest_version(home.dataset_path("web")) > before.datasets["web"]
    assert seen(home) == shown
    with home.lease() as lease:
        recovered = flow.recover(lease)
    assert seen(home) == shown
    assert lake.latest_version(home.dataset_path("web")) == recovered.datasets["web"]
    assert statuses(home) == ["success"] * 3
    ingest_rows(home, "web", rows(8))
    roll_back(home, before.id)
    assert seen(home) == shown


def test_what_cannot_be_returned_to_is_said(home: Home) -> None:
    with pytest.raises(UnknownNameError, match="there is no world 99"):
        roll_back(home, 99)
    with pytest.raises(InputError, match="world 6 is the newest already"):
        roll_back(home, 6)
    vacuum(home, keep=timedelta())
    with pytest.raises(HomeError, match="world 3 cannot be returned to: its files were vacuumed"):
        roll_back(home, 3)


def test_a_world_whose_files_somebody_removed_is_refused_before_anything_changes(home: Home) -> None:
    file = min(home.dataset_path("web").glob("*.parquet"))
    file.unlink()
    with pytest.raises(HomeError, match=f"dataset web has lost 1 files .* such as {file.name}"):
        roll_back(home, 3)
    assert delta.latest_version(home.dataset_path("web")) == home.current().datasets["web"]


def test_the_history_says_what_each_world_changed(home: Home) -> None:
    roll_back(home, 4)
    worlds = history(home)
    assert [world.cause for world in worlds[2:]] == [
        *(f"ingest web batch {number}" for number in (1, 2, 3)),
        "replay shop",
        "rollback to world 4",
    ]
    assert worlds[0].changed == ()
    assert worlds[1].changed[0] == "definitions"
    assert worlds[3].changed[:2] == ("dataset web", "journeys shop")
    assert "dataset web" not in worlds[5].changed
    assert all(world.restorable for world in worlds)


def test_worlds_of_a_home_of_format_1_can_be_returned_to(home: Home) -> None:
    shown = seen(home, home.world(4))
    with home.catalog.writing() as connection:
        for table, column in (("worlds", "devices"), ("worlds", "vacuumed_at"), ("batches", "ended_at")):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        home.catalog.set_meta(connection, "format", "1")
    home.close()
    opened = Home.open(home.root)
    assert all(world.restorable for world in history(opened))
    roll_back(opened, 4)
    assert seen(opened) == shown
    assert statuses(opened) == ["success", "success", "inactive"]


def test_what_was_rolled_back_taught_nothing(home: Home) -> None:
    """Live stitching goes on from what devices were known by then, as in a home that never knew more."""
    login = {"id": "l1", "at": START, "device": "new", "login": {"customer": "Ann"}}
    later = {"id": "l2", "at": START + timedelta(days=1), "device": "new"}
    before = home.current().id
    ingest_rows(home, "web", [{**login, "id": "l0", "login": None}])
    first = home.current().id
    ingest_rows(home, "web", [login])
    roll_back(home, first)
    ingest_rows(home, "web", [later])
    assert {row[1] for row in seen(home)[0] if row[3] in ("l0", "l2")} == {"new"}
    roll_back(home, before)
    ingest_rows(home, "web", [login])
    ingest_rows(home, "web", [later])
    assert {row[1] for row in seen(home)[0] if row[3] in ("l1", "l2")} == {"Ann"}


def test_rows_that_other_placeholders_refused_are_not_counted_any_more(home: Home) -> None:
    before, counted = home.current().id, skipped(home)
    nobody = {"placeholders": [f"d{device}" for device in range(20)]}
    given = shop().model_dump(exclude_defaults=True) | {"identities": nobody}
    flow.apply(home, Definitions.model_validate(given))
    assert skipped(home) > counted
    roll_back(home, before)
    assert skipped(home) == counted
