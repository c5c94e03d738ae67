"""What was learned of devices that identity maps name, whose namespace differs from row to row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import DefinitionError, UnknownNameError
from engine.journeys.device_history import history, stretches
from engine.world import Home
from tests.journeys.support import ingest_rows, journeys, new_home
from tests.journeys.test_identity_maps import PRIMARY, definitions, one, replay, row, stitched


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A value in two namespaces, each with a customer of its own; the second visit logs in."""
    home = new_home(tmp_path, definitions(stitched(PRIMARY, "customer")))
    for number, (space, customer) in enumerate((("ECID", "ann"), ("CRMID", "bob"))):
        ids = {space: one("x", primary=True)}
        ingest_rows(home, "web", [row(f"{space}-1", 10 * number, ids)])
        ingest_rows(home, "web", [row(f"{space}-2", 10 * number + 1, ids, customer=customer)])
    replay(home)
    return home


def persons(home: Home, device: str) -> list[tuple[str, int]]:
    found = stretches(home, home.current(), "shop", device).to_pylist()
    return [(stretch["person"], stretch["events"]) for stretch in found]


def test_a_namespace_tells_equal_values_apart(home: Home) -> None:
    assert persons(home, "ECID:x") == [("ann", 2)]
    assert persons(home, "CRMID:x") == [("bob", 2)]
    assert persons(home, "x") == [("ann", 2), ("bob", 2)]
    assert persons(home, "Email:x") == persons(home, "y") == []
    learned = history(home, home.current(), "shop", "CRMID:x").to_pylist()
    assert [(line["why"], line["person"], line["namespace"]) for line in learned] == [
        ("live", "x", "CRMID"),
        ("live", "bob", "CUST"),
        ("replay", "bob", "CUST"),
    ]


def test_as_of_then_each_namespace_has_its_own_persons(home: Home) -> None:
    # World 4 shows the second event of the ECID; what came later was not known.
    then = replace(home.current(), identity_as_of=home.world(4).published_at)
    rows = [row for events in journeys(home, ("_event_id", "_person", "_namespace"), then) for row in events]
    assert {name: (person, space) for _, name, person, space in rows} == {
        "ECID-1": ("x", "ECID"),
        "ECID-2": ("ann", "CUST"),
        "CRMID-1": ("x", "CRMID"),
        "CRMID-2": ("bob", "CUST"),
    }
    late = [row("ECID-3", 50, {"ECID": one("x", primary=True)})]
    ingest_rows(home, "web", late)
    then = replace(home.current(), identity_as_of=home.world(4).published_at + timedelta(microseconds=1))
    rows = [row for events in journeys(home, ("_event_id", "_person"), then) for row in events]
    assert dict(row[1:] for row in rows)["ECID-3"] == "ann"


def test_a_connection_that_stitches_nothing_has_no_devices(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions({"person_id": PRIMARY}))
    with pytest.raises(DefinitionError, match='connection "shop" stitches no devices'):
        history(home, home.current(), "shop", "x")
    with pytest.raises(UnknownNameError, match='there is no connection "shp"'):
        history(home, home.current(), "shp", "x")
