"""The law of copied fields: no answer depends on which fields journeys hold."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import batches, flow
from engine.applying import apply
from engine.definitions.model import Definitions
from engine.journeys import compact, store
from engine.journeys.backfill import backfill, lagging
from engine.journeys.columns import SYSTEM, journey_schema
from engine.journeys.lacking import held, lake_of
from engine.lake import delta
from engine.world import Home, World
from tests.journeys.support import STITCHED, ingest_rows, journeys, new_home
from tests.laws import arrivals
from tests.laws.test_journeys import law
from tests.oracle.journeys import Ingest, Replace, Replay, Revert, Row

OBJECTS = {"sku": "string", "price": "decimal(12,2)", "at": "timestamp"}
FIELDS: dict[str, Any] = {
    "channel": "string",
    "flag": "boolean",
    "small": "short",
    "price": "decimal(12,2)",
    "day": "date",
    "seen": "timestamp",
    "items": {"type": "array", "fields": OBJECTS},
    "page": {
        "type": "object",
        "fields": {"name": "string", "tags": {"type": "array", "items": "string"}},
    },
}
WEB_ONLY = ["flag", "day", "items.sku", "items.price", "page.name", "page.name", "late", "deep.late"]
BOTH = ["channel", "price", "small"]
ASKED = ["channel", "flag", "small", "price", "day", "seen", "items", "page.name", "page.tags"]
LATER = ["late", "deep.late"]
"""Fields that the web gets later."""

CALL_FIELDS = {name: FIELDS[name] for name in BOTH}


def document(*, late: bool, used: frozenset[str]) -> Definitions:
    """The web shop whose view uses some fields; ``late`` adds fields to the web."""
    web = {
        "id": "string",
        "at": "timestamp",
        "device": {"type": "string", "identity": "ecid"},
        "login": {"type": "object", "fields": {"customer": {"type": "string", "identity": "crm"}}},
    }
    more = {"late": "long", "deep": {"type": "object", "fields": {"late": "string"}}} if late else {}
    calls = {"at": "timestamp", "customer": {"type": "string", "identity": "crm"}}
    dimensions = {f"d{place}": field for place, field in enumerate(sorted(used))}
    return Definitions.model_validate(
        {
            "datasets": {
                "web": {"timestamp": "at", "event_id": "id", "fields": web | FIELDS | more},
                "calls": {"timestamp": "at", "fields": calls | CALL_FIELDS},
            },
            "connections": {
                "shop": {
                    "datasets": {"web": STITCHED, "calls": {"person_id": "customer"}},
                    "duplicate_window": f"{arrivals.WINDOW}s",
                    "buckets": 2,
                }
            },
            "data_views": {"main": {"connection": "shop", "dimensions": dimensions}},
        }
    )


def record(row: Row) -> dict[str, Any]:
    """A record with a value, a NULL, or something empty in every field."""
    number = row.number
    moment = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=number * 1_000_003)
    element = {"sku": f"s{number % 3}", "price": Decimal(number) / 100, "at": moment}
    values: dict[str, Any] = {
        "small": [None, number][number % 2],
        "price": [Decimal(number) / 4, None][number % 2],
        "flag": [True, None, False][number % 3],
        "day": [None, date(2024, 1, 1) + timedelta(days=number)][number % 2],
        "seen": [moment, None][number % 2],
        "items": [None, [], [element, {"sku": None, "price": None, "at": None}], [None]][number % 4],
        "page": [None, {"name": "home", "tags": ["a", None]}, {"name": None, "tags": []}][number % 3],
        "late": number,
        "deep": [{"late": f"x{number}"}, None][number % 2],
    }
    return row.record() | (values if row.dataset == "web" else {name: values[name] for name in BOTH[1:]})


class Story:
    """A home beside what was put into it: (dataset, row id) → record."""

    def __init__(self, folder: Path) -> None:
        self.late = False
        self.used: frozenset[str] = frozenset()
        self.home = new_home(folder, self.definitions())
        self.records: dict[tuple[int, int], dict[str, Any]] = {}
        self.batches = {"web": 0, "calls": 0}

    def definitions(self) -> Definitions:
        return document(late=self.late, used=self.used)

    def step(self, step: object) -> None:
        if isinstance(step, Ingest | Replace):
            self._ingest(step)
        elif isinstance(step, Replay):
            at = datetime.fromtimestamp(step.at, UTC)
            flow.replay(self.home, "shop", at=at, lookback=timedelta(seconds=step.lookback))
        elif isinstance(step, Revert):
            batches.revert(self.home, step.dataset, step.number)
        elif isinstance(step, frozenset):
            self.used = step if self.late else step - set(LATER)
            assert apply(self.home, self.definitions()).rebuilt == ()
        elif step == "late":
            self.late = True
            assert apply(self.home, self.definitions()).rebuilt == ()
        elif step == "rebuild":
            flow.rebuild(self.home, "shop")
        else:
            upkeep(self.home, str(step))

    def _ingest(self, step: Ingest | Replace) -> None:
        dataset = step.dataset
        given = [record(row) for row in step.rows]
        if not self.late:
            given = [
                {name: value for name, value in row.items() if name not in [*LATER, "deep"]} for row in given
            ]
        self.batches[dataset] += 1
        for ordinal, row in enumerate(given):
            key = (["web", "calls"].index(dataset), (self.batches[dataset] << 32) + ordinal)
            self.records[key] = copy.deepcopy(row)
        replaced = step.numbers if isinstance(step, Replace) else ()
        ingest_rows(self.home, dataset, given, replaces=replaced)

    def check(self, world: World | None = None, *, late: bool | None = None) -> None:
        """Every field of every row must be what was put in."""
        names = ASKED + (LATER if (self.late if late is None else late) else [])
        for person in journeys(self.home, ["_dataset", "_row", *names], world):
            for _, dataset, row, *values in person:
                given = self.records[dataset, row]
                expected = [value_of(given, name) for name in names]
                assert values == expected, (dataset, row)


def value_of(given: dict[str, Any], path: str) -> object:
    value: Any = given
    for name in path.split("."):
        value = None if value is None else value.get(name)
    return value


def upkeep(home: Home, step: str) -> None:
    """One step of compaction, or of backfill, published."""
    world = home.current()
    schema = journey_schema(world.definitions, "shop")
    files = store.files(home.journeys_path("shop"), world.journeys["shop"])
    with home.lease() as lease:
        version: int | None
        if step == "merge runs":
            several = len({file.sequence for file in files.unsplit}) > 1
            version = compact.merge_runs(files, schema) if several else None
        elif step == "compact":
            version = compact.compact_all(files.table, files.version, schema, 4)
        else:
            lake = lake_of(home, world.definitions, "shop")
            version = backfill(files, schema, lake, most=int(step.split()[1]))
        if version is not None:
            lease.publish(step, journeys={"shop": version})


uses = st.frozensets(st.sampled_from([*WEB_ONLY, *BOTH]))
upkeeps = st.sampled_from(["merge runs", "compact", "backfill 1", "backfill 1000", "rebuild", "late"])


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(params=["compacted", "in runs"])
def compaction(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merge into the base as soon as there is a run, or leave runs and masks where they are."""
    monkeypatch.setattr(compact, "SPLIT_ROWS", 0 if request.param == "compacted" else 1_000_000)
    monkeypatch.setattr(compact, "BASE_SHARE", 1_000_000)


