"""``wayline compact`` and ``wayline rebuild``: journeys in shape, on demand."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from engine import flow
from engine.status import count_persons
from engine.world import Home
from wayline.options import HERE, HomeOption, JsonOption, open_home, say
from wayline.output import console, print_json, print_table, progress_bar


def compact(
    connection: Annotated[str | None, typer.Argument(help="Default: every connection.")] = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Merge everything into the base of the journeys; answers stay the same, also meanwhile.

    What is worth it happens by itself, after ingests and replays and while wayline serves.

    Example: wayline compact shop
    """
    with progress_bar(not json) as report:
        done = flow.compact(open_home(home), connection, report, on_wait=say)
    if json:
        print_json({"steps": done})
        return
    for name, steps in done.items():
        console.print(f"{name}: {steps} step{'' if steps == 1 else 's'}." if steps else f"{name}: as it was.")


def rebuild(
    connection: Annotated[str, typer.Argument(help="The connection to rebuild.")],
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Write a connection's journeys anew from its datasets and the stitch log; answers stay the same.

    Questions see the old journeys until all is done. A rebuild that was interrupted goes on where it
    was, unless the connection or its data have changed since.

    Example: wayline rebuild shop
    """
    opened, started = open_home(home), time.monotonic()
    with progress_bar(not json) as report:
        done = flow.rebuild(opened, connection, progress=report, on_wait=say)
    facts = {
        "connection": connection,
        "world": done.world.id,
        "rows": done.rows,
        "persons": _persons(opened, connection),
        "seconds": round(time.monotonic() - started, 2),
        "slices": done.slices,
        "resumed_slices": done.resumed,
    }
    if json:
        print_json(facts)
    else:
        print_table(["rebuild", ""], [(name.replace("_", " "), value) for name, value in facts.items()])


def _persons(home: Home, connection: str) -> int:
    with home.pin() as world:
        return count_persons(home, world, connection)
