"""The matrix of SQL clients: made of what the tests recorded, printed, and kept in docs/clients.md.

Run by ``make clients`` as ``python -m tests.clients.matrix RESULTS.xml``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tests.clients.contract import CLIENTS, ROOT, STEPS, Client

PAGE: Final = ROOT / "docs" / "clients.md"
VERSION: Final = "version"
BEGIN: Final = "<!-- matrix: make clients writes it -->\n"
END: Final = "<!-- end of matrix -->\n"
_SIGNS: Final = {"ok": "✓", "failed": "**✗**"}


def results(path: Path) -> dict[str, dict[str, str]]:
    """Return what the tests recorded: client → version and outcome of each step."""
    cases = ElementTree.parse(path).iter("testcase")
    named = ((re.search(r"\[(.*)\]", case.get("name", "")), case) for case in cases)
    return {
        found[1]: {each.get("name", ""): each.get("value", "") for each in case.iter("property")}
        for found, case in named
        if found is not None
    }


def table(clients: Iterable[Client], found: Mapping[str, Mapping[str, str]]) -> str:
    """Return the matrix as a Markdown table, and below it what clients have no way to do."""
    head = ["client", VERSION, *STEPS, "also"]
    lines = [_line(head), _line(["---", "---", *[":-:"] * len(STEPS), "---"])]
    for client in clients:
        told = found.get(client.name, {})
        lines.append(_line([client.name, told.get(VERSION, ""), *_cells(client, told), _also(client, told)]))
    notes = [f"- {client.name}: {_absent(client)}." for client in clients if client.without]
    return "\n".join([*lines, "", "– stands for what a client has no way to do:", "", *notes, ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(client: Client, told: Mapping[str, str]) -> list[str]:
    return ["–" if step in client.without else _SIGNS[told.get(step, "failed")] for step in STEPS]


def _also(client: Client, told: Mapping[str, str]) -> str:
    return ", ".join(f"{step} {_SIGNS[told.get(step, 'failed')]}" for step in client.also)


def _absent(client: Client) -> str:
    return "; ".join(f"{step}: {reason}" for step, reason in client.without.items())


def written(page: str, matrix: str) -> str:
    """Return the page with its matrix replaced."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{matrix}\n{END}{rest.split(END)[1]}"


def recorded(page: str) -> dict[str, list[str]]:
    """Return the page's matrix without versions: client → cells."""
    lines = [line for line in page.split(BEGIN)[1].split(END)[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {name: rest for name, _, *rest in cells}


def main(path: Path) -> None:
    """Print the matrix, and write it into the page."""
    matrix = table(CLIENTS, results(path))
    print(matrix)
    PAGE.write_text(written(PAGE.read_text(), matrix))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
