"""Deleting identities where the identity graph or identity maps say who somebody is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine import flow
from engine.definitions import project
from engine.governance import privacy
from engine.governance.proof import prove
from engine.identities import evidence, graphs, table
from engine.journeys.scan import scan
from engine.vacuum import vacuum
from engine.world import Home
from tests.governance.test_privacy import places
from tests.journeys.support import ingest_rows, journeys, new_home
from tests.journeys.test_graph_based import (
    MAPPED,
    definitions,
    login,
    mapped,
    people,
    person,
    persons,
    replay,
    stitched,
    web,
)

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MAILS = {"Email": {"bob.a@gmail.com", "ted.w@gmail.com", "bob.ab@gmail.com", "a.b@yahoo.co.uk"}}


def example(root: Path) -> Home:
    """EX-ST-4: visits, logins and customers in the order in which they came."""
    home = Home.create(root)
    flow.apply(home, project.load(EXAMPLES / "graph.yaml", home.current().definitions))
    folder = EXAMPLES / "graph"
    flow.ingest(home, "customers", [folder / "customers.csv"])
    for number in range(1, 4):
        flow.ingest(home, "visits", [folder / f"visits-{number}.jsonl"])
        flow.ingest(home, "logins", [folder / f"logins-{number}.jsonl"])
    flow.ingest(home, "visits", [folder / "visits-4.jsonl"])
    moment = datetime(2023, 5, 13, 16, 30, tzinfo=UTC)
    flow.replay(home, "site", at=moment, lookback=timedelta(days=7))
    return home


def visitors(home: Home) -> list[str]:
    world = home.current()
    found: list[tuple[str, str]] = []
    for chunk in scan(home, "site", world.journeys["site"], ["_event_id", "_person"], world=world):
        columns = (chunk.columns[name].to_pylist() for name in ("_event_id", "_person"))
        found += list(zip(*columns, strict=True))
    return [person for _, person in sorted(found)]


def rebuilt(home: Home) -> Any:
    """Return the links of the identity graph as the lake says them."""
    world = home.current()
    found = evidence.everything(home, world.definitions, world.datasets)
    return graphs.drawn(found, evidence.graph_rules(world.definitions))


def kept(home: Home) -> Any:
    version = home.current().identities
    assert version is not None
    return table.content(home.identities_path(), version).links


def same_graph(home: Home) -> None:
    found, expected = kept(home), rebuilt(home)
    assert sorted(map(repr, found.rows())) == sorted(map(repr, expected.select(found.columns).rows()))


def test_ex_st_4_after_privacy_delete_of_the_mail_identities(tmp_path: Path) -> None:
    home = example(tmp_path / "home")
    ted = "ted.w@gmail.com"
    assert visitors(home) == [*["a.b@yahoo.co.uk"] * 3, ted, ted, *["a.b@yahoo.co.uk"] * 2]
    done = privacy.delete(home, MAILS)
    assert (done.erased, done.unstitched) == ({"customers": 3}, {"site": 7})
    assert visitors(home) == ["246"] * 3 + ["3579"] * 2 + ["246"] * 2
    same_graph(home)
    vacuum(home)
    assert [prove(home, "Email", value).traces for value in sorted(MAILS["Email"])] == [(), (), (), ()]


def test_no_replay_with_a_new_graph_brings_it_back(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Email")))
    ingest_rows(home, "web", [web("e0", 0, "x", "C1")])
    people(home, person("C1", "a@x.org"))
    replay(home)
    assert persons(home) == ["a@x.org"]
    privacy.delete(home, {"Email": {"a@x.org"}})
    assert persons(home) == ["x"]
    people(home, person("C1", "a@x.org"))
    ingest_rows(home, "web", [web("e1", 1, "x")])
    replay(home)
    assert persons(home) == ["x", "a@x.org"]
    assert replay(home).rows_changed == 0
    flow.rebuild(home, "shop")
    assert persons(home) == ["x", "a@x.org"]
    flow.apply(home, definitions(stitched("Customer")))
    flow.apply(home, definitions(stitched("Email")))
    assert persons(home) == ["x", "a@x.org"]


def test_the_graph_comes_apart(tmp_path: Path) -> None:
    """A person who linked two devices is deleted: each is alone again, as if the links had never been."""
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "web", [web("e0", 0, "x", "Ann"), web("e1", 1, "y", "Ann"), web("e2", 2, "z", "Bob")])
    ingest_rows(home, "web", [web("e3", 3, "x"), web("e4", 4, "y"), web("e5", 5, "z")])
    assert persons(home) == ["Ann", "Ann", "Bob", "Ann", "Ann", "Bob"]
    assert "identities" in places(prove(home, "Customer", "Ann"))
    privacy.delete(home, {"Customer": {"Ann"}})
    assert persons(home) == ["Bob", "x", "y", "Bob"]
    same_graph(home)
    assert kept(home).height == 1
    vacuum(home)
    assert prove(home, "Customer", "Ann").traces == ()


def test_whose_namespace_varies_from_row_to_row(tmp_path: Path) -> None:
    stitching = {
        "persistent_id": {"map": "ids", "primary": True},
        "person_id": {"map": "ids", "namespace": "CRM"},
    }
    given = definitions({"stitching": stitching}, datasets={"web": MAPPED})
    home = new_home(tmp_path, given)
    rows = [
        mapped("e0", Visitor_="x"),
        mapped("e1", Visitor_="x", CRM="Ann"),
        mapped("e2", App_="x", CRM="Bob"),
        mapped("e3", App_="x"),
        mapped("e4", Visitor_="x"),
    ]
    ingest_rows(home, "web", rows)
    replay(home)
    assert persons(home) == ["Ann", "Ann", "Bob", "Bob", "Ann"]
    assert "devices" in places(prove(home, "CRM", "Ann"))
    done = privacy.delete(home, {"CRM": {"Ann"}})
    assert (done.erased, done.unstitched) == ({"web": 1}, {"shop": 2})
    found = sorted(row[1:] for rows in journeys(home, ["_event_id", "_person", "_namespace"]) for row in rows)
    assert found == [
        ("e0", "x", "Visitor"),
        ("e2", "Bob", "CRM"),
        ("e3", "Bob", "CRM"),
        ("e4", "x", "Visitor"),
    ]
    ingest_rows(home, "web", [mapped("e5", Visitor_="x", CRM="Ann")])
    assert replay(home).rows_changed == 0
    assert persons(home) == ["x", "Bob", "Bob", "x", "Ann"]
    privacy.delete(home, {"CRM": {"Ann"}})
    vacuum(home)
    assert prove(home, "CRM", "Ann").traces == ()


def test_a_device_of_several_people_is_deleted(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(stitched("Customer")))
    ingest_rows(home, "logins", [login(0, "x", "Ann"), login(1, "y", "Ann")])
    ingest_rows(home, "web", [web("e0", 2, "x"), web("e1", 3, "y")])
    privacy.delete(home, {"Visitor": {"x"}})
    assert persons(home) == ["Ann"]
    same_graph(home)
    vacuum(home)
    assert prove(home, "Visitor", "x").traces == ()
