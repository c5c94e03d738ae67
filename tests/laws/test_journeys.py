"""The laws of journeys against the oracle: arrival, partition, rebuild, replay, world."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import batches, flow
from engine.catalog import replays
from engine.governance import privacy
from engine.journeys import compact, store
from engine.journeys.columns import journey_schema
from engine.lake import delta
from engine.upkeep import keep_up
from engine.world import Home, World
from tests.journeys.support import definitions, ingest_rows, journeys, new_home
from tests.laws import arrivals
from tests.oracle import journeys as oracle
from tests.oracle.journeys import Erase, Operation, Replace, Replay, Revert

COLUMNS = ("_person", "_dataset", "_event_id", "_namespace", "channel")
Journeys = dict[str, list[tuple[int, int, str, str, str | None]]]

EXAMPLES = int(os.environ.get("WAYLINE_LAW_EXAMPLES", "10"))

law = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def run(folder: Path, operations: Sequence[Operation], *, buckets: int = 2, calls: bool = True) -> Home:
    home = new_home(folder, definitions(buckets=buckets, window=f"{arrivals.WINDOW}s", calls=calls))
    for operation in operations:
        carry_out(home, operation)
    return home


def carry_out(home: Home, operation: Operation) -> None:
    if isinstance(operation, Replay):
        at = datetime.fromtimestamp(operation.at, UTC)
        flow.replay(home, "shop", at=at, lookback=timedelta(seconds=operation.lookback))
    elif isinstance(operation, Erase):
        privacy.delete(home, {operation.namespace: {operation.value}})
    elif isinstance(operation, Revert):
        batches.revert(home, operation.dataset, operation.number)
    else:
        records = [row.record() for row in operation.rows]
        numbers = operation.numbers if isinstance(operation, Replace) else ()
        ingest_rows(home, operation.dataset, records, replaces=numbers)
    keep_up(home)


def answer(home: Home, world: World | None = None) -> Journeys:
    found: Journeys = {}
    for rows in journeys(home, COLUMNS, world):
        assert rows, "a person without events"
        person = rows[0][1]
        assert all(row[1] == person for row in rows)
        assert person not in found, "a person in two places"
        found[person] = [(row[0] // 1_000_000, *row[2:]) for row in rows]
    return found


@pytest.fixture(params=["compacted", "in runs"])
def compaction(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merge into the base as soon as there is a run, or leave runs and masks where they are."""
    monkeypatch.setattr(compact, "SPLIT_ROWS", 0 if request.param == "compacted" else 1_000_000)
    monkeypatch.setattr(compact, "BASE_SHARE", 1_000_000)
    monkeypatch.setattr(compact, "MAX_RUNS", 3)


@pytest.mark.usefixtures("compaction")
@settings(law, max_examples=2 * EXAMPLES)
@given(operations=arrivals.operations())
def test_oracle(folder: Path, operations: list[Operation]) -> None:
    home = run(folder, operations)
    assert answer(home) == oracle.run(operations, arrivals.WINDOW).journeys()


@law
@given(data=st.data(), rows=arrivals.rows())
def test_arrival_independence(folder: Path, data: st.DataObject, rows: list[oracle.Row]) -> None:
    replay = arrivals.covering_replay()
    first = [*data.draw(arrivals.batches(rows)), replay]
    second = [*data.draw(arrivals.detours(data.draw(arrivals.batches(rows)))), replay]
    assert answer(run(folder, first)) == answer(run(folder, second))


@law
@given(operations=arrivals.operations())
def test_partition_independence(folder: Path, operations: list[Operation]) -> None:
    one, many = (answer(run(folder, operations, buckets=buckets)) for buckets in (1, 64))
    assert one == many


@pytest.mark.usefixtures("compaction")
@law
@given(operations=arrivals.operations())
def test_rebuild(folder: Path, operations: list[Operation]) -> None:
    home = run(folder, operations)
    before = answer(home)
    flow.rebuild(home, "shop")
    assert answer(home) == before


@law
@given(divided=arrivals.divided())
def test_what_follows_a_rebuild_is_as_without_it(
    folder: Path, divided: tuple[list[Operation], list[Operation]]
) -> None:
    operations, more = divided
    plain, rebuilt = run(folder, operations), run(folder, operations)
    flow.rebuild(rebuilt, "shop")
    for operation in more:
        carry_out(plain, operation)
        carry_out(rebuilt, operation)
    assert answer(rebuilt) == answer(plain)


@law
@given(operations=arrivals.operations(), replay=arrivals.replays())
def test_replay_idempotence(folder: Path, operations: list[Operation], replay: Replay) -> None:
    home = run(folder, [*operations, replay])
    before, world = answer(home), home.current()
    carry_out(home, replay)
    assert replays.listed(home.catalog, "shop")[-1].rows_changed == 0
    assert home.current().journeys == world.journeys
    assert home.current().stitch_logs == world.stitch_logs
    assert answer(home) == before


@law
@given(operations=arrivals.operations())
def test_an_older_world_keeps_its_answers(folder: Path, operations: list[Operation]) -> None:
    home = run(folder, [])
    seen = []
    for operation in operations:
        carry_out(home, operation)
        seen.append((home.current(), answer(home)))
    flow.rebuild(home, "shop")
    for world, expected in seen:
        assert answer(home, world) == expected


@law
@given(operations=arrivals.operations())
def test_compaction_changes_nothing(folder: Path, operations: list[Operation]) -> None:
    home = run(folder, operations)
    before, world = answer(home), home.current()
    schema = journey_schema(world.definitions, "shop")
    table = home.journeys_path("shop")
    with home.lease() as lease:
        merged = world.journeys["shop"]
        if len({file.sequence for file in store.files(table, merged).unsplit}) > 1:
            merged = compact.merge_runs(store.files(table, merged), schema)
            lease.publish("merge runs", journeys={"shop": merged})
        assert answer(home) == before
        based = compact.compact_all(table, merged, schema, 4)
        lease.publish("compact", journeys={"shop": based})
    assert answer(home) == before
    files = store.files(table, delta.latest_version(table))
    assert not files.level0 and not files.masks


@law
@given(operations=arrivals.operations(), data=st.data())
def test_a_connection_that_came_late_sees_the_same_after_a_replay(
    folder: Path, operations: list[Operation], data: st.DataObject
) -> None:
    replay = arrivals.covering_replay()
    early = run(folder, [*operations, replay])
    late = new_home(folder, definitions(connections={}))
    for operation in operations:
        if not isinstance(operation, Replay):
            carry_out(late, operation)
    flow.apply(late, early.current().definitions)
    carry_out(late, replay)
    assert answer(late) == answer(early)
