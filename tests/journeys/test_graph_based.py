"""Graph-based stitching through lake, identity graph, stitch log and journeys: worked examples and edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine import batches, flow
from engine.definitions.model import Definitions
from engine.journeys import rebuild, runs
from engine.replaying import Order, rehearse
from engine.rollback import roll_back
from engine.world import Home, World
from tests.journeys.support import commit_batch, ingest_rows, journeys, new_home

NOON = datetime(2023, 5, 12, 12, tzinfo=UTC)
WEB = {
    "timestamp": "at",
    "event_id": "id",
    "fields": {
        "id": "string",
        "at": "timestamp",
        "device": {"type": "string", "identity": "Visitor"},
        "customer": {"type": "string", "identity": "Customer"},
    },
}
LOGINS = {"timestamp": "at", "fields": {name: WEB["fields"][name] for name in ("at", "device", "customer")}}
PEOPLE = {
    "kind": "profile",
    "key": "customer",
    "fields": {
        "customer": {"type": "string", "identity": "Customer"},
        "email": {"type": "string", "identity": "Email"},
        "second": {"type": "string", "identity": "Email"},
    },
}


def stitched(graph: str, device: Any = "device") -> dict[str, Any]:
    return {"stitching": {"persistent_id": device, "graph": graph}}


def definitions(web: dict[str, Any], *, unique: Sequence[str] = ("Customer",), **more: Any) -> Definitions:
    """Return visits of devices, logins and customers with e-mail addresses, all of which feed the graph."""
    identities = {"priority": ["Customer", "Email", "Visitor"], "unique": list(unique)}
    given = {
        "namespaces": {"Visitor": "cookie", "Customer": "cross_device"},
        "identities": identities | more.pop("identities", {}),
        "datasets": {"web": WEB, "logins": LOGINS, "people": PEOPLE} | more.pop("datasets", {}),
        "connections": {"shop": {"datasets": {"web": web} | more.pop("members", {}), "buckets": 2}},
    }
    return Definitions.model_validate(given | more)


def web(name: str, minute: float, device: str | None, customer: str | None = None) -> dict[str, Any]:
    return {"id": name, "at": NOON + timedelta(minutes=minute), "device": device, "customer": customer}


def login(minute: float, device: str, customer: str) -> dict[str, Any]:
    return {"at": NOON + timedelta(minutes=minute), "device": device, "customer": customer}


def person(customer: str, email: str, second: str | None = None) -> dict[str, Any]:
    return {"customer": customer, "email": email, "second": second}


def people(home: Home, *rows: dict[str, Any], replaces: Sequence[int] = ()) -> None:
    with home.lease() as lease:
        commit_batch(home, "people", rows, order_by="customer", replaces=replaces)
        flow.recover(lease)


def persons(home: Home, world: World | None = None) -> list[str]:
    """Return each event's person, events in the order of their ids."""
    rows = [row for rows in journeys(home, ["_event_id", "_person"], world) for row in rows]
    return [person for _, _, person in sorted(rows, key=lambda row: row[1])]


def replay(home: Home, minute: float = 60, lookback: timedelta = timedelta(days=1)) -> Any:
    return flow.replay(home, "shop", at=NOON + timedelta(minutes=minute), lookback=lookback)


