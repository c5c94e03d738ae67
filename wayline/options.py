"""Options and readings that several commands share."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from engine import memory
from engine.definitions.model import parse_duration
from engine.errors import InputError
from wayline.output import errors

HomeOption = Annotated[
    Path,
    typer.Option("--home", "-H", envvar="WAYLINE_HOME", help="The home folder.", show_default="this folder"),
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


def say(sentence: str) -> None:
    """Tell the user what is being waited for."""
    errors.print(sentence)


def duration(text: str, option: str) -> timedelta:
    """Read a duration such as 7d; InputError names what was wrong and the option that takes it."""
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise InputError(str(problem), hint=f"For example: {option} 7d") from None
