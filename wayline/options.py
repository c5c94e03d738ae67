"""Options and readings that several commands share."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from engine import memory
from engine.definitions.model import parse_duration
from engine.errors import InputError
from engine.world import Home
from wayline.output import errors

_opened = ExitStack()
"""Closes the homes that a command opened."""


def _close_at_end(context: typer.Context, home: Path) -> Path:
    context.call_on_close(_opened.close)
    return home


HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        "-H",
        envvar="WAYLINE_HOME",
        callback=_close_at_end,
        help="The home folder.",
        show_default="this folder",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
HERE: Final = Path()
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Who is who as it was known then, UTC or with an offset. Default: now.",
        show_default=False,
    ),
]


def _limit_memory(text: str | None) -> str | None:
    if text:
        memory.set_limit(text)
    return text


MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory-limit",
        envvar=memory.VARIABLE,
        callback=_limit_memory,
        help="How much memory to use, such as 4GB. Default: three quarters of the machine's.",
    ),
]


def open_home(path: Path) -> Home:
    """Open a home until the command ends: pins that stay would look like a reader to other machines.

    Raises:
        HomeError: there is no home.
    """
    home = Home.open(path)
    _opened.callback(home.close)
    return home


def say(sentence: str) -> None:
    """Tell the user what is being waited for."""
    errors.print(sentence)


def is_none(text: str) -> bool:
    """Whether an option for a duration says that there is no bound."""
    return text.strip().lower() in ("none", "0")


def duration(text: str, option: str) -> timedelta:
    """Read a duration such as 7d; InputError names what was wrong and the option that takes it."""
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise InputError(str(problem), hint=f"For example: {option} 7d") from None
