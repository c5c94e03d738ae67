"""The identity graph that a home keeps: the oracle's on what the lake holds, however batches came and went."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import batches
from engine.definitions.model import Definitions
from engine.identities import maintain, table
from engine.recovery import recover
from engine.world import Home
from tests.journeys.support import commit_batch, new_home
from tests.oracle import graph as oracle

law = settings(
    max_examples=int(os.environ.get("WAYLINE_LAW_EXAMPLES", "10")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TYPES = {"C": "cross_device", "M": "email", "E": "cookie", "N": "non_people"}
FIELDS = {
    "customer": {"type": "string", "identity": "C"},
    "mail": {"type": "string", "identity": "M"},
    "cookie": {"type": "string", "identity": "E"},
}
WEB = {"timestamp": "at", "fields": {"at": "timestamp", **FIELDS, "ids": "identity_map"}}
CRM = {
    "kind": "profile",
    "key": "customer",
    "fields": {
        "customer": FIELDS["customer"],
        "login": {"type": "object", "fields": {"mail": FIELDS["mail"]}},
    },
}
BASE = int(datetime(2024, 1, 5, tzinfo=UTC).timestamp())


def definitions(**identities: Any) -> Definitions:
    given = {"priority": ["C", "M", "E"], "unique": ["C"], **identities}
    return Definitions.model_validate(
        {"namespaces": TYPES, "identities": given, "datasets": {"web": WEB, "crm": CRM}}
    )


@dataclass
class Lake:
    """What a home was told: dataset and batch number → records as the oracle takes them."""

    home: Home
    batches: dict[tuple[str, int], list[oracle.Record]] = field(default_factory=dict)

    def ingest(self, dataset: str, records: list[Record], replaces: tuple[int, ...] = ()) -> None:
        rows = [record.row(dataset) for record in records]
        with self.home.lease() as lease:
            commit_batch(self.home, dataset, rows, order_by="customer", replaces=replaces)
            recover(lease)
        batch = self.home.catalog.batches(dataset)[-1]
        for number in replaces:
            del self.batches[dataset, number]
        arrival = int(batch.started_at.timestamp() * 1_000_000 + 0.5)
        self.batches[dataset, batch.number] = [record.told(dataset, arrival) for record in records]

    def revert(self, dataset: str, number: int) -> None:
        batches.revert(self.home, dataset, number)
        del self.batches[dataset, number]

    def oracle(self) -> oracle.Graphs:
        given = self.home.current().definitions.identities
        assert given is not None
        rules = oracle.Settings(given.priority, frozenset(given.unique), TYPES, given.limit)
        sights = [
            sight for records in self.batches.values() for sight in oracle.links_of(records, rules).items()
        ]
        return oracle.resolve(sights, rules)


@dataclass(frozen=True)
class Record:
    time: int
    customer: str | None
    mail: str | None
    cookie: str | None
    also: tuple[tuple[str, str], ...]

    def row(self, dataset: str) -> dict[str, Any]:
        if dataset == "crm":
            return {"customer": self.customer, "login": {"mail": self.mail}}
        ids = [{"namespace": space, "id": value, "primary": False} for space, value in self.also]
        moment = datetime.fromtimestamp(BASE + self.time, UTC)
        return {"at": moment, "customer": self.customer, "mail": self.mail, "cookie": self.cookie, "ids": ids}

    def told(self, dataset: str, arrival: int) -> oracle.Record:
        named = [("C", self.customer), ("M", self.mail)]
        named += [] if dataset == "crm" else [("E", self.cookie), *self.also]
        known = [(space, value) for space, value in named if value not in (None, "", "undefined")]
        return (arrival if dataset == "crm" else (BASE + self.time) * 1_000_000, known)


def values(*names: str) -> st.SearchStrategy[str | None]:
    return st.sampled_from([*names, None, None, "undefined"])


records = st.builds(
    Record,
    st.integers(0, 3),
    values("1", "2", "3"),
    values("a", "b", "c"),
    values("x", "y", "z"),
    st.lists(st.tuples(st.sampled_from("EEMNX"), st.sampled_from("xyz")), max_size=2).map(tuple),
)
steps = st.tuples(
    st.sampled_from(["ingest", "ingest", "ingest", "replace", "revert"]),
    st.sampled_from(["web", "web", "crm"]),
    st.lists(records, min_size=1, max_size=4),
    st.integers(0, 5),
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def carry_out(lake: Lake, step: tuple[str, str, list[Record], int]) -> None:
    deed, dataset, told, chosen = step
    active = [number for name, number in lake.batches if name == dataset]
    if deed == "ingest" or not active:
        lake.ingest(dataset, told)
    elif deed == "replace":
        lake.ingest(dataset, told, (active[chosen % len(active)],))
    else:
        lake.revert(dataset, active[chosen % len(active)])


def told(home: Home, version: int | None = None) -> tuple[list[Any], ...]:
    """Return all that a version of the graph says, sorted."""
    found = home.current().identities if version is None else version
    assert found is not None
    kept = table.content(home.identities_path(), found)
    return tuple(sorted(part.rows(), key=repr) for part in (kept.identities, kept.links, kept.firsts))


def name(identity: oracle.Identity | None) -> str | None:
    return None if identity is None else ":".join(identity)


def agrees(lake: Lake) -> None:
    """Check what a home says of identities, links and lookups against the oracle."""
    expected, world = lake.oracle(), lake.home.current()
    assert world.identities is not None
    kept = table.content(lake.home.identities_path(), world.identities)
    assert sorted(kept.identities.rows(), key=repr) == sorted(
        ((*one, name(expected.component[one]), name(expected.graph[one])) for one in expected.component),
        key=repr,
    )
    ends = ["namespace_a", "value_a", "namespace_b", "value_b"]
    merged = kept.links.group_by(*ends, "state").agg(
        pl.col("first").min(), pl.col("last").max(), pl.col("records").sum()
    )
    assert {
        ((a, b), (c, d)): (state, oracle.Link(first, last, count))
        for a, b, c, d, state, first, last, count in merged.rows()
    } == {pair: (expected.states[pair], link) for pair, link in expected.links.items()}
    for namespace in ("E", "C"):
        asked = ["x", "y", None, "x", "1", "nobody"]
        wanted = [oracle.lookup(expected, (namespace, value or ""), "C") for value in asked]
        for ahead in (0, 1_000):
            look_up = table.persons(
                lake.home.identities_path(), world.identities, namespace, "C", ahead=ahead
            )
            assert look_up(pl.Series(asked, dtype=pl.String)).to_list() == wanted


@law
@given(plan=st.lists(steps, min_size=1, max_size=8), limit=st.sampled_from([2, 3, 50]))
def test_incremental_rebuilt_and_oracle_are_one(folder: Path, plan: list[Any], limit: int) -> None:
    lake = Lake(new_home(folder, definitions(limit=limit)))
    for step in plan:
        carry_out(lake, step)
        agrees(lake)
    world = lake.home.current()
    before = told(lake.home)
    with lake.home.lease():
        version = maintain.build(lake.home, world.definitions, world.datasets)
    assert told(lake.home, version) == before