@pytest.mark.usefixtures("compaction")
@law
@given(data=st.data())
def test_no_answer_depends_on_which_fields_are_copied(folder: Path, data: st.DataObject) -> None:
    story = Story(folder)
    for operation in data.draw(arrivals.operations()):
        story.step(operation)
        for step in data.draw(st.lists(uses | upkeeps, max_size=3)):
            if data.draw(st.booleans()):
                story.check()
            before = journeys(story.home, list(SYSTEM))
            story.step(step)
            assert sorted(journeys(story.home, list(SYSTEM)), key=repr) == sorted(before, key=repr)
            story.check()
        story.check()
    story.step("backfill 1000000")
    story.check()
    world = story.home.current()
    table = story.home.journeys_path("shop")
    schema = journey_schema(world.definitions, "shop")
    files = store.files(table, delta.latest_version(table))
    assert not lagging(files, schema)
    assert all(set(schema.names) <= held(table, file.path) for file in files.base)


@law
@given(data=st.data())
def test_an_older_world_answers_as_before(folder: Path, data: st.DataObject) -> None:
    story = Story(folder)
    seen = []
    for operation in data.draw(arrivals.operations()):
        story.step(operation)
        story.step(data.draw(uses))
        story.step(data.draw(upkeeps))
        seen.append((story.home.current(), story.late))
    for world, late in seen:
        story.check(world, late=late)
