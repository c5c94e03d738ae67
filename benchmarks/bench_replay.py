"""Replay of the last seven days, in which a fifth of the rows change hands because logins arrived late.

P5 compares a long history with a short one; P6 compares with DuckDB, which reads the same seven days, finds
the same persons and writes the rows by person. Each run starts from the same state: ours from a copy of the
home. All of that thrice: by what events name; the same with rules for identities in force and a graph that
is kept up with them (``.rules``); and by the graph (``.graph``), where DuckDB is told whose each device is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks import peer_replay
from benchmarks.answers import Answer, Row, checksums
from benchmarks.flows import replay
from benchmarks.histories import CHANGING, histories, late_home
from benchmarks.home import CONNECTION, Stitching
from benchmarks.kept import copy_home, discard_home, scratch
from benchmarks.pairs import Pair, Sense, compared
from benchmarks.peer_replay import Peer
from engine.catalog import replays
from engine.world import Home

TURNS: Final = 3
RUNS_PER_TURN: Final = 2
_FORMULATIONS: Final = {
    Stitching.FIELD: ("windows", "asof"),
    Stitching.RULES: ("windows", "asof"),
    Stitching.GRAPH: ("joined",),
}
"""What DuckDB may do in each case; the fastest counts."""
_HOW: Final = {
    Stitching.FIELD: "",
    Stitching.RULES: ", identity rules in force",
    Stitching.GRAPH: " by the identity graph",
}


def _pairs(stitching: Stitching) -> dict[str, Pair]:
    name = stitching.names
    return {
        name("P5"): Pair(
            f"replay of 7 days{_HOW[stitching]}, 10 × the history ÷ 1 ×",
            name("replay.long"),
            (name("replay.short"),),
            1.2,
            Sense.COST,
            "persons",
        ),
        name("P6"): Pair(
            f"DuckDB restitching and rewriting 7 days{_HOW[stitching]} ÷ replay",
            name("replay.week"),
            tuple(name(f"duckdb.{formulation}") for formulation in _FORMULATIONS[stitching]),
            2.0,
            Sense.GAIN,
            "persons",
        ),
    }


PAIRS: Final = {key: pair for stitching in Stitching for key, pair in _pairs(stitching).items()}


class Stage:
    """Homes and peers, made when they are first asked for, and room for copies."""

    def __init__(self, events: int, seed: int, room: Path) -> None:
        self.room = room
        self._size = (events, seed)
        self._peers: dict[Stitching, Peer] = {}

    def home(self, name: str, stitching: Stitching) -> Path:
        """Return the home of a measurement."""
        if name == "week":
            return late_home(*self._size, stitching)
        both = histories(*self._size, stitching)
        return both.long if name == "long" else both.short

    def peer(self, stitching: Stitching) -> Peer:
        """Return the peer with its files."""
        if stitching not in self._peers:
            folder = self.room / stitching
            folder.mkdir()
            home = Home.open(self.home("week", stitching))
            self._peers[stitching] = peer_replay.load(home, folder)
            home.close()
        return self._peers[stitching]

    def close(self) -> None:
        """End the peers."""
        for peer in self._peers.values():
            peer.database.close()


@dataclass(frozen=True)
class Measurement:
    """One thing to time: what a run is given, the run, and what became of it, after which that is removed."""

    given: Callable[[Stage], Any]
    run: Callable[[Any], object]
    outcome: Callable[[Any], list[Row]]


def _persons_of_home(home: Home) -> list[Row]:
    _require_changes(home)
    persons = peer_replay.persons_of_home(home)
    discard_home(home)
    return persons


def _require_changes(home: Home) -> None:
    """Refuse a replay that had less or more to do than the benchmark says."""
    record = replays.listed(home.catalog, CONNECTION)[-1]
    share = record.rows_changed / max(record.rows_in_window, 1)
    if not CHANGING / 2 < share < CHANGING * 2:
        raise ValueError(f"the replay changed {share:.0%} of its rows; use another seed or more events")


def _ours(name: str, stitching: Stitching) -> Measurement:
    return Measurement(
        lambda stage: copy_home(stage.home(name, stitching), stage.room), replay, _persons_of_home
    )


@dataclass(frozen=True)
class _Rewriting:
    """One run of the peer."""

    peer: Peer
    formulation: str
    target: Path

    def run(self) -> None:
        peer_replay.restitch(self.peer, self.formulation, self.target)

    def outcome(self) -> list[Row]:
        persons = peer_replay.persons_of_file(self.target)
        self.target.unlink()
        return persons


def _duckdb(formulation: str, stitching: Stitching) -> Measurement:
    return Measurement(
        lambda stage: _Rewriting(
            stage.peer(stitching), f"replay_{formulation}", stage.room / f"{formulation}.parquet"
        ),
        _Rewriting.run,
        _Rewriting.outcome,
    )


def _measurements(stitching: Stitching) -> dict[str, Measurement]:
    ours = {f"replay.{name}": _ours(name, stitching) for name in ("long", "short", "week")}
    peers = {f"duckdb.{name}": _duckdb(name, stitching) for name in _FORMULATIONS[stitching]}
    return {stitching.names(name): measurement for name, measurement in (ours | peers).items()}


MEASUREMENTS: Final = {
    name: measurement for stitching in Stitching for name, measurement in _measurements(stitching).items()
}


@pytest.fixture(scope="module")
def stage(events: int, seed: int) -> Iterator[Stage]:
    """Give homes and peers."""
    with scratch() as room:
        found = Stage(events, seed, room)
        yield found
        found.close()


def test_replay(benchmark: Any, stage: Stage, turn: int, name: str) -> None:
    """Time one measurement in one turn; every run starts anew and must end with the same persons."""
    measurement = MEASUREMENTS[name]
    outcomes: list[list[Row]] = []
    benchmark.pedantic(
        measurement.run,
        setup=lambda: ((measurement.given(stage),), {}),
        teardown=lambda given: outcomes.append(measurement.outcome(given)),
        warmup_rounds=1,
        rounds=RUNS_PER_TURN,
        iterations=1,
    )
    assert all(outcome == outcomes[0] for outcome in outcomes)
    benchmark.extra_info["measurement"] = name
    benchmark.extra_info["checksums"] = checksums(Answer(("persons",), outcomes[0]), compared(PAIRS, name))
