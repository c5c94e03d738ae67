"""``wayline graph simulate``: the graphs of a few records, before settings are trusted with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from wayline import simulation
from wayline.options import JsonOption
from wayline.output import console, print_json, print_table
from wayline.simulation import Simulation, read_case


def simulate(
    file: Annotated[Path, typer.Argument(help="YAML or JSON with identities: and records:.")],
    json: JsonOption = False,
) -> None:
    """Show the graphs that some records make under some settings, and what is kept apart; needs no home.

    Example: wayline graph simulate family.yaml

    Where family.yaml holds namespaces and identities as a project file does, and records in order of time:

    namespaces: {CRMID: cross_device, ECID: cookie}

    identities: {priority: [CRMID, Email, ECID], unique: [CRMID]}

    records:

    - {CRMID: Tom, Email: tom@shop.com, ECID: "111"}

    - {CRMID: Summer, ECID: "111"}

    - {CRMID: Summer, ECID: ["222", "333"]}
    """
    found = simulation.simulate(read_case(file))
    if json:
        print_json(asdict(found))
    else:
        _print(found)


def _print(found: Simulation) -> None:
    rows = [
        (number, one["namespace"], one["value"], one["type"], one["last"])
        for number, graph in enumerate(found.graphs, start=1)
        for one in graph["identities"]
    ]
    print_table(["graph", "namespace", "value", "type", "last record"], rows, title=_counted(found.graphs))
    if found.cut:
        told = [(one["a"], one["b"], one["last"], _reason(one)) for one in found.cut]
        print_table(["cut: from", "to", "last record", "why"], told)
    for title, identities in (("Evicted", found.evicted), ("In no graph", found.alone)):
        if identities:
            names = ", ".join(f"{one['namespace']}:{one['value']}" for one in identities)
            console.print(f"{title}: {names}", markup=False)
    for one in found.unlinked:
        console.print(f"Record {one['record']} links nothing: {one['reason']}.", markup=False)
    for one in found.ignored:
        told_value = f"{one['namespace']}:{one['value']}"
        console.print(f"Record {one['record']}: {told_value} identifies nobody.", markup=False)


def _counted(graphs: Sequence[Any]) -> str:
    return f"{len(graphs)} graph{'' if len(graphs) == 1 else 's'}"


def _reason(link: dict[str, Any]) -> str:
    one, other = (f"{link['because']}:{value}" for value in link["apart"])
    return f"would put {one} and {other} together"
