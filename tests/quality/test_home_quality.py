"""Quality and alarms of homes: through lake, stitching and journeys."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import batches, flow
from engine.alarms import Alarm, alarms_of, identity_alarms
from engine.errors import UnknownNameError
from engine.quality import QUALITY, biggest_persons, quality_of, stitching_quality
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, journeys, new_home
from tests.journeys.test_replay_examples import TABLE, table_rows
from tests.oracle import quality as oracle

NOON = datetime(2023, 5, 12, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path, definitions())


def measures(home: Home) -> dict[str, Any]:
    (row,) = stitching_quality(home, home.current()).to_pylist()
    return row


def event(name: str, device: str | None, person: str | None, at: datetime = NOON) -> dict[str, Any]:
    return {"id": name, "at": at, "device": device, "login": {"customer": person}}


def test_ex_st_3_rates_of_the_worked_table(home: Home) -> None:
    ingest_rows(home, "web", table_rows(TABLE))
    live = measures(home)
    assert (live["connection"], live["dataset"], live["day"]) == ("shop", "web", NOON.date())
    assert (live["rows"], live["rows_with_person"], live["stitched_rows"]) == (12, 5, 8)
    assert live["authentication_rate"] == pytest.approx(0.417, abs=0.0005)
    assert live["stitched_rate"] == pytest.approx(0.667, abs=0.0005)

    flow.replay(home, "shop", at=NOON + DAY, lookback=DAY)
    replayed = measures(home)
    assert replayed["authentication_rate"] == live["authentication_rate"]
    assert replayed["stitched_rate"] == pytest.approx(0.833, abs=0.0005)
    assert (replayed["increase"], replayed["lift"]) == (1.0, 2.0)
    assert (replayed["raw_ids"], replayed["stitched_ids"]) == (4, 2)
    assert (replayed["devices"], replayed["shared_devices"], replayed["shared_device_rows"]) == (3, 0, 0)


def test_shared_devices_are_found_over_days(home: Home) -> None:
    days = [event("1", "kiosk", "ann"), event("2", "phone", "ann"), event("3", "kiosk", "bob", NOON + DAY)]
    ingest_rows(home, "web", days)
    found = stitching_quality(home, home.current()).to_pylist()
    assert [(row["devices"], row["shared_devices"], row["shared_device_rows"]) for row in found] == [
        (2, 1, 1),
        (1, 1, 1),
    ]
    (web,) = quality_of(home, home.current(), "shop")
    assert web.total.row(0, named=True)["shared_device_rows"] == 2


def test_without_rows_there_is_nothing_to_measure(home: Home) -> None:
    assert stitching_quality(home, home.current()).num_rows == 0
    assert stitching_quality(home, home.current()).schema == QUALITY
    assert biggest_persons(home, home.current()).num_rows == 0
    (web,) = quality_of(home, home.current(), "shop")
    assert (web.total.height, web.days.height, web.biggest.height) == (0, 0, 0)
    assert identity_alarms(home, home.current()).num_rows == 0
    with pytest.raises(UnknownNameError, match='no connection "shp"'):
        quality_of(home, home.current(), "shp")


def test_datasets_without_stitching_are_left_out(home: Home) -> None:
    ingest_rows(home, "calls", [{"at": NOON, "customer": "ann"}])
    assert stitching_quality(home, home.current()).num_rows == 0


def test_biggest_persons_with_their_share(home: Home) -> None:
    ingest_rows(home, "web", table_rows(TABLE))
    flow.replay(home, "shop", at=NOON + DAY, lookback=DAY)
    found = biggest_persons(home, home.current()).to_pylist()
    assert [(row["place"], row["person"], row["is_person"], row["rows"]) for row in found] == [
        (1, "Bob", True, 10),
        (2, "3579", False, 2),
    ]
    assert found[0]["share_of_rows"] == pytest.approx(10 / 12)
    assert (found[0]["devices"], found[0]["days"], found[0]["first_day"]) == (2, 1, NOON.date())


def alarming(tmp_path: Path) -> Home:
    home = new_home(tmp_path, definitions())
    given = definitions().model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    given["connections"]["shop"]["alarm_devices"] = 3
    flow.apply(home, type(home.current().definitions).model_validate(given))
    return home


def test_a_person_on_many_devices_raises_an_alarm(tmp_path: Path) -> None:
    home = alarming(tmp_path)
    ingest_rows(home, "web", [event(f"{n}", f"d{n}", "guest") for n in range(2)])
    assert alarms_of(home, home.current(), ["shop"]) == ()
    ingest_rows(home, "web", [event("2", "d2", "guest"), event("3", "d3", "ann")])
    assert alarms_of(home, home.current(), ["shop"]) == (Alarm("shop", "many devices", "crm", "guest", 3, 3),)
    assert identity_alarms(home, home.current()).to_pylist() == [
        {
            "connection": "shop",
            "kind": "many devices",
            "namespace": "crm",
            "value": "guest",
            "counted": 3,
            "threshold": 3,
        }
    ]


def test_changing_the_limit_builds_nothing_anew(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    before = home.current().journeys
    given = definitions().model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    given["connections"]["shop"]["alarm_devices"] = 7
    applied = flow.apply(home, type(home.current().definitions).model_validate(given))
    assert (applied.rebuilt, home.current().journeys) == ((), before)


def test_one_value_in_two_namespaces_raises_an_alarm(home: Home) -> None:
    ingest_rows(home, "web", [event("1", "x7", "ann"), event("2", "d", "x7"), event("3", "e", "bob")])
    assert alarms_of(home, home.current(), ["shop"]) == (
        Alarm("shop", "two namespaces", "crm, ecid", "x7", 2, 2),
    )


def test_a_device_above_the_transition_limit_raises_an_alarm(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.alarms.TRANSITION_LIMIT", 2)
    moments = [NOON + timedelta(minutes=minute) for minute in range(4)]
    ingest_rows(home, "web", [event(f"{n}", "kiosk", f"p{n % 2}", at) for n, at in enumerate(moments)])
    assert alarms_of(home, home.current(), ["shop"]) == (
        Alarm("shop", "many changes", "ecid", "kiosk", 3, 2),
    )


def test_an_alarm_ends_with_its_batch(tmp_path: Path) -> None:
    home = alarming(tmp_path)
    ingest_rows(home, "web", [event(f"{n}", f"d{n}", "guest") for n in range(3)])
    assert alarms_of(home, home.current(), ["shop"])
    batches.revert(home, "web", 1)
    assert alarms_of(home, home.current(), ["shop"]) == ()


def random_rows(seed: int, name: str) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [
        event(
            f"{name}{number}",
            chance.choice([None, "d1", "d2", "d3", "d4"]),
            chance.choice([None, None, "ann", "bob", "d1"]),
            NOON + chance.randrange(-30, 30) * timedelta(hours=1),
        )
        for number in range(120)
    ]


def counted(home: Home) -> list[oracle.Row]:
    """Read the rows as a question would, one by one."""
    columns = ["_person", "_time", "_namespace", "device", "login.customer"]
    return [
        oracle.Row(
            (datetime(1970, 1, 1) + timedelta(microseconds=time)).date(),
            device,
            customer,
            person,
            namespace == "crm",
        )
        for rows in journeys(home, columns)
        for person, time, namespace, device, customer in (row[-5:] for row in rows)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_measures_are_what_counting_rows_says_whatever_was_published(home: Home, seed: int) -> None:
    """Rows lie in base and runs, some of them dead: moved by a replay, gone with a batch."""
    for number in range(3):
        ingest_rows(home, "web", random_rows(10 * seed + number, f"{number}-"))
    steps = [
        lambda: None,
        lambda: flow.replay(home, "shop", at=NOON + DAY, lookback=DAY),
        lambda: batches.revert(home, "web", 2),
        lambda: flow.compact(home, "shop"),
    ]
    for step in steps:
        step()
        found = stitching_quality(home, home.current()).drop_columns(["connection", "dataset"])
        assert {day.pop("day"): day for day in found.to_pylist()} == oracle.by_day(counted(home))


MAPS = {
    "datasets": {
        "app": {
            "timestamp": "at",
            "fields": {"at": "timestamp", "ids": "identity_map", "device": "string"},
        }
    },
}


def mapped(tmp_path: Path, stitching: dict[str, Any], **more: Any) -> Home:
    part = {"datasets": {"app": {"stitching": stitching}}, "alarm_devices": 2}
    given = {**MAPS, "connections": {"shop": part}, **more}
    return new_home(tmp_path, type(definitions()).model_validate(given))


def seen(device: str, person: str | None, namespace: str = "CRMID") -> dict[str, Any]:
    """Return an event with an identity map; the person, if any, is the primary identity."""
    ids = [{"namespace": "TNTID", "id": device, "primary": False}]
    if person is not None:
        ids.append({"namespace": namespace, "id": person, "primary": True})
    return {"at": NOON, "ids": ids}


def test_namespaces_that_differ_by_row(tmp_path: Path) -> None:
    by_map = {
        "persistent_id": {"map": "ids", "namespace": "TNTID"},
        "person_id": {"map": "ids", "primary": True},
    }
    home = mapped(tmp_path, by_map)
    rows = [seen("d1", "ann"), seen("d2", "ann"), seen("d3", "ann", "Email"), seen("d4", None)]
    ingest_rows(home, "app", rows)
    told = measures(home)
    assert (told["rows"], told["rows_with_person"], told["stitched_rows"], told["devices"]) == (4, 3, 3, 4)
    assert (told["raw_ids"], told["stitched_ids"], told["shared_devices"]) == (2, 2, 0)
    assert alarms_of(home, home.current(), ["shop"]) == (
        Alarm("shop", "many devices", "CRMID", "ann", 2, 2),
        Alarm("shop", "two namespaces", "CRMID, Email", "ann", 2, 2),
    )


def test_rows_that_the_graph_stitches_name_nobody_themselves(tmp_path: Path) -> None:
    home = mapped(tmp_path, {"persistent_id": {"map": "ids", "namespace": "TNTID"}, "graph": "CRMID"})
    ingest_rows(home, "app", [seen("d1", None), seen("d1", None), seen("d2", None)])
    told = measures(home)
    assert (told["rows"], told["rows_with_device"], told["stitched_rows"], told["devices"]) == (3, 3, 0, 2)
    assert told["rows_with_person"] is told["authentication_rate"] is told["lift"] is None
    assert biggest_persons(home, home.current()).to_pylist()[0]["person"] == "d1"


def test_a_person_linked_to_many_devices_raises_an_alarm(tmp_path: Path) -> None:
    """Also by links that were cut: each device went on to its next person."""
    by_graph = {"persistent_id": {"map": "ids", "namespace": "TNTID"}, "graph": "CRMID"}
    home = mapped(tmp_path, by_graph, identities={"priority": ["CRMID"], "unique": ["CRMID"]})
    ingest_rows(home, "app", [seen(device, "guest") for device in ("d1", "d2")])
    later = [seen(device, person) for device, person in (("d1", "ann"), ("d2", "bob"))]
    ingest_rows(home, "app", [row | {"at": NOON + DAY} for row in later])
    assert alarms_of(home, home.current(), ["shop"]) == (
        Alarm("shop", "many devices", "CRMID", "guest", 2, 2),
    )
