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


class Unit(StrEnum):
    """What the two sides of a ratio are."""

    SECONDS = "s"
    BYTES = "bytes"


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
            all that a peer can share that does not attribute; None where the two sides answer different
            questions.
        unit: what was measured.
    """

    what: str
    ours: str
    peers: tuple[str, ...]
    target: float
    sense: Sense
    compared: str | None
    unit: Unit = Unit.SECONDS


@dataclass(frozen=True)
class Measured:
    """All runs of one measurement: what each took, and the answer's checksum by key columns."""

    values: tuple[float, ...]
    checksums: Mapping[str, str]

    @property
    def median(self) -> float:
        """The run that counts, in seconds or bytes."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Result:
    """One promise and what became of it; ``ours`` and ``theirs`` in its unit."""

    ratio: float
    target: float
    ours: float
    theirs: float
    unit: Unit
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
        """Return the fixed set of keys that machines read; ``ours_s`` and ``peer_s`` are in ``unit``."""
        return {
            "ratio": round(self.ratio, 4),
            "target": self.target,
            "ours_s": round(self.ours, 6),
            "peer_s": round(self.theirs, 6),
            "unit": self.unit.value,
            "peer": self.peer,
            "ours_checksum": self.ours_checksum,
            "peer_checksum": self.peer_checksum,
        }


def compared(pairs: Mapping[str, Pair], measurement: str) -> set[str]:
    """Return every way in which a measurement's answer takes part in a comparison."""
    asked = [pair.compared for pair in pairs.values() if measurement in (pair.ours, *pair.peers)]
    return {keys for keys in asked if keys is not None}


def chosen(pairs: Mapping[str, Pair], targets: Sequence[str]) -> dict[str, Pair]:
    """Return the pairs that targets name, all if none is: ``P3`` stands for all of ``P3.…``."""
    return {
        key: pair
        for key, pair in pairs.items()
        if not targets or any(key == target or key.startswith(target + ".") for target in targets)
    }


def measured(report: Mapping[str, Any]) -> dict[str, Measured]:
    """Gather a pytest-benchmark JSON report: measurement → all its runs, over all turns.

    A turn counts with the seconds that its runs took, or with ``values`` if it measured something else.

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
    values = [turn["extra_info"].get("values") or turn["stats"]["data"] for turn in turns]
    return Measured(tuple(value for taken in values for value in taken), answers[0])


def _result(pair: Pair, taken: Mapping[str, Measured]) -> Result:
    ours = taken[pair.ours]
    name = min(pair.peers, key=lambda peer: taken[peer].median)
    peer = taken[name]
    cost = pair.sense is Sense.COST
    return Result(
        ratio=ours.median / peer.median if cost else peer.median / ours.median,
        target=pair.target,
        ours=ours.median,
        theirs=peer.median,
        unit=pair.unit,
        peer=name,
        ours_checksum=_checksum(ours, pair.compared),
        peer_checksum=_checksum(peer, pair.compared),
        sense=pair.sense,
        what=pair.what,
    )


def _checksum(taken: Measured, keys: str | None) -> str:
    return "" if keys is None else taken.checksums[keys]
