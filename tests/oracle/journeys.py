"""Journeys, one row at a time: who owns which event after batches, reverts and replays, in which order.

Written from docs/semantics.md for the web shop of ``tests/journeys/support.py``: ``web`` is
stitched and has event ids, ``calls`` carries its own person and has none. Times are whole seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.oracle import devices, stitching

ORDER = {"web": 0, "calls": 1}
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class Row:
    """A row as it arrives. ``number`` tells rows apart and means nothing else."""

    number: int
    dataset: str
    time: int | None
    event_id: str | None = None
    device: str | None = None
    person: str | None = None
    channel: str | None = None

    def record(self) -> dict[str, Any]:
        """Return the row as the lake takes it."""
        at = None if self.time is None else datetime.fromtimestamp(self.time, UTC)
        if self.dataset == "calls":
            return {"at": at, "customer": self.person, "channel": self.channel}
        login = {"customer": self.person}
        return {
            "id": self.event_id,
            "at": at,
            "device": self.device,
            "login": login,
            "channel": self.channel,
        }

    def digest(self) -> str:
        """Return the digest of the row's content."""
        paths = {"id": self.event_id, "at": self._text_time(), "device": self.device}
        person = "login.customer" if self.dataset == "web" else "customer"
        if self.dataset == "calls":
            paths = {"at": self._text_time()}
        paths |= {person: self.person, "channel": self.channel}
        told = [f"{path}={len(text)}:{text};" for path, text in paths.items() if text is not None]
        return hashlib.md5("".join(told).encode()).hexdigest()

    def name(self) -> str:
        """Return the event id that orders the row."""
        return self.event_id if self.event_id is not None else self.digest()

    def _text_time(self) -> str:
        assert self.time is not None
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%d %H:%M:%S+00")


@dataclass(frozen=True)
class Ingest:
    """A batch arrives. The batches of a dataset are numbered 1, 2, 3 … as they arrive."""

    rows: tuple[Row, ...]

    @property
    def dataset(self) -> str:
        """The dataset that the rows belong to."""
        return self.rows[0].dataset


@dataclass(frozen=True)
class Revert:
    """An active batch is taken back."""

    dataset: str
    number: int


@dataclass(frozen=True)
class Replace:
    """A batch arrives in place of active ones of its dataset."""

    numbers: tuple[int, ...]
    rows: tuple[Row, ...]

    @property
    def dataset(self) -> str:
        """The dataset that the rows belong to."""
        return self.rows[0].dataset


@dataclass(frozen=True)
class Replay:
    """A replay over (at − lookback, at], in seconds."""

    at: int
    lookback: int


@dataclass(frozen=True)
class Erase:
    """An identity is deleted: ``crm`` in the person's field, ``ecid`` in the device's."""

    namespace: str
    value: str

    def carried_by(self, row: Row) -> bool:
        """Return whether a row carries the identity."""
        return (row.person if self.namespace == "crm" else row.device) == self.value


Operation = Ingest | Revert | Replace | Replay | Erase


