"""Results as a table for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.pairs import Result, Sense, Unit

_WIDTH_WITHOUT_TERMINAL = 120


def print_table(name: str, events: int, found: Mapping[str, Result]) -> None:
    """Print one row per target: what was compared, the ratio, the target, and whether it was met."""
    table = Table(title=f"{name}, {events:,} events", caption=_caption(found))
    for column in ("target", "what", "peer"):
        table.add_column(column, overflow="fold")
    for column in ("ours", "peer's", "ratio", "wanted"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for key, result in found.items():
        table.add_row(key, *_cells(result))
    Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL).print(table)


def _cells(result: Result) -> list[str | Text]:
    bound = "≤" if result.sense is Sense.COST else "≥"
    return [
        result.what,
        result.peer,
        _measure(result.ours, result.unit),
        _measure(result.theirs, result.unit),
        f"{result.ratio:.2f}",
        f"{bound} {result.target:g}",
        _verdict(result),
    ]


def _verdict(result: Result) -> Text:
    if not result.agrees:
        return Text("answers differ", style="bold red")
    return Text("met", style="green") if result.met else Text("not met", style="yellow")


def _caption(found: Mapping[str, Result]) -> str:
    met = sum(result.met and result.agrees for result in found.values())
    return f"{met} of {len(found)} targets met; ratios of medians, both sides warm on two threads"


def _measure(value: float, unit: Unit) -> str:
    if unit is Unit.BYTES:
        return f"{value / 1e6:.1f} MB"
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"
