"""What the command line prints: tables, progress bars, JSON, and errors of one line."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from engine.errors import WaylineError


def _console(stream: TextIO, **options: Any) -> Console:
    """A console as wide as the terminal; output that goes elsewhere is not squeezed into 80 columns."""
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 140, **options)


console = _console(sys.stdout)
errors = _console(sys.stderr, soft_wrap=True)

Report = Callable[[str, int, int], None]
"""Told of long work: phase, units done, units in all (0: unknown)."""


def print_json(value: object) -> None:
    """Print a value as one line of JSON; times as ISO 8601, decimals as numbers in text."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")


def print_csv(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as CSV with a line of names."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows(rows)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """Print rows as a table; numbers to the right, no value as a dash."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for position, name in enumerate(columns):
        numeric = any(isinstance(row[position], int | float | Decimal) for row in rows)
        # A time is read at a glance: other columns are folded instead.
        whole = any(isinstance(row[position], datetime) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(shown(value) for value in row))
    console.print(table)


def shown(value: object) -> str:
    """Return a value as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float | Decimal):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        value = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        midnight = value.time().isoformat() == "00:00:00"
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    return str(value).replace("[", r"\[")


@contextmanager
def progress_bar(enabled: bool = True) -> Iterator[Report]:
    """Show a bar per phase on standard error while the block runs; only on a terminal."""
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not (enabled and errors.is_terminal),
    )
    tasks: dict[str, Any] = {}

    def report(phase: str, done: int, total: int) -> None:
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=total or None)
        bars.update(tasks[phase], completed=done, total=total or None)

    with bars:
        yield report


def print_error(error: WaylineError) -> None:
    """Print an error as one line on standard error: what was wrong, and the remedy."""
    hint = f"  {error.hint}" if error.hint else ""
    errors.print(f"[bold red]error:[/] {_escaped(error.message)}[dim]{_escaped(hint)}[/]")


def _escaped(text: str) -> str:
    return text.replace("\n", " ").replace("[", r"\[")
