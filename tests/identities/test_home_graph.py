"""The identity graph of a home: what makes it anew, what a batch costs, what is shown of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine import batches
from engine.applying import apply
from engine.definitions.identity import identity_of
from engine.definitions.model import Definitions
from engine.errors import InputError, UnknownNameError, UnsupportedError
from engine.identities import maintain, table
from engine.identities.show import Graph, graph_of, history
from engine.identities.table import Content
from engine.lake import keyed
from engine.lake.removal import remove_batches
from engine.recovery import recover
from engine.world import Home
from tests.journeys.support import commit_batch, new_home
from tests.world.homes import graph_rows

START = datetime(2024, 1, 5, tzinfo=UTC)
WEB = {
    "timestamp": "at",
    "fields": {
        "at": "timestamp",
        "login": {"type": "string", "identity": "CRMID"},
        "device": {"type": "string", "identity": "COOKIE"},
        "mail": {"type": "string", "identity": "Email"},
    },
}
CRM = {
    "kind": "profile",
    "key": "id",
    "fields": {
        "id": {"type": "string", "identity": "CRMID"},
        "mail": {"type": "string", "identity": "Email"},
        "phone": {"type": "string", "identity": "Phone"},
    },
}
SETTINGS = {"priority": ["CRMID", "Email", "Phone", "COOKIE"], "unique": ["CRMID"]}


def definitions(identities: Any = SETTINGS, **web: Any) -> Definitions:
    return Definitions.model_validate(
        {
            "namespaces": {"COOKIE": "cookie"},
            "identities": identities,
            "datasets": {"web": {**WEB, **web}, "crm": CRM},
        }
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path, definitions())


def ingest(home: Home, dataset: str, *records: str) -> None:
    """Ingest records such as ``login=Tom device=1``, events a minute apart, later in later batches."""
    known = len(home.catalog.batches(dataset))
    rows: list[dict[str, Any]] = []
    for place, record in enumerate(records):
        row: dict[str, Any] = dict(pair.split("=") for pair in record.split())
        moment = START + timedelta(hours=known, minutes=place)
        rows.append(row | ({"at": moment} if dataset == "web" else {}))
    with home.lease() as lease:
        commit_batch(home, dataset, rows, order_by="mail")
        recover(lease)


def shown(home: Home, identity: str) -> Graph:
    return graph_of(home, home.current(), identity_of(identity))


def members(graph: Graph) -> str:
    return " ".join(f"{node.namespace}:{node.value}" for node in graph.nodes)


def rows(home: Home) -> tuple[Any, ...]:
    return graph_rows(home, home.current())


def test_ex_id_2_devices_find_their_customer(home: Home) -> None:
    ingest(
        home, "crm", "id=60013ABC mail=julien@acme.com", "id=31260XYZ mail=evan@acme.com phone=777-777-6890"
    )
    ingest(home, "web", "device=38652", "device=38652 login=31260XYZ")
    ingest(home, "web", "device=44675", "device=44675 login=31260XYZ")
    evan = shown(home, "COOKIE:44675")
    assert members(evan) == "CRMID:31260XYZ Email:evan@acme.com Phone:777-777-6890 COOKIE:38652 COOKIE:44675"
    assert members(shown(home, "Email:julien@acme.com")) == "CRMID:60013ABC Email:julien@acme.com"
    (link,) = [link for link in evan.links if link.b == ("COOKIE", "44675")]
    (sight,) = link.sights
    assert (sight.dataset, sight.batch, sight.records) == ("web", 2, 1)
    assert link.first == link.last == START + timedelta(hours=1, minutes=1)


def test_profiles_are_as_new_as_their_batch(home: Home) -> None:
    ingest(home, "crm", "id=Tom mail=t")
    (link,) = shown(home, "CRMID:Tom").links
    assert link.last == home.catalog.batches("crm")[0].started_at


def test_a_shared_device_goes_over_and_comes_back(home: Home) -> None:
    ingest(home, "web", "login=Tom device=1", "login=Tom device=2")
    before = rows(home)
    ingest(home, "web", "login=Summer device=1")
    assert members(shown(home, "COOKIE:1")) == "CRMID:Summer COOKIE:1"
    tom = shown(home, "CRMID:Tom")
    assert members(tom) == "CRMID:Tom COOKIE:2"
    (cut,) = tom.cut
    assert (cut.state, cut.reason) == ("cut", "would put CRMID:Tom and CRMID:Summer together")
    asked = pl.Series(["1", None, "2", "3", "1"])
    look_up = table.persons(home.identities_path(), home.current().identities or 0, "COOKIE", "CRMID")
    assert look_up(asked).to_list() == ["Summer", None, "Tom", None, "Summer"]
    batches.revert(home, "web", 2)
    assert rows(home) == before


def test_history_is_what_each_batch_made_of_it(home: Home) -> None:
    ingest(home, "web", "login=Tom device=1")
    ingest(home, "web", "login=Ann device=7")
    ingest(home, "web", "login=Tom mail=t")
    ingest(home, "web", "login=Summer device=1")
    moments = history(home, home.current(), ("CRMID", "Tom"))
    assert [(moment.batch, members(moment.graph)) for moment in moments] == [
        (1, "CRMID:Tom COOKIE:1"),
        (3, "CRMID:Tom Email:t COOKIE:1"),
        (4, "CRMID:Tom Email:t"),
    ]
    assert moments[-1].graph == shown(home, "CRMID:Tom")


def test_who_leaves_a_large_graph_is_told(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions({**SETTINGS, "limit": 3}))
    ingest(home, "web", *(f"login=Tom device=d{number}" for number in range(4)))
    tom = shown(home, "CRMID:Tom")
    assert members(tom) == "CRMID:Tom COOKIE:d2 COOKIE:d3"
    assert {link.reason for link in tom.cut} == {"one of them left a graph of more than 3"}
    alone = shown(home, "COOKIE:d0")
    assert (members(alone), alone.links) == ("COOKIE:d0", ())


@pytest.mark.parametrize(
    ("asked", "error", "hint"),
    [
        ("CRMID:tim", UnknownNameError, 'Did you mean "Tim"?'),
        ("crmid:Tim", UnknownNameError, 'Did you mean "CRMID"?'),
        ("CRMID", InputError, "Write NAMESPACE:VALUE, such as Email:ann@example.com."),
    ],
)
def test_what_is_not_known_is_refused(home: Home, asked: str, error: type[Exception], hint: str) -> None:
    ingest(home, "web", "login=Tim device=1")
    with pytest.raises(error) as caught:
        shown(home, asked)
    assert getattr(caught.value, "hint") == hint  # noqa: B009 - of three kinds of errors


def test_a_home_without_a_graph_says_so(tmp_path: Path) -> None:
    home = new_home(tmp_path, definitions(None))
    ingest(home, "web", "login=Tom device=1")
    assert home.current().identities is None
    with pytest.raises(UnsupportedError, match="no identity graph"):
        shown(home, "CRMID:Tom")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Count how often a graph is made anew."""
    calls: list[Any] = []
    build = maintain.build
    monkeypatch.setattr(maintain, "build", lambda *given: calls.append(given) or build(*given))
    return calls