@dataclass
class State:
    """All rows so far, and who owns the events among them.

    ``delivered`` has the batches of each dataset, empty once taken back; ``batches`` their numbers;
    ``buried`` whom a row may never belong to again, as (person, namespace).
    """

    window: int
    rows: list[Row] = field(default_factory=list)
    owners: dict[Row, tuple[str, str]] = field(default_factory=dict)
    batches: dict[Row, int] = field(default_factory=dict)
    delivered: dict[str, list[tuple[Row, ...]]] = field(default_factory=dict)
    buried: dict[Row, set[tuple[str, str]]] = field(default_factory=dict)

    def apply(self, operation: Operation) -> None:
        """Carry out one operation."""
        if isinstance(operation, Replay):
            self._replay(operation)
        elif isinstance(operation, Erase):
            self._erase(operation)
        elif isinstance(operation, Revert):
            self._change((), self._taken(operation.dataset, (operation.number,)))
        else:
            numbers = operation.numbers if isinstance(operation, Replace) else ()
            gone = self._taken(operation.dataset, numbers)
            delivered = self.delivered.setdefault(operation.dataset, [])
            delivered.append(operation.rows)
            self.batches |= dict.fromkeys(operation.rows, len(delivered))
            self._change(operation.rows, gone)

    def _taken(self, dataset: str, numbers: Sequence[int]) -> list[Row]:
        """Take batches out and return their rows."""
        gone = [row for number in numbers for row in self.delivered[dataset][number - 1]]
        for number in numbers:
            self.delivered[dataset][number - 1] = ()
        return gone

    def _change(self, arriving: Sequence[Row], gone: Sequence[Row]) -> None:
        """Let rows go and others arrive; what only the former told is forgotten before the latter."""
        self.rows = [row for row in self.rows if row not in gone]
        self.rows += [row for row in arriving if admitted(row)]
        for row in gone:
            self.owners.pop(row, None)
        memory = self.memory()
        events = winners(self.rows, self.window)
        fresh = [row for row in events if row not in self.owners]
        for row in list(self.owners):
            if row not in events:
                del self.owners[row]
        web = [event(row) for row in fresh if row.dataset == "web"]
        found, _ = stitching.live(web, memory)
        for row in fresh:
            if row.dataset == "web":
                self.owners[row] = self._allowed(row, named(found[row.number]))
            else:
                assert row.person is not None
                self.owners[row] = (row.person, "crm")

    def _replay(self, replay: Replay) -> None:
        start = replay.at - replay.lookback
        web = [row for row in self.owners if row.dataset == "web" and row.time is not None]
        inside = [row for row in web if start < (row.time or 0) <= replay.at]
        told = self.device_events()
        persons = {event["device"]: devices.evidence(told, event["device"], start) for event in told}
        evidence = {device: person for device, person in persons.items() if person is not None}
        found = stitching.replay([event(row) for row in inside], evidence)
        for row in inside:
            self.owners[row] = self._allowed(row, named(found[row.number]))

    def _erase(self, erase: Erase) -> None:
        person = (erase.value, erase.namespace)
        for row in self.batches:
            self.buried.setdefault(row, set()).add(person)
        self._change((), [row for row in self.batches if erase.carried_by(row)])
        for row, owner in self.owners.items():
            self.owners[row] = self._allowed(row, owner)

    def _allowed(self, row: Row, owner: tuple[str, str]) -> tuple[str, str]:
        """Return the device instead of somebody who was deleted after the row arrived."""
        if owner not in self.buried.get(row, ()):
            return owner
        assert row.device is not None
        return row.device, "ecid"

    def device_events(self) -> list[devices.Event]:
        """Return the events of devices, as their oracle takes them."""
        web = [row for row in self.owners if row.dataset == "web" and row.device is not None]
        return [event(row) | {"batch": self.batches[row]} for row in web]

    def memory(self) -> dict[str, str]:
        """Return whom each device saw last."""
        told = self.device_events()
        persons = {event["device"]: devices.known(told, event["device"]) for event in told}
        return {device: person for device, person in persons.items() if person is not None}

    def journeys(self) -> dict[str, list[tuple[int, int, str, str, str | None]]]:
        """Return person → events in order: time, dataset, event id, namespace, channel."""
        found: dict[str, list[tuple[int, int, str, str, str | None]]] = {}
        for row, (person, namespace) in self.owners.items():
            assert row.time is not None
            entry = (row.time, ORDER[row.dataset], row.name(), namespace, row.channel)
            found.setdefault(person, []).append(entry)
        return {person: sorted(rows, key=lambda row: row[:3]) for person, rows in found.items()}


def run(operations: Iterable[Operation], window: int) -> State:
    """Carry out operations from nothing."""
    state = State(window)
    for operation in operations:
        state.apply(operation)
    return state


def admitted(row: Row) -> bool:
    """Return whether a row can be an event: a time from 1900 on, and a person or a device."""
    if row.time is None or row.time < EARLIEST:
        return False
    return row.person is not None or row.device is not None


def winners(rows: Sequence[Row], window: int) -> list[Row]:
    """Return the rows that are events; equal event ids within a window of a winner repeat it."""
    found = [row for row in rows if row.event_id is None]
    for name in {(row.dataset, row.event_id) for row in rows if row.event_id is not None}:
        same = [row for row in rows if (row.dataset, row.event_id) == name]
        winner = None
        # Of rows that are equal in all, the one that arrived first comes first: sorting is stable.
        for row in sorted(same, key=lambda row: (row.time or 0, row.digest())):
            if winner is None or (row.time or 0) - (winner.time or 0) > window:
                winner = row
                found.append(row)
    return found


def event(row: Row) -> dict[str, Any]:
    """Return a row as the stitching oracle takes it."""
    return {"row": row.number, "device": row.device, "person": row.person, "time": row.time}


def named(answer: tuple[str | None, bool]) -> tuple[str, str]:
    """Return person and namespace of what the stitching oracle says."""
    person, known = answer
    assert person is not None
    return person, "crm" if known else "ecid"
