"""Applying definitions: what is built, what is rebuilt, what is kept, and what is refused."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import flow
from engine.definitions.model import Definitions
from engine.errors import DefinitionError
from engine.journeys import device_table, devices
from engine.world import Home
from tests.journeys.support import (
    CALLS,
    STITCHED,
    WEB,
    commit_batch,
    definitions,
    ingest_rows,
    journeys,
    new_home,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
WEB_ROWS = [
    {"id": "1", "at": START, "device": "x", "login": None, "channel": "paid"},
    {"id": "2", "at": START + timedelta(hours=1), "device": "x", "login": {"customer": "Ann"}},
    {"id": "3", "at": START + timedelta(hours=2), "device": "x", "login": {"customer": None}},
]
CALL_ROWS = [{"at": START, "customer": "Ann", "channel": "phone", "topic": "bill"}]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = new_home(tmp_path, definitions())
    ingest_rows(home, "web", WEB_ROWS)
    ingest_rows(home, "calls", CALL_ROWS)
    return home


def document(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(definitions().model_dump(exclude_defaults=True)) | changes


def apply(home: Home, given: dict[str, Any]) -> flow.Applied:
    return flow.apply(home, Definitions.model_validate(given))


def persons(home: Home) -> dict[str, int]:
    return {rows[0][1]: len(rows) for rows in journeys(home, ["_person"])}


def test_first_apply_makes_everything(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    applied = flow.apply(home, definitions())
    assert applied.added == ("dataset web", "dataset calls", "connection shop")
    assert (applied.changed, applied.removed, applied.rebuilt) == ((), (), ("shop",))
    assert home.current().journeys.keys() == home.current().stitch_logs.keys() == {"shop"}


def test_the_same_again_publishes_nothing(home: Home) -> None:
    world = home.current()
    assert flow.apply(home, definitions()) == flow.Applied()
    assert home.current().id == world.id


def test_a_data_view_needs_no_rebuild(home: Home) -> None:
    journeys_before = home.current().journeys
    applied = apply(home, document(data_views={"main": {"connection": "shop"}}))
    assert applied == flow.Applied(added=("data view main",))
    assert home.current().journeys == journeys_before


def test_a_new_connection_is_built_from_the_lake(home: Home) -> None:
    given = document()
    given["connections"]["calls_only"] = {"datasets": {"calls": {"person_id": "customer"}}}
    assert apply(home, given).rebuilt == ("calls_only",)
    assert flow.status(home).connections[1].events == 1


def test_changed_stitching_rebuilds(home: Home) -> None:
    assert persons(home) == {"x": 1, "Ann": 3}
    given = document()
    given["connections"]["shop"]["datasets"]["web"] = {"person_id": "device"}
    applied = apply(home, given)
    assert (applied.changed, applied.rebuilt) == (("connection shop",), ("shop",))
    assert persons(home) == {"x": 3, "Ann": 1}
    assert "shop" not in home.current().stitch_logs
    given["connections"]["shop"]["datasets"]["web"] = STITCHED
    apply(home, given)
    assert persons(home) == {"x": 1, "Ann": 3}
    ingest_rows(home, "web", [WEB_ROWS[2] | {"id": "4", "at": START + timedelta(hours=3)}])
    assert persons(home) == {"x": 1, "Ann": 4}


def test_a_further_dataset_keeps_what_replays_said(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(calls=False))
    ingest_rows(home, "web", WEB_ROWS)
    ingest_rows(home, "calls", CALL_ROWS)
    flow.replay(home, "shop", at=START + timedelta(days=1), lookback=timedelta(days=2))
    assert persons(home) == {"Ann": 3}
    assert flow.apply(home, definitions()).rebuilt == ("shop",)
    assert persons(home) == {"Ann": 4}
    states = device_table.read(home.devices_path("shop"), home.current().devices["shop"], 0)
    assert devices.memory(states).rows() == [("x", "Ann")]


def test_a_changed_lookback_keeps_the_journeys(home: Home) -> None:
    given = document()
    given["connections"]["shop"]["datasets"]["web"]["stitching"]["lookback"] = "30d"
    assert apply(home, given).rebuilt == ()
    assert flow.replay(home, "shop").lookback == timedelta(days=30)


def test_a_new_field_is_null_in_older_rows(home: Home) -> None:
    given = document()
    given["datasets"]["web"]["fields"]["country"] = "string"
    given["datasets"]["web"]["fields"]["login"]["fields"]["tier"] = "long"
    assert apply(home, given).rebuilt == ()
    more = {"id": "9", "at": START + timedelta(days=1), "device": "x", "country": "DE"}
    ingest_rows(home, "web", [more | {"login": {"customer": "Ann", "tier": 3}}])
    rows = [row[1:] for rows in journeys(home, ["country", "login.tier"]) for row in rows]
    assert sorted(rows, key=repr) == [("DE", 3), *[(None, None)] * 4]
    flow.rebuild(home, "shop")
    again = [row[1:] for rows in journeys(home, ["country", "login.tier"]) for row in rows]
    assert sorted(again, key=repr) == sorted(rows, key=repr)


def test_an_array_that_grows_rebuilds(home: Home) -> None:
    given = document()
    given["datasets"]["web"]["fields"]["items"]["fields"]["size"] = "string"
    assert apply(home, given).rebuilt == ("shop",)
    item = {"sku": "a", "price": None, "size": "XL"}
    ingest_rows(home, "web", [WEB_ROWS[1] | {"id": "7", "items": [item]}])
    assert [item] in [row[1] for rows in journeys(home, ["items"]) for row in rows]


def test_a_removed_connection_is_gone_and_can_come_back(home: Home) -> None:
    applied = apply(home, document(connections={}))
    assert applied.removed == ("connection shop",)
    assert home.current().journeys == {}
    assert flow.apply(home, definitions()).rebuilt == ("shop",)
    assert persons(home) == {"x": 1, "Ann": 3}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["datasets"].pop("calls"), 'dataset "calls" has data'),
        (lambda d: d["datasets"]["web"]["fields"].pop("channel"), "web.fields.channel: .* removed"),
        (
            lambda d: d["datasets"]["web"]["fields"].update(revenue="string"),
            "web.fields.revenue: .* type",
        ),
        (
            lambda d: d["datasets"]["web"]["fields"]["items"]["fields"].update(price="double"),
            "web.fields.items.fields.price: .* type",
        ),
        (lambda d: d["datasets"]["web"].update(kind="lookup", key="id"), "kind and timestamp"),
        (lambda d: d["datasets"]["web"].update(timestamp="seen_at"), "kind and timestamp"),
    ],
)
def test_losses_are_refused(home: Home, change: Any, says: str) -> None:
    given = document(connections={})
    given["datasets"]["web"]["fields"]["seen_at"] = "timestamp"
    change(given)
    world = home.current()
    with pytest.raises(DefinitionError, match=says):
        apply(home, given)
    assert home.current().id == world.id


def test_a_dataset_without_data_may_change(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions())
    given = document()
    given["datasets"]["web"]["fields"]["revenue"] = "long"
    apply(home, given)
    ingest_rows(home, "web", [WEB_ROWS[0] | {"revenue": 3}])
    assert [row[1] for rows in journeys(home, ["revenue"]) for row in rows] == [3]


@pytest.mark.parametrize(
    ("change", "says", "hint"),
    [
        ({"datasets": {"wob": STITCHED}}, 'no dataset "wob"', 'Did you mean "web"?'),
        (
            {"datasets": {"web": {"person_id": "login"}}},
            'no scalar field "login"',
            "login.customer",
        ),
        ({"datasets": {"web": {"person_id": "devise"}}}, '"devise"', 'Did you mean "device"?'),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, change: Any, says: str, hint: str) -> None:
    home = new_home(tmp_path)
    with pytest.raises(DefinitionError, match=says) as raised:
        apply(home, document(connections={"shop": change}))
    assert raised.value.hint is not None and hint in raised.value.hint


def test_one_path_has_one_type(tmp_path: Path) -> None:
    calls = CALLS | {"fields": CALLS["fields"] | {"channel": "long"}}  # type: ignore[operator]
    with pytest.raises(DefinitionError, match='"channel" is string in "web" and int64 in "calls"'):
        apply(new_home(tmp_path), document(datasets={"web": WEB, "calls": calls}))


def test_system_columns_are_taken(tmp_path: Path) -> None:
    web = WEB | {"fields": WEB["fields"] | {"_person": "string"}}  # type: ignore[operator]
    with pytest.raises(DefinitionError, match='"_person" is the name of a system column'):
        apply(new_home(tmp_path), document(datasets={"web": web, "calls": CALLS}))


def test_only_events_form_journeys(tmp_path: Path) -> None:
    lookup = {"kind": "lookup", "key": "sku", "fields": {"sku": "string"}}
    connection = {"datasets": {"web": STITCHED, "products": {"person_id": "sku"}}}
    datasets = {"web": WEB, "calls": CALLS, "products": lookup}
    with pytest.raises(DefinitionError, match="is a lookup, not an event dataset"):
        apply(new_home(tmp_path), document(datasets=datasets, connections={"shop": connection}))


def test_numbers_as_persons_and_days_as_times(tmp_path: Path) -> None:
    visits = {
        "timestamp": "day",
        "event_id": "number",
        "fields": {"number": "long", "day": "date", "customer": "long"},
    }
    given = document(
        datasets={"visits": visits},
        connections={"shop": {"datasets": {"visits": {"person_id": "customer"}}}},
    )
    home = new_home(tmp_path, Definitions.model_validate(given))
    row = {"number": 1, "day": START.date(), "customer": 7}
    with home.lease() as lease:
        commit_batch(home, "visits", [row, row, row | {"number": 2}], order_by="day")
        flow.recover(lease)
    (rows,) = journeys(home, ["_person", "_event_id", "customer"])
    moment = int(START.timestamp()) * 1_000_000
    assert rows == [(moment, "7", "1", 7), (moment, "7", "2", 7)]
