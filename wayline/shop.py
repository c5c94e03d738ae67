"""``wayline generate`` and ``wayline demo``: a web shop made up, as files and as the main job shown."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wayline.options import JsonOption
from wayline.output import print_json, print_table, progress_bar


class FileFormat(StrEnum):
    """Formats of generated web events."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


def generate(
    folder: Annotated[Path, typer.Argument(help="Where to write the files.")],
    events: Annotated[int, typer.Option(help="Web events; calls come on top.", min=1_000)] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="Of the web events; CSV goes without the array of items.")
    ] = FileFormat.PARQUET,
    json: JsonOption = False,
) -> None:
    """Write demo data of a web shop: visits, logins, orders, calls, customers, products, and a project file.

    Example: wayline generate shop-data --events 1000000 --seed 7
    """
    from wayline import generate as demo_data

    with progress_bar(not json) as report:
        made = demo_data.generate(
            folder,
            events=events,
            seed=seed,
            format=file_format.value,
            progress=lambda done, total: report("generating", done, total),
        )
    if json:
        print_json({"files": made.files, "counts": made.counts})
        return
    print_table(
        ["dataset", "files", "records"],
        [(name, len(files), made.counts[name]) for name, files in made.files.items()],
    )


def demo(
    folder: Annotated[Path, typer.Option(help="Where to put the demo's home.")] = Path("wayline-demo"),
    events: Annotated[int, typer.Option(help="Web events to generate.", min=1_000)] = 200_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same data.")] = 1,
    port: Annotated[int, typer.Option(help="Port to serve on; 0 takes any free one.")] = 5442,
    once: Annotated[
        bool, typer.Option("--once", help="End after the answers instead of serving on.")
    ] = False,
) -> None:
    """Show the main job on generated data: ingest, stitch, replay, ask over the wire.

    Example: wayline demo --once
    """
    from wayline.demo import run_demo

    run_demo(folder, events=events, seed=seed, port=port, once=once)
