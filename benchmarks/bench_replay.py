"""Replay of the last seven days, in which a fifth of the rows change hands because logins arrived late.

P5 compares a long history with a short one; P6 compares with DuckDB, which reads the same seven days, finds
the same persons and writes the rows by person. Each run starts from the same state: ours from a copy of the
home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks import peer_replay
from benchmarks.answers import Answer, Row, checksums
from benchmarks.flows import replay
from benchmarks.histories import CHANGING, histories, late_home
from benchmarks.home import CONNECTION
from benchmarks.kept import copy_home, discard_home, scratch
from benchmarks.pairs import Pair, Sense, compared
from benchmarks.peer_replay import Peer
from engine.catalog import replays
from engine.world import Home

TURNS: Final = 3
RUNS_PER_TURN: Final = 2

PAIRS: Final = {
    "P5": Pair(
        "replay of 7 days, 10 × the history ÷ 1 ×",
        "replay.long",
        ("replay.short",),
        1.2,
        Sense.COST,
        "persons",
    ),
    "P6": Pair(
        "DuckDB restitching and rewriting 7 days ÷ replay",
        "replay.week",
        ("duckdb.windows", "duckdb.asof"),
        2.0,
        Sense.GAIN,
        "persons",
    ),
}


@dataclass(frozen=True)
class Stage:
    """Everything that takes part: homes by measurement, the peer, and room for copies."""

    homes: dict[str, Path]
    peer: Peer
    room: Path


@dataclass(frozen=True)
class Measurement:
    """One thing to time: what a run is given, the run, and what became of it, after which that is removed."""

    given: Callable[[Stage], Any]
    run: Callable[[Any], object]
    outcome: Callable[[Any], list[Row]]


def _copied(name: str, stage: Stage) -> Home:
    return copy_home(stage.homes[name], stage.room)


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


def _ours(name: str) -> Measurement:
    return Measurement(partial(_copied, name), replay, _persons_of_home)


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


def _duckdb(formulation: str) -> Measurement:
    return Measurement(
        lambda stage: _Rewriting(stage.peer, formulation, stage.room / f"{formulation}.parquet"),
        _Rewriting.run,
        _Rewriting.outcome,
    )


MEASUREMENTS: Final = {
    "replay.long": _ours("replay.long"),
    "replay.short": _ours("replay.short"),
    "replay.week": _ours("replay.week"),
    "duckdb.windows": _duckdb("replay_windows"),
    "duckdb.asof": _duckdb("replay_asof"),
}


@pytest.fixture(scope="module")
def stage(events: int, seed: int) -> Iterator[Stage]:
    """Build or open the homes and give the peer its files."""
    both = histories(events, seed)
    homes = {"replay.long": both.long, "replay.short": both.short, "replay.week": late_home(events, seed)}
    with scratch() as room:
        home = Home.open(homes["replay.week"])
        peer = peer_replay.load(home, room)
        home.close()
        yield Stage(homes, peer, room)
        peer.database.close()


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
