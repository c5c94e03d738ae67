"""Strategies for rows that arrive at the web shop: few devices and persons, so that they meet often."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.oracle.journeys import Ingest, Replay, Row

BASE = 1_700_000_000
"""The second around which events happen."""
WINDOW = 40
"""Seconds after a winner in which an equal event id repeats it."""

_TIMES = st.one_of(
    st.integers(0, 12).map(lambda step: BASE + step * 10),
    st.sampled_from([BASE + 2_600_000, BASE + 6_000_000]),
)


def web_rows() -> st.SearchStrategy[Row]:
    """Events of the stitched dataset: equal times, missing identities and repeated ids."""
    return st.builds(
        Row,
        number=st.just(0),
        dataset=st.just("web"),
        time=st.one_of(_TIMES, _TIMES, _TIMES, st.sampled_from([None, -3_000_000_000])),
        event_id=st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"])),
        device=st.one_of(st.none(), st.sampled_from(["d1", "d2", "d3"])),
        person=st.one_of(st.none(), st.none(), st.sampled_from(["Ann", "Bob", "Cleo"])),
        channel=st.one_of(st.none(), st.sampled_from(["paid", "mail"])),
    )


def call_rows() -> st.SearchStrategy[Row]:
    """Events that carry their own person and have no id."""
    return st.builds(
        Row,
        number=st.just(0),
        dataset=st.just("calls"),
        time=_TIMES,
        person=st.one_of(st.none(), st.sampled_from(["Ann", "Bob"])),
        channel=st.sampled_from(["phone", "chat"]),
    )


@st.composite
def rows(draw: st.DrawFn, *, most: int = 24) -> list[Row]:
    """Some rows of both datasets, numbered."""
    found = draw(
        st.lists(st.one_of(web_rows(), web_rows(), call_rows()), min_size=1, max_size=most)
    )
    return [
        Row(number, row.dataset, row.time, row.event_id, row.device, row.person, row.channel)
        for number, row in enumerate(found)
    ]


@st.composite
def batches(draw: st.DrawFn, given: list[Row], *, most: int = 4) -> list[Ingest]:
    """A division of rows into batches, in any order; each batch is of one dataset."""
    shuffled = draw(st.permutations(given))
    cuts = sorted(draw(st.lists(st.integers(0, len(given)), max_size=most - 1)))
    pieces = [
        shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(given)], strict=True)
    ]
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
        at=st.integers(2, 13).map(lambda step: BASE + step * 10),
        lookback=st.sampled_from([10, 20, 50, 200]),
    )


@st.composite
def operations(draw: st.DrawFn) -> list[Ingest | Replay]:
    """Batches with replays in between."""
    arriving = draw(batches(draw(rows())))
    found: list[Ingest | Replay] = []
    for batch in arriving:
        found.append(batch)
        if draw(st.integers(0, 2)) == 0:
            found.append(draw(replays()))
    return found


def covering_replay() -> Replay:
    """A replay whose window covers every event."""
    return Replay(at=BASE + 10_000_000, lookback=20_000_000)
