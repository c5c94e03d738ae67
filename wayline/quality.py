"""``wayline quality``: how good a connection's stitching is, and which identities are suspect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from engine.alarms import Alarm, alarms_of
from engine.quality import DatasetQuality, quality_of
from engine.world import Home
from stitching.alarms import Suspicion
from wayline.options import HERE, HomeOption, JsonOption, open_home
from wayline.output import console, print_json, print_table

_TOLD: Final = 3
"""So many alarms of a connection are told where they were not asked for."""
_WORDS: Final = {
    Suspicion.MANY_DEVICES: "is named on {0} devices",
    Suspicion.MANY_CHANGES: "changed its person {0} times and is not stitched",
    Suspicion.TWO_NAMESPACES: "identifies in {0} namespaces: their events are one person's",
}
_SHARES: Final = {
    "rows_with_person": "authentication_rate",
    "stitched_rows": "stitched_rate",
}
_TITLES: Final = {
    "rows": "events",
    "rows_with_person": "with a person id of their own",
    "stitched_rows": "with a person after stitching",
    "increase": "increase",
    "lift": "lift",
    "raw_ids": "people without stitching",
    "stitched_ids": "people",
    "devices": "devices",
    "shared_devices": "shared by two persons or more",
    "shared_device_rows": "events on shared devices",
}


def quality(
    connection: Annotated[str, typer.Argument(help="The connection.")],
    home: HomeOption = HERE,
    days: Annotated[int, typer.Option(help="How many days to show, the last ones.", min=0)] = 7,
    persons: Annotated[int, typer.Option(help="How many of the biggest persons to show.", min=0)] = 5,
    json: JsonOption = False,
) -> None:
    """Show how many events have a person before and after stitching, shared devices, and suspect identities.

    The same in SQL, for all connections: system.stitching_quality, system.biggest_persons,
    system.identity_alarms.

    Example: wayline quality shop --days 30
    """
    opened = open_home(home)
    with opened.pin() as world:
        found = quality_of(opened, world, connection, persons)
        alarms = alarms_of(opened, world, [connection])
    if json:
        print_json(_facts(connection, found, alarms, days))
        return
    measured = [dataset for dataset in found if dataset.total.height]
    if not measured:
        console.print(f"No stitched dataset of {connection} has events.", markup=False)
        return
    _print_totals(measured)
    if days:
        _print_days(measured, days)
    if persons:
        _print_persons(measured)
    if alarms:
        columns = ["suspect identity", "namespace", "why", "threshold"]
        print_table(columns, [(a.value, a.namespace, _why(a), a.threshold) for a in alarms])


def tell_alarms(home: Home, connections: Iterable[str]) -> None:
    """Print the worst alarms of connections, a line each; nothing if there are none."""
    with home.pin() as world:
        for name in connections:
            print_alarms(name, alarms_of(home, world, [name]))


def print_alarms(connection: str, alarms: Sequence[Alarm]) -> None:
    """Print the worst of a connection's alarms, a line each."""
    for alarm in alarms[:_TOLD]:
        identity = f"{alarm.value} ({alarm.namespace})"
        console.print(f"Alarm in {connection}: {identity} {_why(alarm)}.", markup=False)
    if len(alarms) > _TOLD:
        console.print(f"{len(alarms) - _TOLD:,} more: wayline quality {connection}", markup=False)


def _why(alarm: Alarm) -> str:
    return _WORDS[Suspicion(alarm.kind)].format(f"{alarm.counted:,}")


def _facts(
    connection: str, found: Sequence[DatasetQuality], alarms: Sequence[Alarm], days: int
) -> dict[str, Any]:
    datasets = [
        {
            "dataset": dataset.name,
            **(dataset.total.to_dicts() or [{"rows": 0}])[0],
            "days": dataset.days.tail(days).to_dicts(),
            "biggest_persons": dataset.biggest.to_dicts(),
        }
        for dataset in found
    ]
    return {"connection": connection, "datasets": datasets, "alarms": [asdict(alarm) for alarm in alarms]}


def _print_totals(found: Sequence[DatasetQuality]) -> None:
    totals = [dataset.total.row(0, named=True) for dataset in found]
    rows = [(title, *(_shown(total, name) for total in totals)) for name, title in _TITLES.items()]
    print_table(["stitching", *(dataset.name for dataset in found)], rows)


def _shown(measures: dict[str, Any], name: str) -> object:
    value = measures[name]
    if value is None:
        return None
    if name in _SHARES:
        return f"{value:,} ({measures[_SHARES[name]]:.1%})"
    if name == "increase":
        return f"{value:.1%}"
    if name == "lift":
        return f"{value:.2f}"
    return f"{value:,}"


def _print_days(found: Sequence[DatasetQuality], days: int) -> None:
    columns = ["day", "dataset", "events", "with person", "stitched", "people without", "people", "on shared"]
    rows = [
        (day["day"], dataset.name, *_of_day(day))
        for dataset in found
        for day in dataset.days.tail(days).to_dicts()
    ]
    print_table(columns, rows)


def _of_day(day: dict[str, Any]) -> tuple[object, ...]:
    rates = (
        None if rate is None else f"{rate:.1%}" for rate in (day["authentication_rate"], day["stitched_rate"])
    )
    return day["rows"], *rates, *(day[name] for name in ("raw_ids", "stitched_ids", "shared_device_rows"))


def _print_persons(found: Sequence[DatasetQuality]) -> None:
    rows = [
        (
            *(person["person"], dataset.name, person["rows"]),
            *(f"{person['rows'] / dataset.total['rows'][0]:.1%}", person["devices"], person["days"]),
        )
        for dataset in found
        for person in dataset.biggest.to_dicts()
    ]
    print_table(["biggest persons", "dataset", "events", "share", "devices", "days"], rows)
