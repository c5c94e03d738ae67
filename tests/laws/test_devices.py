"""The laws of devices: their table equals the oracle's, however events came, went or were rebuilt."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import flow
from engine.journeys import change, device_table, devices, intake
from engine.journeys.change import Change
from engine.journeys.columns import journey_schema
from engine.journeys.stitch_log import Kind
from engine.lake import keyed
from engine.lake import table as lake
from engine.lake.rows import lake_rows
from engine.world import Home
from tests.journeys.support import ingest_rows
from tests.laws import arrivals
from tests.laws.test_journeys import carry_out, run
from tests.oracle import devices as oracle
from tests.oracle import journeys
from tests.oracle.journeys import Operation

States = dict[str, tuple[str | None, list[tuple[int, int, str]]]]

law = settings(
    max_examples=int(os.environ.get("WAYLINE_LAW_EXAMPLES", "10")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(params=["near", "far"])
def distance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the neighbours of late events close by, or only in the whole run."""
    monkeypatch.setattr(devices, "_NEAR", 5_000_000 if request.param == "far" else 86_400_000_000)


def table(home: Home, version: int | None = None) -> pl.DataFrame:
    version = home.current().devices["shop"] if version is None else version
    return device_table.read(home.devices_path("shop"), version, 0)


def told(states: pl.DataFrame) -> States:
    """Return device → whom it saw last and its runs in seconds; without devices that know nothing."""
    found: States = {}
    for row in states.iter_rows(named=True):
        runs = [
            (run["start"] // 1_000_000, run["end"] // 1_000_000, run["person"]) for run in row["runs"] or []
        ]
        if runs or row["known"] is not None:
            found[row["device"]] = (row["known"], runs)
    return found


def facts(states: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return all that is stored of devices that know something, in some fixed order."""
    return sorted(states.filter(pl.col("known").is_not_null()).rows(), key=repr)


def expected(events: Sequence[oracle.Event]) -> States:
    names = {event["device"] for event in events if event["person"] is not None}
    return {name: (oracle.known(events, name), oracle.timeline(events, name)) for name in names}


@pytest.mark.usefixtures("distance")
@settings(law, max_examples=3 * law.max_examples)
@given(operations=arrivals.operations())
def test_oracle(folder: Path, operations: list[Operation]) -> None:
    home = run(folder, operations)
    events = journeys.run(operations, arrivals.WINDOW).device_events()
    place = home.devices_path("shop"), home.current().devices["shop"]
    assert told(table(home)) == expected(events)
    for step in range(-1, 9):
        instant = arrivals.BASE + step * 10
        known = {name: oracle.evidence(events, name, instant) for name in {e["device"] for e in events}}
        for rows in (0, 1_000):
            look_up = device_table.known_before(*place, 0, instant * 1_000_000, events=rows)
            assert look_up(pl.Series(list(known), dtype=pl.String)).to_list() == list(known.values())


@law
@given(operations=arrivals.operations())
def test_a_rebuild_and_a_first_reading_make_the_same_table(folder: Path, operations: list[Operation]) -> None:
    home = run(folder, operations)
    before = facts(table(home))
    world = home.current()
    versions = change.versions_of(world, "shop")
    with home.lease() as lease:
        read = devices.ensure(home, world.definitions, "shop", replace(versions, devices=None))
        assert facts(table(home, read.devices)) == before
        lease.publish("read", devices={"shop": read.devices or 0})
    flow.rebuild(home, "shop")
    assert facts(table(home)) == before


@law
@given(operations=arrivals.operations(), data=st.data())
def test_removed_rows_are_forgotten(folder: Path, operations: list[Operation], data: st.DataObject) -> None:
    home = run(folder, operations)
    world = home.current()
    member = intake.members(world.definitions, "shop")[0]
    files = lake.files(home.dataset_path("web"), world.datasets["web"])
    rows = intake.identities(member, lake_rows(files, member.dataset)).collect()
    size = rows.height
    chosen = pl.Series(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=pl.Boolean)
    with home.lease() as lease:
        after = _without(home, rows.filter(chosen))
        lease.publish("remove", journeys={"shop": after.journeys}, devices={"shop": after.devices or 0})
    states = table(home)
    world = home.current()
    again = devices.ensure(
        home, world.definitions, "shop", replace(change.versions_of(world, "shop"), devices=None)
    )
    assert told(states) == told(table(home, again.devices))


def _without(home: Home, rows: pl.DataFrame) -> change.Versions:
    """Take rows of the first dataset out of the journeys and out of what is known of their devices."""
    world = home.current()
    versions = change.versions_of(world, "shop")
    source = devices.journeys(home, world.definitions, "shop", versions.journeys)
    schema = journey_schema(world.definitions, "shop")
    dead = change.masks_of(source.files, schema, 0, rows.filter(pl.col("time").is_not_null()))
    after = change.commit(home, world.definitions, "shop", versions, Change([], dead, Kind.LIVE))
    member = intake.members(world.definitions, "shop")[0]
    learned = devices.learn(source, member, table(home), rows.clear(), rows)
    known = device_table.commit(home.devices_path("shop"), world.devices["shop"], {0: learned})
    return replace(after, devices=known)


def test_a_home_without_the_table_gets_it_with_the_next_change(folder: Path) -> None:
    rows: list[dict[str, Any]] = [
        journeys.Row(number, "web", arrivals.BASE + number, f"e{number}", "d", person).record()
        for number, person in enumerate(["Ann", None, "Bob", None])
    ]
    for operation in ("ingest", "replay"):
        home = run(folder, [])
        ingest_rows(home, "web", rows[:2])
        with home.catalog.writing() as connection:
            connection.exec_driver_sql("UPDATE worlds SET devices = '{}'")
        home = Home.open(home.root)
        assert home.current().devices == {}
        if operation == "ingest":
            ingest_rows(home, "web", rows[2:])
        else:
            carry_out(home, arrivals.covering_replay())
            ingest_rows(home, "web", rows[2:])
        assert told(table(home)) == {
            "d": (
                "Bob",
                [(arrivals.BASE, arrivals.BASE, "Ann"), (arrivals.BASE + 2, arrivals.BASE + 2, "Bob")],
            )
        }


def test_a_table_ahead_of_its_world_is_taken_back(folder: Path) -> None:
    home = run(folder, [])
    row = journeys.Row(1, "web", arrivals.BASE, "e", "d", "Ann")
    ingest_rows(home, "web", [row.record()])
    path, version = home.devices_path("shop"), home.current().devices["shop"]
    states = table(home)
    device_table.commit(path, version, {0: states.with_columns(known=pl.lit("Bob"))})
    carry_out(home, arrivals.covering_replay())
    assert home.current().devices["shop"] == version + 2
    assert table(home).equals(states)


def test_many_commits_make_few_files(folder: Path) -> None:
    home = run(folder, [])
    for number in range(40):
        row = journeys.Row(number, "web", arrivals.BASE + number, f"e{number}", f"d{number}", "Ann")
        ingest_rows(home, "web", [row.record()])
    version = home.current().devices["shop"]
    assert len(keyed.files(home.devices_path("shop"), version)) <= 6
    assert table(home).height == 40
