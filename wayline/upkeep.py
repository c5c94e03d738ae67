"""``wayline compact``: merges what appends and replays left beside the base, on demand."""

from __future__ import annotations

from typing import Annotated

import typer

from engine import flow
from engine.world import Home
from wayline.options import HERE, HomeOption, JsonOption, say
from wayline.output import console, print_json, progress_bar


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
        done = flow.compact(Home.open(home), connection, report, on_wait=say)
    if json:
        print_json({"steps": done})
        return
    for name, steps in done.items():
        console.print(f"{name}: {steps} step{'' if steps == 1 else 's'}." if steps else f"{name}: as it was.")
