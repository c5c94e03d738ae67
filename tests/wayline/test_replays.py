"""``wayline replay`` and ``wayline replays``: what they print, and which options go together."""

from __future__ import annotations

import pytest

from engine import flow, replaying
from engine.definitions.model import Definitions
from engine.errors import HomeError
from engine.world import Home
from tests.wayline.test_cli import LATER, root, wayline

__all__ = ["root", "wayline"]

AT = ("--at", "2024-03-02")


@pytest.fixture
def shop(root, tmp_path, wayline):
    """The home with the events that tell who the devices' people are."""
    (tmp_path / "later.csv").write_text(LATER)
    wayline("ingest", "web", tmp_path / "later.csv", "--home", root)
    return root


def test_a_dry_run_compares_windows_and_changes_nothing(shop, wayline):
    windows = ("--lookback", "1h", "--lookback", "7d")
    found = wayline("replay", "shop", "--home", shop, *AT, "--dry-run", *windows, "--json").json()
    assert [(one["lookback"], one["rows_changed"], one["persons_after"]) for one in found] == [
        ("1h", 0, 0),
        ("1w", 2, 2),
    ]
    shown = wayline("replay", "shop", "--home", shop, *AT, "--dry-run", *windows).out
    for text in ("would replay", "persons merged", "ann, d1", "Nothing was changed."):
        assert text in shown
    assert wayline("replays", "--home", shop, "--json").json() == []
    done = wayline("replay", "shop", "--home", shop, *AT, "--lookback", "7d", "--json").json()
    assert done == found[1]


def test_replays_are_listed(shop, wayline):
    wayline("replay", "shop", "--home", shop, *AT, "--lookback", "7d")
    wayline("replay", "shop", "--home", shop, *AT, "--lookback", "1d")
    [first, second] = wayline("replays", "--home", shop, "--json").json()
    assert (first["rows_changed"], first["persons_merged"], first["status"]) == (2, 2, "done")
    assert (second["rows_changed"], second["lookback"], second["datasets"]) == (0, "1d", ["web"])
    assert "merges" not in first
    [last] = wayline("replays", "shop", "--last", "1", "--home", shop, "--json").json()
    assert last == second
    assert "restitched" in wayline("replays", "shop", "--home", shop).out
    unknown = wayline("replays", "shoe", "--home", shop)
    assert (unknown.code, 'Did you mean "shop"?' in unknown.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("shop", "--lookback", "1d", "--lookback", "2d"), "several --lookback only with --dry-run"),
        (("shop", "--dry-run", "--cancel"), "--dry-run and --cancel exclude each other"),
        (("shop", "--due"), "--due takes no connection"),
        ((), "which connection"),
        (("--due", "--lookback", "1d"), "--due takes neither"),
        (("shop", "--cancel", "--at", "2024-03-02"), "--cancel takes neither"),
        (("shop", "--cancel"), 'no replay of connection "shop" is under way'),
        (("shop", "--lookback", "soon"), "is not a duration"),
        (("shop", "--at", "soon"), "'soon' is not a time"),
    ],
)
def test_options_that_do_not_go_together(root, wayline, arguments, problem):
    ended = wayline("replay", *arguments, "--home", root)
    assert (ended.code, ended.out) == (1, "")
    assert problem in ended.err and ended.err.count("\n") == 1


def schedule(root, written):
    """Apply the definitions that are there with a schedule for the one stitched dataset."""
    home = Home.open(root)
    plain = home.current().definitions.model_dump(mode="json", exclude_defaults=True)
    plain["connections"]["shop"]["datasets"]["web"]["replay"] = written
    flow.apply(home, Definitions.model_validate(plain))


def test_what_is_due_is_done_once(shop, wayline):
    assert wayline("replay", "--due", "--home", shop).out == "No replay is due.\n"
    schedule(shop, "weekly/30")
    assert "shop: a replay is due" in wayline("status", "--home", shop).out
    [done] = wayline("replay", "--due", "--home", shop, "--json").json()
    assert (done["connection"], done["lookback"]) == ("shop", "30d")
    assert wayline("replay", "--due", "--home", shop).out == "No replay is due.\n"
    assert "shop: the next replay is due" in wayline("status", "--home", shop).out
    [kept] = wayline("replays", "--home", shop, "--json").json()
    assert kept["schedule"] == "every 1w at 00:00, 30d back"


def test_a_failure_ends_with_1_and_status_shows_it(shop, wayline, monkeypatch):
    schedule(shop, {"every": "1h", "lookback": "1d"})

    def fails(*_, **__):
        raise HomeError("the disk is full", hint="Make room.")

    monkeypatch.setattr(replaying.journeys, "replay", fails)
    ended = wayline("replay", "--due", "--home", shop)
    assert (ended.code, ended.out) == (1, "No replay was done.\n")
    assert "the disk is full" in ended.err
    assert "failed: the disk is full" in wayline("status", "--home", shop).out
    assert "failed" in wayline("replays", "--home", shop).out
