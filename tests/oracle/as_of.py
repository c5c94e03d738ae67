"""Whom events of now belonged to as of an earlier step, one row at a time (docs/semantics.md).

The web shop of ``tests/oracle/journeys.py``: a row that the home had by then keeps the person that it had; a
row that came later gets its own person, else whom its device knew by then, else the device.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.oracle import devices
from tests.oracle.journeys import Operation, Row, State, event, named

Owners = dict[Row, tuple[str, str]]


def run(operations: Iterable[Operation], window: int) -> tuple[State, list[Owners]]:
    """Carry out operations; return the end, and who owned what after each of them."""
    state, seen = State(window), []
    for operation in operations:
        state.apply(operation)
        seen.append(dict(state.owners))
    return state, seen


def as_of(state: State, seen: list[Owners], step: int) -> State:
    """Return the end with the owners that were known when so many operations were done."""
    past = seen[:step]
    then = State(state.window, state.rows, {}, state.batches, state.delivered)
    memory = _memory(state, {row for owners in past for row in owners})
    for row in state.owners:
        if row.dataset != "web":
            then.owners[row] = state.owners[row]
            continue
        had = [owners[row] for owners in past if row in owners]
        then.owners[row] = had[-1] if had else _fresh(row, memory)
    return then


def _memory(state: State, known: set[Row]) -> dict[str, str]:
    """Whom each device saw last, of the events that are there now and were known."""
    told = [
        event(row) | {"batch": state.batches[row]}
        for row in state.owners
        if row.dataset == "web" and row.device is not None and row in known
    ]
    persons = {one["device"]: devices.known(told, one["device"]) for one in told}
    return {device: person for device, person in persons.items() if person is not None}


def _fresh(row: Row, memory: dict[str, str]) -> tuple[str, str]:
    person = row.person or memory.get(row.device or "")
    return named((person, True) if person is not None else (row.device, False))
