"""What a benchmark promises: pairs of measurements, the ratio each should reach, and what was reached."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Sense(StrEnum):
    """Which way the ratio goes, and so which side of the target is good."""

    COST = "ours ÷ peer, at most the target"
    GAIN = "peer ÷ ours, at least the target"


@dataclass(frozen=True)
class Pair:
    """One promise.

    Attributes:
        what: the comparison in a few words, for people.
        ours: name of our measurement.
        peers: names of the peer's measurements; the fastest counts.
        target: the ratio to reach.
        sense: how the ratio is formed.
        compared: the answers' key columns by which both sides must agree; "" for the grand total, which is
            all that a peer can share that does not attribute.
    """

    what: str
    ours: str
    peers: tuple[str, ...]
    target: float
    sense: Sense
    compared: str


@dataclass(frozen=True)
class Measured:
    """All runs of one measurement: seconds of each, and the answer's checksum by key columns."""

    seconds: tuple[float, ...]
    checksums: Mapping[str, str]

    @property
    def median(self) -> float:
        """The run that counts, in seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Result:
    """One promise and what became of it; times in seconds."""

    ratio: float
    target: float
    ours_s: float
    peer_s: float
    peer: str
    ours_checksum: str
    peer_checksum: str
    sense: Sense
    what: str

    @property
    def met(self) -> bool:
        """Whether the target was reached."""
        return self.ratio <= self.target if self.sense is Sense.COST else self.ratio >= self.target

    @property
    def agrees(self) -> bool:
        """Whether both sides gave the same answer."""
        return self.ours_checksum == self.peer_checksum

    def document(self) -> dict[str, Any]:
        """Return the fixed set of keys that machines read."""
        return {
            "ratio": round(self.ratio, 4),
            "target": self.target,
            "ours_s": round(self.ours_s, 6),
            "peer_s": round(self.peer_s, 6),
            "peer": self.peer,
            "ours_checksum": self.ours_checksum,
            "peer_checksum": self.peer_checksum,
        }


def compared(pairs: Mapping[str, Pair], measurement: str) -> set[str]:
    """Return every way in which a measurement's answer takes part in a comparison.

    Other ways are left alone: fractions of a cent, which linear credit makes, have no stable rounding.
    """
    return {pair.compared for pair in pairs.values() if measurement in (pair.ours, *pair.peers)}


def measured(report: Mapping[str, Any]) -> dict[str, Measured]:
    """Gather a pytest-benchmark JSON report: measurement → all its runs, over all turns.

    Raises:
        ValueError: a measurement gave different answers in different turns.
    """
    runs: dict[str, list[Mapping[str, Any]]] = {}
    for run in report["benchmarks"]:
        runs.setdefault(run["extra_info"]["measurement"], []).append(run)
    return {name: _gathered(name, turns) for name, turns in runs.items()}


def results(pairs: Mapping[str, Pair], taken: Mapping[str, Measured]) -> dict[str, Result]:
    """Turn measurements into one result per promise, in the order of the promises."""
    return {key: _result(pair, taken) for key, pair in pairs.items()}


def _gathered(name: str, turns: Sequence[Mapping[str, Any]]) -> Measured:
    answers = [turn["extra_info"]["checksums"] for turn in turns]
    if any(answer != answers[0] for answer in answers):
        raise ValueError(f"{name} gave different answers in different turns")
    return Measured(tuple(second for turn in turns for second in turn["stats"]["data"]), answers[0])


def _result(pair: Pair, taken: Mapping[str, Measured]) -> Result:
    ours = taken[pair.ours]
    name = min(pair.peers, key=lambda peer: taken[peer].median)
    peer = taken[name]
    cost = pair.sense is Sense.COST
    return Result(
        ratio=ours.median / peer.median if cost else peer.median / ours.median,
        target=pair.target,
        ours_s=ours.median,
        peer_s=peer.median,
        peer=name,
        ours_checksum=ours.checksums[pair.compared],
        peer_checksum=peer.checksums[pair.compared],
        sense=pair.sense,
        what=pair.what,
    )