def change_and_compare(home: Home, given: Definitions, tmp_path: Path) -> None:
    """Apply definitions and compare with a home that had them from the beginning."""
    apply(home, given)
    other = new_home(tmp_path, given)
    for number in (0, 1):
        ingest(other, "web", *WEB_BATCHES[number])
    assert rows(home) == rows(other)


WEB_BATCHES = (
    ["login=Tom device=1 mail=t", "login=Tom device=2"],
    ["login=Summer device=1", "mail=t device=3"],
)


@pytest.mark.parametrize(
    "given",
    [
        definitions({**SETTINGS, "unique": ["CRMID", "COOKIE"]}),
        definitions({**SETTINGS, "limit": 2}),
        definitions({**SETTINGS, "placeholders": ["Tom"]}),
        definitions(graph=False),
        definitions({**SETTINGS, "graph": False}),
        definitions(None),
    ],
)
def test_other_settings_make_another_graph(home: Home, given: Definitions, tmp_path: Path) -> None:
    for records in WEB_BATCHES:
        ingest(home, "web", *records)
    first = rows(home)
    change_and_compare(home, given, tmp_path)
    apply(home, definitions())
    assert rows(home) == first


def test_what_changes_no_graph_makes_none(home: Home, built: list[Any]) -> None:
    ingest(home, "web", *WEB_BATCHES[0])
    told = definitions(description="of the shop")
    spaces = {**told.namespaces, "CRMID": told.namespace("CRMID").model_copy(update={"description": "x"})}
    more = {**told.datasets, "app": told.datasets["web"]}
    apply(home, told.model_copy(update={"namespaces": spaces, "datasets": more}))
    assert not built
    ingest(home, "app", "login=Tom device=9")
    assert members(shown(home, "COOKIE:9")) == "CRMID:Tom Email:t COOKIE:1 COOKIE:2 COOKIE:9"
    assert not built


