"""Graph-based stitching through the engine against an oracle, over any batches, reverts and replays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import batches, flow
from engine.definitions.model import Definitions
from engine.world import Home
from tests.journeys.support import ingest_rows, journeys, new_home
from tests.oracle import graph as graph_oracle
from tests.oracle import graph_based as oracle

TYPES = {"Visitor": "cookie", "Customer": "cross_device"}
PRIORITY = ["Customer", "Email", "Visitor"]
LIMIT = 4
FIELDS = {
    "at": "timestamp",
    "number": "integer",
    "visitor": {"type": "string", "identity": "Visitor"},
    "customer": {"type": "string", "identity": "Customer"},
    "email": {"type": "string", "identity": "Email"},
}
DEFINITIONS = Definitions.model_validate(
    {
        "namespaces": TYPES,
        "identities": {"priority": PRIORITY, "unique": ["Customer"], "limit": LIMIT},
        "datasets": {name: {"timestamp": "at", "fields": FIELDS} for name in ("web", "logins")},
        "connections": {
            "shop": {
                "datasets": {"web": {"stitching": {"persistent_id": "visitor", "graph": "Email"}}},
                "buckets": 2,
            }
        },
        "data_views": {"shop_view": {"connection": "shop", "dimensions": {"number": "number"}}},
    }
)
RULES = graph_oracle.Settings(PRIORITY, frozenset(["Customer"]), TYPES, LIMIT)
BASE = 1_700_000_000
SPACES = {"visitor": "Visitor", "customer": "Customer", "email": "Email"}

law = settings(
    max_examples=int(os.environ.get("WAYLINE_LAW_EXAMPLES", "8")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    dataset: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Revert:
    """Takes back one of the batches that are there: the one at a place, counted around."""

    place: int


@dataclass(frozen=True)
class Replay:
    """Second after the base at which the window ends, and how many seconds it is long."""

    at: int
    lookback: int


COVERING = Replay(100, 1_000)


@dataclass
class Model:
    """What a home should hold: live batches, and whom the rows of web belong to."""

    live: dict[tuple[str, int], Batch] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    persons: dict[int, tuple[str, bool]] = field(default_factory=dict)

    def take(self, batch: Batch) -> None:
        number = self.counts[batch.dataset] = self.counts.get(batch.dataset, 0) + 1
        self.live[batch.dataset, number] = batch
        if batch.dataset == "web":
            self.stitch(batch.rows)

    def give_up(self, key: tuple[str, int]) -> None:
        gone = self.live.pop(key)
        if gone.dataset == "web":
            for row in gone.rows:
                self.persons.pop(row["number"], None)

    def replay(self, asked: Replay) -> None:
        end = BASE + asked.at
        rows = [row for (name, _), batch in self.live.items() if name == "web" for row in batch.rows]
        self.stitch([row for row in rows if end - asked.lookback < seconds(row) <= end])

    def stitch(self, rows: Sequence[Row]) -> None:
        events = [{"row": row["number"], "device": row["visitor"]} for row in rows]
        found = oracle.stitch(events, self.graphs(), "Visitor", "Email")
        self.persons |= {row: (who, known) for row, (who, known) in found.items() if who is not None}

    def graphs(self) -> list[set[tuple[str, str]]]:
        sights = []
        for batch in self.live.values():
            records = [(seconds(row), identities(row)) for row in batch.rows]
            sights += graph_oracle.links_of(records, RULES).items()
        owners = graph_oracle.resolve(sights, RULES).graph
        return [
            {one for one, owner in owners.items() if owner == name} for name in {*owners.values()} - {None}
        ]


def seconds(row: Row) -> int:
    return int(row["at"].timestamp())


def identities(row: Row) -> list[tuple[str, str]]:
    return [(space, row[name]) for name, space in SPACES.items() if row[name] is not None]


@st.composite
def histories(draw: st.DrawFn) -> list[Batch | Revert | Replay]:
    """Batches of visits and logins, with reverts and replays in between."""
    found: list[Batch | Revert | Replay] = []
    number = 0
    for _ in range(draw(st.integers(1, 5))):
        dataset = draw(st.sampled_from(["web", "web", "logins"]))
        rows = draw(st.lists(records(dataset), min_size=1, max_size=5))
        found.append(
            Batch(dataset, tuple(row | {"number": number + place} for place, row in enumerate(rows)))
        )
        number += len(rows)
        found += draw(st.lists(reverts() | replays(), max_size=1))
    return found


def records(dataset: str) -> st.SearchStrategy[Row]:
    rarely = [None, None, None] if dataset == "web" else [None]
    return st.fixed_dictionaries(
        {
            "at": st.integers(0, 6).map(lambda second: datetime.fromtimestamp(BASE + second, UTC)),
            "visitor": st.sampled_from([None, "v1", "v1", "v2", "v3"]),
            "customer": st.sampled_from([*rarely, "A", "B"]),
            "email": st.sampled_from([*rarely, "a@x", "b@x", "v1"]),
        }
    )


def reverts() -> st.SearchStrategy[Revert]:
    return st.builds(Revert, st.integers(0, 9))


def replays() -> st.SearchStrategy[Replay]:
    return st.builds(Replay, at=st.integers(1, 6), lookback=st.sampled_from([1, 2, 4, 100]))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def carry_out(home: Home, model: Model, operation: Batch | Revert | Replay) -> None:
    if isinstance(operation, Batch):
        ingest_rows(home, operation.dataset, list(operation.rows))
        model.take(operation)
    elif isinstance(operation, Replay):
        at = datetime.fromtimestamp(BASE + operation.at, UTC)
        flow.replay(home, "shop", at=at, lookback=timedelta(seconds=operation.lookback))
        model.replay(operation)
    elif model.live:
        key = list(model.live)[operation.place % len(model.live)]
        batches.revert(home, *key)
        model.give_up(key)


def answer(home: Home) -> dict[int, tuple[str, bool]]:
    rows = [row for rows in journeys(home, ["number", "_person", "_namespace"]) for row in rows]
    found = {number: (person, namespace == "Email") for _, number, person, namespace in rows}
    assert len(found) == len(rows)
    return found


@law
@given(histories())
def test_engine_and_oracle_agree_after_any_history_and_a_rebuild(folder, history):
    home, model = new_home(folder, DEFINITIONS), Model()
    for operation in history:
        carry_out(home, model, operation)
        assert answer(home) == model.persons
    flow.rebuild(home, "shop")
    assert answer(home) == model.persons
    home.close()


@law
@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter_after_a_covering_replay(folder, history, random):
    given = [operation for operation in history if isinstance(operation, Batch)]
    found = []
    for order in (given, random.sample(given, len(given))):
        home, model = new_home(folder, DEFINITIONS), Model()
        for operation in (*order, COVERING):
            carry_out(home, model, operation)
        found.append(answer(home))
        assert flow.replay(home, "shop", at=datetime.fromtimestamp(BASE + 100, UTC)).rows_changed == 0
        home.close()
    assert found[0] == found[1]
