"""How good stitching is, counted row by row: what ``stitching/quality.py`` and ``alarms.py`` must say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Row:
    """A row of a stitched dataset.

    Attributes:
        device: its persistent id.
        person: the person id that it carries itself.
        stitched: whom it belongs to.
        known: whether that is a person's id, not a device's.
    """

    day: date
    device: str | None
    person: str | None
    stitched: str
    known: bool


def shared_devices(rows: Sequence[Row]) -> set[str]:
    """Return the devices on which two persons or more are named."""
    named = defaultdict(set)
    for row in rows:
        if row.device is not None and row.person is not None:
            named[row.device].add(row.person)
    return {device for device, persons in named.items() if len(persons) > 1}


def measures(rows: Sequence[Row], shared: set[str]) -> dict[str, float | int | None]:
    """Count some rows of a dataset of which all shared devices are known."""
    named = sum(row.person is not None for row in rows)
    stitched = sum(row.known for row in rows)
    devices = {row.device for row in rows if row.device is not None}
    return {
        "rows": len(rows),
        "rows_with_person": named,
        "rows_with_device": sum(row.device is not None for row in rows),
        "stitched_rows": stitched,
        "authentication_rate": named / len(rows),
        "stitched_rate": stitched / len(rows),
        "increase": (stitched - named) / named if named else None,
        "lift": stitched / named if named else None,
        "raw_ids": len({row.person if row.person is not None else row.device for row in rows}),
        "stitched_ids": len({row.stitched for row in rows}),
        "devices": len(devices),
        "shared_devices": len(devices & shared),
        "shared_device_rows": sum(row.device in shared for row in rows),
    }


def by_day(rows: Sequence[Row]) -> dict[date, dict[str, float | int | None]]:
    """Count the rows of each day."""
    shared = shared_devices(rows)
    days = sorted({row.day for row in rows})
    return {day: measures([row for row in rows if row.day == day], shared) for day in days}


def biggest(rows: Sequence[Row], most: int) -> list[tuple[str, bool, int, int, int, date, date]]:
    """Return person, known, rows, devices, days, first and last day of the persons with most rows."""
    found = []
    for person in {(row.stitched, row.known) for row in rows}:
        own = [row for row in rows if (row.stitched, row.known) == person]
        days = {row.day for row in own}
        devices = {row.device for row in own if row.device is not None}
        found.append((*person, len(own), len(devices), len(days), min(days), max(days)))
    return sorted(found, key=lambda entry: (-entry[2], entry[0], entry[1]))[:most]


Named = tuple[str, str, str, str]
"""Persistent id and its namespace, person id and its namespace: they met on a row."""


def alarms(
    named: Sequence[Named], changes: dict[tuple[str, str], int], devices: int, limit: int
) -> set[tuple[str, str, str, int]]:
    """Return (kind, namespace, value, count) of identities that collapse persons.

    Args:
        named: who was named on what.
        changes: (namespace, persistent id) → how often its person changed.
        devices: from so many persistent ids on a person is suspect.
        limit: a persistent id whose person changed more often is not stitched.
    """
    found = set()
    for namespace, person in {(row[3], row[2]) for row in named}:
        seen = {row[0] for row in named if (row[3], row[2]) == (namespace, person)}
        if len(seen) >= devices:
            found.add(("many devices", namespace, person, len(seen)))
    for (namespace, device), count in changes.items():
        if count > limit:
            found.add(("many changes", namespace, device, count))
    values = defaultdict(set)
    for device, device_namespace, person, person_namespace in named:
        values[device].add(device_namespace)
        values[person].add(person_namespace)
    for value, namespaces in values.items():
        if len(namespaces) > 1:
            found.add(("two namespaces", ", ".join(sorted(namespaces)), value, len(namespaces)))
    return found
