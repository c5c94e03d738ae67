"""The laws of identities as of an instant, against the oracle: as of then = then, as of now = now."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import flow
from engine.journeys import as_of_files
from engine.world import Home, World
from tests.journeys.support import journeys, new_home
from tests.laws import arrivals
from tests.laws import test_graph_based as shops
from tests.laws.test_journeys import EXAMPLES, answer, carry_out, compaction, run
from tests.laws.test_journeys import law as of_journeys
from tests.oracle import as_of as oracle
from tests.oracle.journeys import Operation

__all__ = ["compaction"]
law = settings(of_journeys, max_examples=(EXAMPLES + 1) // 2)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def then(home: Home, moment: datetime | None) -> World:
    return replace(home.current(), identity_as_of=moment)


def stepped(folder: Path, operations: list[Operation]) -> tuple[Home, list[datetime]]:
    """A home, and an instant before each operation and one after all of them."""
    home = run(folder, [])
    moments = [home.current().published_at]
    for operation in operations:
        carry_out(home, operation)
        moments.append(home.current().published_at)
    return home, moments


@pytest.mark.usefixtures("compaction")
@law
@given(operations=arrivals.operations(), data=st.data())
def test_oracle(folder: Path, operations: list[Operation], data: st.DataObject) -> None:
    home, moments = stepped(folder, operations)
    state, seen = oracle.run(operations, arrivals.WINDOW)
    assert answer(home, then(home, moments[-1])) == answer(home) == state.journeys()
    assert not (home.root / "asof").exists()
    step = data.draw(st.integers(0, len(operations)))
    expected = oracle.as_of(state, seen, step).journeys()
    assert answer(home, then(home, moments[step])) == expected
    assert answer(home, then(home, moments[step])) == expected


@law
@given(divided=arrivals.divided())
def test_what_was_answered_then_is_answered_of_the_events_that_are_left(
    folder: Path, divided: tuple[list[Operation], list[Operation]]
) -> None:
    early, late = divided
    home, moments = stepped(folder, early)
    before = persons(home, home.current())
    for operation in late:
        carry_out(home, operation)
    after = persons(home, then(home, moments[-1]))
    assert {row: after[row] for row in before.keys() & after.keys()} == {
        row: before[row] for row in before.keys() & after.keys()
    }
    assert after.keys() == persons(home, home.current()).keys()


def persons(home: Home, world: World) -> dict[tuple[int, int], tuple[str, str]]:
    """Which row belongs to whom: (dataset, row) → (person, namespace)."""
    columns = ("_dataset", "_row", "_person", "_namespace")
    rows = [row for person in journeys(home, columns, world) for row in person]
    found = {(row[1], row[2]): (row[3], row[4]) for row in rows}
    assert len(found) == len(rows)
    return found


@law
@given(operations=arrivals.operations(), data=st.data())
def test_it_rests_on_lake_and_log_alone(
    folder: Path, operations: list[Operation], data: st.DataObject
) -> None:
    home, moments = stepped(folder, operations)
    moment = data.draw(st.sampled_from(moments))
    before = answer(home, then(home, moment))
    flow.rebuild(home, "shop")
    as_of_files.sweep(home, everything=True)
    assert answer(home, then(home, moment)) == before


@law
@given(history=shops.histories(), data=st.data())
def test_the_graph_of_then_is_asked(folder: Path, history: list[Any], data: st.DataObject) -> None:
    home, model = new_home(folder, shops.DEFINITIONS), shops.Model()
    moments, had, come = [home.current().published_at], [{}], [set()]
    for operation in history:
        shops.carry_out(home, model, operation)
        moments.append(home.current().published_at)
        had.append(dict(model.persons))
        come.append({*come[-1], *model.live})
    step = data.draw(st.integers(0, len(history)))
    then_known = shops.Model({key: batch for key, batch in model.live.items() if key in come[step]})
    then_known.stitch([row for batch in model.live.values() for row in batch.rows if batch.dataset == "web"])
    told = {number: who for persons in had[: step + 1] for number, who in persons.items()}
    expected = {number: told.get(number, then_known.persons[number]) for number in model.persons}
    assert shops.answer(home, then(home, moments[step])) == expected
    assert shops.answer(home) == model.persons
    home.close()