def test_ex_st_2_the_last_authenticated_person_has_the_whole_device(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    table = [(1, None), (2, None), (3, "ryan"), (7, None), (8, "cassidy"), (23 * 60 + 8, None)]
    events = [web(f"e{place}", minute, "x", who) for place, (minute, who) in enumerate(table)]
    for event in events[:4]:
        ingest_rows(home, "web", [event])
    assert persons(home) == ["x", "x", "ryan", "ryan"]
    ingest_rows(home, "web", events[4:])
    assert persons(home) == ["x", "x", "ryan", "ryan", "cassidy", "cassidy"]
    replay(home, 23 * 60 + 8, timedelta(days=2))
    assert persons(home) == ["cassidy"] * 6


def test_ex_st_2_a_device_that_is_reset_at_each_login(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    table = [("1234", None), ("1234", "ryan"), ("1234", None), ("5678", "cassidy"), ("5678", None)]
    ingest_rows(home, "web", [web(f"e{place}", place, *row) for place, row in enumerate(table)])
    assert persons(home) == ["ryan"] * 3 + ["cassidy"] * 2
    assert replay(home).rows_changed == 0


def test_ex_lr_12_a_device_belongs_to_whom_it_belongs_to_at_that_time(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    for place, who in enumerate(["Kevin", None, "Nora", None]):
        ingest_rows(home, "web", [web(f"e{place}", place, "111", who)])
    assert persons(home) == ["Kevin", "Kevin", "Nora", "Nora"]
    replay(home, 3, timedelta(minutes=1.5))
    assert persons(home) == ["Kevin", "Kevin", "Nora", "Nora"]
    replay(home)
    assert persons(home) == ["Nora"] * 4


def test_a_batch_is_stitched_with_the_links_that_it_brings_itself(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    rows = [web("e0", 0, "x"), web("e1", 1, "x", "Ann"), web("e2", 2, "y"), web("e3", 3, None, "Ann")]
    ingest_rows(home, "web", rows)
    # An event without a device is nobody's, whatever else it says.
    assert persons(home) == ["Ann", "Ann", "y"]
    assert sum(skip.rows for skip in home.catalog.skips("shop")) == 1


def test_profiles_change_what_a_later_replay_finds(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Email")))
    ingest_rows(home, "web", [web("e0", 0, "x", "C1"), web("e1", 1, "y", "C2")])
    assert persons(home) == ["x", "y"]
    people(home, person("C1", "b@x.org", "a@x.org"), person("C2", "c@x.org"))
    assert persons(home) == ["x", "y"]
    record = replay(home)
    assert persons(home) == ["a@x.org", "c@x.org"]
    assert (record.rows_in_window, record.rows_changed) == (2, 2)
    assert (record.persons_before, record.persons_after) == (2, 2)
    people(home, person("C1", "z@x.org"), replaces=[1])
    assert replay(home).rows_changed == 2
    assert persons(home) == ["z@x.org", "y"]
    assert replay(home).rows_changed == 0


def test_without_what_linked_it_an_event_goes_back_to_its_device(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "logins", [login(0, "x", "Ann")])
    ingest_rows(home, "web", [web("e0", 1, "x")])
    batches.revert(home, "logins", 1)
    ingest_rows(home, "web", [web("e1", 2, "x")])
    assert persons(home) == ["Ann", "x"]
    assert replay(home).rows_changed == 1
    assert persons(home) == ["x", "x"]


def test_the_log_says_who_when_and_why(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "web", [web("e0", 0, "x")])
    ingest_rows(home, "web", [web("e1", 1, "x", "Ann")])
    replay(home)
    entries = pl.scan_parquet(home.stitch_log_path("shop") / "*.parquet").sort("sequence", "row").collect()
    told = [("x", "Visitor", "live"), ("Ann", "Customer", "live"), ("Ann", "Customer", "replay")]
    assert entries.select("person", "namespace", "kind").rows() == told
    assert flow.status(home).connections[0].stitched_rate == 1


def test_a_person_called_like_the_device_changes_the_namespace_only(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "web", [web("e0", 0, "x")])
    ingest_rows(home, "logins", [login(0, "x", "x")])
    assert replay(home).rows_changed == 1
    assert [row[1:] for rows in journeys(home, ["_person", "_namespace"]) for row in rows] == [
        ("x", "Customer")
    ]


def test_datasets_of_a_connection_are_stitched_each_in_its_own_way(tmp_path: Path) -> None:
    field_based = {"stitching": {"persistent_id": "device", "person_id": "customer"}}
    calls = {"datasets": {"calls": LOGINS | {"graph": False}}, "members": {"logins": field_based}}
    calls["members"]["calls"] = {"person_id": "customer"}
    home = new_home(tmp_path, definitions(stitched("Customer"), **calls))
    ingest_rows(home, "logins", [login(0, "x", "Ann"), login(2, "x", "Bob"), login(3, "x", "")])
    ingest_rows(home, "calls", [login(5, "x", "Cleo")])
    ingest_rows(home, "web", [web("e0", 1, "x")])
    rows = sorted(row for rows in journeys(home, ["_dataset", "_person"]) for row in rows)
    assert [row[1:] for row in rows] == [(1, "Ann"), (0, "Bob"), (1, "Bob"), (1, "Bob"), (2, "Cleo")]
    assert replay(home).rows_changed == 0


def test_a_graph_based_connection_keeps_nothing_of_devices(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "web", [web("e0", 0, "x", "Ann")])
    replay(home)
    assert home.current().devices == {}
    assert not home.devices_path("shop").exists()


def test_a_graph_based_connection_is_rehearsed(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "web", [web("e0", 0, "x")])
    ingest_rows(home, "logins", [login(1, "x", "Ann")])
    [found] = rehearse(home, [Order("shop", timedelta(days=1), NOON + timedelta(minutes=60))])
    assert persons(home) == ["x"]
    assert found.rows_changed == replay(home).rows_changed == 1


def test_a_rebuild_keeps_who_is_who_and_other_settings_make_it_anew(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    for place, who in enumerate(["Kevin", None, "Nora"]):
        ingest_rows(home, "web", [web(f"e{place}", place, "111", who)])
    flow.rebuild(home, "shop")
    assert persons(home) == ["Kevin", "Kevin", "Nora"]
    people(home, person("Nora", "nora@x.org"))
    flow.apply(home, definitions(stitched("Email")))
    assert persons(home) == ["nora@x.org"] * 3
    field_based = {"stitching": {"persistent_id": "device", "person_id": "customer"}}
    flow.apply(home, definitions(field_based))
    assert persons(home) == ["Kevin", "Kevin", "Nora"]


def test_other_rules_of_the_graph_count_from_the_next_replay_on(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    rows = [web("e0", 0, "x", "Bob"), web("e1", 1, "x", "Cleo")]
    ingest_rows(home, "web", rows)
    assert persons(home) == ["Cleo", "Cleo"]
    flow.apply(home, definitions(stitched("Customer"), unique=[]))
    assert persons(home) == ["Cleo", "Cleo"]
    assert replay(home).rows_changed == 2
    assert persons(home) == ["Bob", "Bob"]


def test_a_home_that_went_back_stitches_with_the_graph_of_then(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "web", [web("e0", 0, "x", "Ann")])
    then = home.current().id
    ingest_rows(home, "web", [web("e1", 1, "x", "Bob")])
    roll_back(home, then)
    ingest_rows(home, "web", [web("e2", 2, "x")])
    assert persons(home) == ["Ann", "Ann"]


@pytest.mark.parametrize("slice_rows", [1, 100])
def test_windows_larger_than_a_slice(
    tmp_path: Path, slice_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "web", [web(f"e{place}", place, f"d{place % 3}") for place in range(9)])
    ingest_rows(home, "logins", [login(0, "d0", "Ann"), login(0, "d1", "Bob")])
    monkeypatch.setattr(runs, "SLICE_ROWS", slice_rows)
    assert replay(home).rows_changed == 6
    assert persons(home) == ["Ann", "Bob", "d2"] * 3


def test_an_interrupted_replay_leaves_nothing_to_another_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dataset that only feeds the graph changes nothing else that a replay follows from."""
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "web", [web(f"e{place}", place, f"d{place % 3}") for place in range(9)])
    ingest_rows(home, "logins", [login(0, "d0", "Ann"), login(0, "d1", "Bob")])
    monkeypatch.setattr(runs, "SLICE_ROWS", 2)

    def interrupt(phase: str, done: int, total: int) -> None:
        if phase == "journeys" and done:
            raise KeyboardInterrupt

    asked = {"at": NOON + timedelta(hours=1), "lookback": timedelta(days=1)}
    with pytest.raises(KeyboardInterrupt):
        flow.replay(home, "shop", progress=interrupt, **asked)
    ingest_rows(home, "logins", [login(1, "d0", "Cleo"), login(1, "d2", "Dan")])
    assert flow.replay(home, "shop", **asked).rows_resumed == 0
    assert persons(home) == ["Cleo", "Bob", "Dan"] * 3


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ({}, {"unique": []}, ["Bob", "Bob", "Dan", "Dan"]),
        ({"unique": []}, {}, ["Cleo", "Cleo", "Dan", "Dan"]),
        ({}, {"identities": {"placeholders": ["d"]}}, ["Cleo", "Cleo"]),
    ],
)
def test_an_interrupted_apply_leaves_nothing_to_other_settings(
    tmp_path: Path,
    first: dict[str, Any],
    then: dict[str, Any],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = new_home(tmp_path, definitions({"person_id": "device"}))
    table = [("x", "Bob"), ("x", "Cleo"), ("d", "Dan"), ("d", None)]
    ingest_rows(home, "web", [web(f"e{place}", place, *row) for place, row in enumerate(table)])
    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "_commit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            flow.apply(home, definitions(stitched("Customer"), **first))
    flow.apply(home, definitions(stitched("Customer"), **then))
    assert persons(home) == expected


MAPPED = {
    "timestamp": "at",
    "event_id": "id",
    "fields": {"id": "string", "at": "timestamp", "ids": "identity_map"},
}


def mapped(name: str, **identities: str | None) -> dict[str, Any]:
    """Return an event whose identity map says who it is; a trailing _ marks the primary identity."""
    entries = [
        {"namespace": space.rstrip("_"), "id": value, "primary": space.endswith("_")}
        for space, value in identities.items()
    ]
    return {"id": name, "at": NOON, "ids": entries}


def test_primary_identities_are_looked_up_each_in_its_namespace(tmp_path: Path) -> None:
    device = {"map": "ids", "primary": True}
    given = definitions(stitched("Customer", device), datasets={"web": MAPPED})
    home = new_home(tmp_path, given)
    rows = [
        mapped("e0", Visitor_="x"),
        mapped("e1", App_="x"),
        mapped("e2", App_="y", Visitor="y"),
        mapped("e3", Visitor_="y"),
    ]
    ingest_rows(home, "web", rows)
    assert persons(home) == ["x", "x", "y", "y"]
    ingest_rows(home, "logins", [login(0, "x", "Ann"), login(0, "y", "Bob")])
    assert replay(home).rows_changed == 3
    assert persons(home) == ["Ann", "x", "Bob", "Bob"]
    found = {row[1:] for rows in journeys(home, ["_person", "_namespace"]) for row in rows}
    assert found == {("Ann", "Customer"), ("x", "App"), ("Bob", "Customer")}


def test_the_device_may_be_one_namespace_of_a_map(tmp_path: Path) -> None:
    device = {"map": "ids", "namespace": "Visitor"}
    home = new_home(tmp_path, definitions(stitched("Customer", device), datasets={"web": MAPPED}))
    ingest_rows(home, "logins", [login(0, "x", "Ann")])
    ingest_rows(home, "web", [mapped("e0", Visitor="x"), mapped("e1", App_="x"), mapped("e2", Visitor="y")])
    assert persons(home) == ["Ann", "y"]


@pytest.mark.parametrize("device", ["device", {"map": "ids", "primary": True}])
def test_as_of_an_instant_later_events_are_asked_of_the_graph_of_then(tmp_path: Path, device: Any) -> None:
    fields = {**WEB["fields"], "ids": "identity_map"}
    home = new_home(
        tmp_path, definitions(stitched("Customer", device), datasets={"web": {**WEB, "fields": fields}})
    )
    ids = [{"namespace": "Visitor", "id": "x", "primary": True}]
    instants = []
    for place, who in enumerate(["ann", "bob", "cleo"]):
        ingest_rows(home, "web", [{**web(f"e{place}", place, "x"), "ids": ids}])
        instants.append(home.current().published_at)
        with home.lease() as lease:
            commit_batch(home, "logins", [login(place, "x", who)], order_by="at")
            flow.recover(lease)
    assert persons(home) == ["x", "ann", "bob"]

    def then(instant: datetime) -> list[str]:
        return persons(home, replace(home.current(), identity_as_of=instant))

    assert then(instants[0]) == ["x", "x", "x"]
    assert then(instants[1]) == ["x", "ann", "ann"]
    assert then(instants[2]) == ["x", "ann", "bob"]
    replay(home)
    assert persons(home) == ["cleo"] * 3
    assert then(instants[1]) == ["x", "ann", "ann"]
