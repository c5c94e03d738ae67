"""Late logins change the promised share of a week, copies of homes are independent, batches do not overlap."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from benchmarks import kept as keeping
from benchmarks.flows import QUARTER_END, append, replay, unmerged_runs
from benchmarks.histories import CHANGING, TESTER, further_batches, late_logins
from benchmarks.home import Stitching, definitions, empty_home
from benchmarks.kept import copy_home, discard_home, kept
from benchmarks.skewed import GIANT, given_to_giant
from wayline.generate import Plan, shop, web_events

PLAN = Plan(3_000, 5)
WEEK = range(shop.DAYS - 7, shop.DAYS)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_KEPT", tmp_path / "kept")


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return web_events(tmp_path_factory.mktemp("quarter"), PLAN, shop.QUARTER)


def test_late_logins_are_of_devices_that_nobody_knew(quarter: list[Path]) -> None:
    rows = pl.read_parquet(quarter)
    every = late_logins(rows.lazy())
    late = every.filter(pl.col("customer_id") != TESTER)
    assert 0 < every.height - late.height < late.height / 10
    assert late["device_id"].n_unique() == late.height > 0
    assert late["customer_id"].n_unique() == -(-late.height // 2)
    assert rows.join(late, on="device_id", how="semi")["customer_id"].null_count() > 0
    assert rows.join(late, on="device_id", how="semi")["customer_id"].drop_nulls().is_empty()
    week = rows.filter(pl.col("ts").dt.epoch("us").is_between(QUARTER_END - 7 * shop.DAY + 1, QUARTER_END))
    changing = week.join(late, on="device_id", how="semi").height / week.height
    assert CHANGING * 0.8 < changing <= CHANGING
    assert every.select(
        pl.col("ts").dt.epoch("us").is_between(QUARTER_END - 7 * shop.DAY + 1, QUARTER_END).all()
    ).item()


@pytest.mark.parametrize("stitching", Stitching)
def test_a_replay_of_a_copy_changes_the_copy_alone(
    tmp_path: Path, quarter: list[Path], stitching: Stitching
) -> None:
    home = empty_home(tmp_path / "home", stitching)
    append(home, *quarter)
    late = tmp_path / "late.parquet"
    late_logins(pl.scan_parquet(quarter)).write_parquet(late)
    append(home, late)
    world = home.current()
    outcomes = []
    for _ in range(2):
        copy = copy_home(home.root, tmp_path)
        done = replay(copy)
        outcomes.append((done.rows_in_window, done.rows_changed, copy.current().id))
        discard_home(copy)
        assert not copy.root.exists()
    assert outcomes[0] == outcomes[1]
    assert CHANGING / 2 < outcomes[0][1] / outcomes[0][0] < CHANGING * 2
    assert home.current() == world
    assert replay(home).rows_changed == outcomes[0][1]
    assert unmerged_runs(home) >= 1
    home.close()


def test_homes_are_stitched_as_they_say() -> None:
    by_field, ruled, by_graph = map(definitions, Stitching)
    assert [found.has_graph for found in (by_field, ruled, by_graph)] == [False, True, True]
    assert ruled.connections == by_field.connections
    assert [connection.asks_graph for connection in by_graph.connections.values()] == [True]
    assert by_graph.identities == ruled.identities
    assert by_graph.namespaces == ruled.namespaces


def test_all_ids_are_of_the_form_that_their_namespaces_ask(quarter: list[Path]) -> None:
    rows = pl.read_parquet(quarter)
    ids = pl.concat([rows, late_logins(rows.lazy())], how="diagonal")
    ruled = definitions(Stitching.RULES)
    assert ruled.identities is not None
    assert TESTER in ruled.identities.placeholders
    ids = ids.filter(pl.col("customer_id").ne_missing(TESTER))
    for name, space in ruled.namespaces.items():
        assert ids[f"{name}_id"].drop_nulls().str.contains(f"^(?:{space.format})$").all()


def test_further_batches_follow_the_quarter_and_repeat_nothing(quarter: list[Path]) -> None:
    files = further_batches(PLAN.events, PLAN.seed, 5, 20)
    batches = [pl.read_parquet(file) for file in files]
    assert [batch.height for batch in batches] == [20] * 5
    rows = pl.concat(batches)
    assert rows["ts"].dt.epoch("us").min() >= QUARTER_END + shop.DAY
    old = pl.read_parquet(quarter)
    assert rows.join(old, on="event_id", how="semi").is_empty()
    assert rows.join(old, on="device_id", how="semi").height > 50


def test_one_person_gets_a_tenth_of_all_events_at_the_normal_rate(quarter: list[Path]) -> None:
    rows = pl.read_parquet(quarter)
    skewed = given_to_giant(rows)
    giants = skewed.filter(pl.col("device_id") == GIANT)
    assert 0.08 < giants.height / rows.height < 0.12
    assert giants["customer_id"].unique().to_list() == [GIANT]
    assert giants["ts"].dt.truncate("1w").n_unique() == rows["ts"].dt.truncate("1w").n_unique()
    touching = giants["channel"].count() / giants.height
    assert touching == pytest.approx(rows["channel"].count() / rows.height, rel=0.25)
    assert giants["orders"].sum() > 0
    owners = ("device_id", "customer_id")
    assert skewed.drop(owners).equals(rows.drop(owners))
    others = skewed.join(giants, on="event_id", how="anti")
    assert others.equals(rows.join(giants, on="event_id", how="anti"))


def test_what_is_kept_is_built_once_and_anew_when_its_code_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        folder.mkdir()

    first = kept("thing", build)
    assert kept("thing", build) == first
    assert len(built) == 1
    monkeypatch.setattr(keeping, "_fingerprint", lambda: "other")
    second = kept("thing", build)
    assert (len(built), first.exists(), second.exists()) == (2, False, True)


def test_half_of_what_is_kept_is_never_used() -> None:
    def fail(folder: Path) -> None:
        folder.mkdir()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        kept("thing", fail)
    assert list(keeping._KEPT.iterdir()) == []