def test_a_feeder_without_data_may_leave(home: Home, built: list[Any]) -> None:
    ingest(home, "web", "login=Tom device=1")
    version = home.current().identities
    apply(home, definitions().model_copy(update={"datasets": {"web": definitions().datasets["web"]}}))
    assert home.current().identities == version
    assert not built


def test_a_batch_writes_what_it_touches(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(home, "web", *(f"login=p{number} device=d{number} mail=m{number}" for number in range(50)))
    written: list[Content] = []
    commit = table.commit

    def watched(path: Path, version: int, changed: Content) -> int:
        written.append(changed)
        return commit(path, version, changed)

    monkeypatch.setattr(table, "commit", watched)
    ingest(home, "web", "login=p7 device=d7", "login=p9 device=new", "device=d11")
    (changed,) = written
    assert changed.identities["value"].to_list() == ["new"]
    assert sorted(changed.links["component"].unique()) == ["COOKIE:d7", "COOKIE:d9"]
    assert changed.firsts.height == 0
    version = home.current().identities
    ingest(home, "web", "device=d11", "login=p11")
    assert home.current().identities == version
    assert len(written) == 1


def test_a_graph_ahead_of_its_world_is_taken_back(home: Home) -> None:
    ingest(home, "web", *WEB_BATCHES[0])
    path, version, before = home.identities_path(), home.current().identities, rows(home)
    assert version is not None
    whole = table.content(path, version)
    lost = Content(
        whole.identities.with_columns(graph=pl.lit("x")), whole.links.clear(), whole.firsts.clear()
    )
    table.commit(path, version, lost)
    with home.lease() as lease:
        recover(lease)
    assert home.current().identities == version + 2
    assert rows(home) == before


def test_many_commits_make_few_files(home: Home) -> None:
    for number in range(20):
        ingest(home, "web", f"login=p{number} device=d{number}")
    files = list((home.root / "identities" / "graph" / "members").iterdir())
    live = keyed.files(home.identities_path(), home.current().identities or 0, "members")
    assert len(live) <= 5 < len(files)
    assert sum(file.rows for file in live) == 40


def test_an_erasure_leaves_nothing_in_the_files(home: Home) -> None:
    ingest(home, "web", "login=Tom device=gone-for-good", "login=Ann device=stays")
    ingest(home, "web", "login=Ann device=other")
    world, table_path = home.current(), home.dataset_path("web")
    with home.lease() as lease:
        version = remove_batches(table_path, world.datasets["web"], [home.catalog.batches("web")[0].id])
        graph = maintain.erase(home, world, {"web": version})
        lease.publish("erase", datasets={"web": version}, identities=graph)
    assert graph is not None
    live = [
        file.path
        for name in ("members", "links", "firsts")
        for file in keyed.files(home.identities_path(), graph, name)
    ]
    content = [pl.read_parquet(home.identities_path() / path) for path in live]
    assert content and not any("gone-for-good" in str(frame.rows()) for frame in content)
    assert members(shown(home, "CRMID:Ann")) == "CRMID:Ann COOKIE:other"
