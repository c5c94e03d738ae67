"""Strategies for rows that arrive at the web shop: few devices, persons and ids, to meet often."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from tests.oracle.journeys import Ingest, Operation, Replace, Replay, Revert, Row

BASE = 1_700_000_000
"""The second around which events happen."""
WINDOW = 20
"""Seconds after a winner in which an equal event id repeats it."""

_TEN_YEARS = 10 * 366 * 86_400
_FAR = (BASE + 2_600_000, BASE + 6_000_000, BASE - _TEN_YEARS, BASE + _TEN_YEARS)
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
        event_id=random.choice(["a", "a", "b", None]) if repeated else f"e{number}",
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
def operations(draw: st.DrawFn, *, most: int = 30) -> list[Operation]:
    """Batches, some in place of earlier ones, with reverts and replays in between.

    Some rows are delivered more than once. Most reverts come late, when there is more to undo.
    """
    found: list[Operation] = []
    arrived: dict[str, list[Ingest | Replace | None]] = {"web": [], "calls": []}
    for place, batch in enumerate(draw(batches(draw(rows(most=most)), most=5)), 1):
        coming = draw(_arriving(batch, arrived[batch.dataset], 1_000 * place))
        found.append(coming)
        _note(arrived[batch.dataset], coming)
        kind = draw(st.sampled_from(["nothing", "nothing", "replay", "revert"]))
        found += draw(_later([kind] if len(found) > 1 else [], arrived))
    return found + draw(_later(draw(st.lists(st.sampled_from(["revert", "replay"]), max_size=3)), arrived))


@st.composite
def _later(
    draw: st.DrawFn, kinds: list[str], arrived: dict[str, list[Ingest | Replace | None]]
) -> list[Operation]:
    """What is done to batches that are there."""
    found: list[Operation] = []
    for kind in kinds:
        active = [(dataset, number) for dataset in arrived for number in _active(arrived[dataset])]
        if kind == "revert" and active:
            dataset, number = draw(st.sampled_from(active))
            arrived[dataset][number - 1] = None
            found.append(Revert(dataset, number))
        elif kind == "replay":
            found.append(draw(replays()))
    return found


@st.composite
def divided(draw: st.DrawFn) -> tuple[list[Operation], list[Operation]]:
    """Operations, cut in two."""
    every = draw(operations(most=50))
    cut = draw(st.integers(0, len(every)))
    return every[:cut], every[cut:]


@st.composite
def detours(draw: st.DrawFn, given: list[Ingest]) -> list[Operation]:
    """Batches with other ones in between that are taken back or replaced before the end."""
    found: list[Operation] = []
    counts = {"web": 0, "calls": 0}
    pending: list[tuple[str, int]] = []
    for batch in given:
        if draw(st.booleans()):
            wrong = draw(batches(_others(draw(rows(most=8)))))[0]
            found.append(wrong)
            counts[wrong.dataset] += 1
            pending.append((wrong.dataset, counts[wrong.dataset]))
        counts[batch.dataset] += 1
        mine = tuple(number for dataset, number in pending if dataset == batch.dataset)
        if mine and draw(st.booleans()):
            found.append(Replace(mine, batch.rows))
            pending = [entry for entry in pending if entry[0] != batch.dataset]
        else:
            found.append(batch)
    return [*found, *(Revert(dataset, number) for dataset, number in pending)]


def _others(given: list[Row]) -> list[Row]:
    """Return rows that are told apart from those of the other strategies."""
    return [replace(row, number=row.number + 1_000) for row in given]


@st.composite
def _arriving(
    draw: st.DrawFn, batch: Ingest, arrived: list[Ingest | Replace | None], first: int
) -> Ingest | Replace:
    """A batch with some earlier rows delivered again; perhaps in place of earlier batches."""
    active = _active(arrived)
    if not active:
        return batch
    old = [row for number in active for row in _rows_of(arrived[number - 1])]
    again = draw(st.lists(st.sampled_from(old), max_size=4))
    coming = (*(replace(row, number=first + place) for place, row in enumerate(again)), *batch.rows)
    if draw(st.integers(0, 2)):
        return Ingest(coming)
    numbers = draw(st.lists(st.sampled_from(active), min_size=1, max_size=2, unique=True))
    return Replace(tuple(numbers), coming)


def _rows_of(batch: Ingest | Replace | None) -> tuple[Row, ...]:
    return () if batch is None else batch.rows


def _note(arrived: list[Ingest | Replace | None], batch: Ingest | Replace) -> None:
    for number in batch.numbers if isinstance(batch, Replace) else ():
        arrived[number - 1] = None
    arrived.append(batch)


def _active(arrived: list[Ingest | Replace | None]) -> list[int]:
    return [number for number, batch in enumerate(arrived, 1) if batch is not None]


def covering_replay() -> Replay:
    """A replay whose window covers every event."""
    return Replay(at=BASE + 2 * _TEN_YEARS, lookback=4 * _TEN_YEARS)
