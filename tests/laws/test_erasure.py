"""The law of erasure: after a privacy delete nothing tells of the identity, and no later step brings it back."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import flow
from engine.governance.proof import prove
from engine.vacuum import vacuum
from tests.laws import arrivals
from tests.laws.test_journeys import EXAMPLES, answer, carry_out, compaction, law, run
from tests.oracle import journeys as oracle
from tests.oracle.journeys import Erase, Ingest, Operation

__all__ = ["compaction"]

few = settings(law, max_examples=max(EXAMPLES // 2, 1))
IDENTITIES = st.sampled_from(
    [Erase("crm", "Ann"), Erase("crm", "Bob"), Erase("crm", "d1"), Erase("ecid", "d1"), Erase("ecid", "d2")]
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@st.composite
def with_erasures(draw: st.DrawFn) -> list[Operation]:
    """Operations, with one or two identities deleted in between."""
    found = draw(arrivals.operations())
    for erase in draw(st.lists(IDENTITIES, min_size=1, max_size=2)):
        found.insert(draw(st.integers(1, len(found))), erase)
    return found


@pytest.mark.usefixtures("compaction")
@few
@given(operations=with_erasures())
def test_oracle(folder: Path, operations: list[Operation]) -> None:
    home = run(folder, operations)
    expected = oracle.run(operations, arrivals.WINDOW).journeys()
    assert answer(home) == expected
    flow.rebuild(home, "shop")
    assert answer(home) == expected


@few
@given(operations=arrivals.operations(), erase=IDENTITIES)
def test_nothing_is_left(folder: Path, operations: list[Operation], erase: Erase) -> None:
    home = run(folder, [*operations, erase])
    vacuum(home, keep=timedelta(days=1))
    traces = prove(home, erase.namespace, erase.value).traces
    # The same text is left where it is somebody else: the device d1 is not the person d1.
    assert erase.value == "d1" or not traces


@few
@given(data=st.data(), rows=arrivals.rows(), erase=IDENTITIES)
def test_after_a_covering_replay_it_never_was(
    folder: Path, data: st.DataObject, rows: list[oracle.Row], erase: Erase
) -> None:
    """Merges by a deleted identity come undone: what is left is what there would be without it."""
    replay = arrivals.covering_replay()
    given_rows = data.draw(arrivals.batches(rows))
    erased = run(folder, [*given_rows, erase])
    carry_out(erased, replay)
    kept = [tuple(row for row in batch.rows if not erase.carried_by(row)) for batch in given_rows]
    without = run(folder, [*(Ingest(batch) for batch in kept if batch), replay])
    assert answer(erased) == answer(without)
