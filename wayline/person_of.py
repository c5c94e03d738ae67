"""``wayline person-of``: whom a device's events belong to, now or as of an instant, and how that came."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import pyarrow as pa
import typer

from engine.journeys.device_history import history, stitched_connection, stretches, unknown
from engine.report.moments import instant_of
from wayline.options import HERE, AsOfOption, HomeOption, JsonOption, open_home
from wayline.output import console, print_json, print_table


def person_of(
    device: Annotated[str, typer.Argument(help="The device's id; NAMESPACE:ID where ids may be equal.")],
    connection: Annotated[
        str | None,
        typer.Option(help="The connection that stitches it. Default: the only one.", show_default=False),
    ] = None,
    as_of: AsOfOption = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Show to whom the events of a device belong, and what was learned of that when and why.

    Example: wayline person-of 246 --as-of "2026-03-01 12:00"
    """
    opened = open_home(home)
    with opened.pin() as pinned:
        world = replace(pinned, identity_as_of=instant_of(as_of) if as_of else None)
        name = connection or stitched_connection(world)
        persons, learned = stretches(opened, world, name, device), history(opened, world, name, device)
    if not persons.num_rows:
        raise unknown(name, device)
    if json:
        print_json({"persons": persons.to_pylist(), "learned": learned.to_pylist()})
        return
    known = "now" if world.identity_as_of is None else f"as of {world.identity_as_of:%Y-%m-%d %H:%M:%S %Z}"
    _print(persons, f"Persons of {device} in {name}, {known}")
    _print(learned, "What was learned of it (times are UTC)")
    console.print("still: for how many of the events this is what is known now.")


def _print(table: pa.Table, title: str) -> None:
    columns = [name.replace("_", " ") for name in table.column_names if name != "device"]
    print_table(columns, [_row(row) for row in table.drop_columns("device").to_pylist()], title=title)


def _row(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row.values())
