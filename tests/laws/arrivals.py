"""Strategies for rows that arrive at the web shop: few devices, persons and ids, to meet often."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from tests.oracle.journeys import Ingest, Replay, Row

BASE = 1_700_000_000
"""The second around which events happen."""
WINDOW = 20
"""Seconds after a winner in which an equal event id repeats it."""

_FAR = (BASE + 2_600_000, BASE + 6_000_000)
_ODD_TIMES = (None, -3_000_000_000, *_FAR)


@st.composite
def rows(draw: st.DrawFn, *, most: int = 30) -> list[Row]:
    """Rows of both datasets: equal times, missing identities, repeated and missing ids."""
    size = draw(st.integers(1, most))
    random = draw(st.randoms(use_true_random=False))
    return [_row(random, number) for number in range(size)]


def _row(random: Random, number: int) -> Row:
    time: int | None = BASE + random.randrange(8) * 10
    if random.random() < 0.08:
        time = random.choice(_ODD_TIMES)
    if random.random() < 0.2:
        person = random.choice([None, "Ann", "Bob"])
        return Row(number, "calls", time, person=person, channel=random.choice(["phone", "chat"]))
    repeated = random.random() < 0.5
    return Row(
        number,
        "web",
        time,
        event_id=random.choice(["a", "b", None]) if repeated else f"e{number}",
        device=random.choice([None, "d1", "d1", "d2"]),
        person=random.choice([None, None, None, "Ann", "Bob", "d1"]),
        channel=random.choice([None, "paid", "mail"]),
    )


@st.composite
def batches(draw: st.DrawFn, given: list[Row], *, most: int = 4) -> list[Ingest]:
    """A division of rows into batches, in any order; each batch is of one dataset."""
    shuffled = draw(st.permutations(given))
    cuts = sorted(draw(st.lists(st.integers(0, len(given)), max_size=most - 1)))
    pieces = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(given)], strict=True)]
    return [
        Ingest(tuple(row for row in piece if row.dataset == dataset))
        for piece in pieces
        for dataset in ("web", "calls")
        if any(row.dataset == dataset for row in piece)
    ]


def replays() -> st.SearchStrategy[Replay]:
    """Replays whose window's edges fall on events."""
    return st.builds(
        Replay,
        at=st.integers(1, 8).map(lambda step: BASE + step * 10),
        lookback=st.sampled_from([10, 20, 30, 200]),
    )


@st.composite
def operations(draw: st.DrawFn) -> list[Ingest | Replay]:
    """Batches with replays in between."""
    arriving = draw(batches(draw(rows())))
    found: list[Ingest | Replay] = []
    for batch in arriving:
        found.append(batch)
        if draw(st.booleans()):
            found.append(draw(replays()))
    return found


def covering_replay() -> Replay:
    """A replay whose window covers every event."""
    return Replay(at=BASE + 10_000_000, lookback=20_000_000)
