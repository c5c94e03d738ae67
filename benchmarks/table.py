"""Results as a table for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.pairs import Result, Sense


def print_table(name: str, events: int, found: Mapping[str, Result]) -> None:
    """Print one row per target: what was compared, the ratio, the target, and whether it was met."""
    table = Table(title=f"{name}, {events:,} events")
    for column in ("target", "what", "ratio", "wanted", "ours", "peer's", "peer", "answers", ""):
        table.add_column(column, justify="right" if column in ("ratio", "ours", "peer's") else "left")
    for key, result in found.items():
        table.add_row(key, *_cells(result))
    Console().print(table)


def _cells(result: Result) -> list[str | Text]:
    bound = "≤" if result.sense is Sense.COST else "≥"
    return [
        result.what,
        f"{result.ratio:.2f}",
        f"{bound} {result.target:g}",
        _seconds(result.ours_s),
        _seconds(result.peer_s),
        result.peer,
        Text("equal") if result.agrees else Text("DIFFERENT", style="bold red"),
        Text("met", style="green") if result.met else Text("not met", style="yellow"),
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
