"""Moments that people name: a day or a time, or one that moves with the clock, such as ``start of month``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BeforeValidator

from engine.definitions.values import RefusalError
from engine.errors import did_you_mean

PERIODS: Final = ("minute", "hour", "day", "week", "month", "quarter", "year")
"""What a moment may be the start of, and be moved by."""

_HINT: Final = "Such as 2026-03-01, now, start of month, or start of day - 7 days."
_MOMENT: Final = re.compile(r"(?P<anchor>.*?)(?P<steps>(?:\s+[+-]\s*\d+\s+\w+)*)", re.DOTALL)
_STEP: Final = re.compile(r"([+-])\s*(\d+)\s+(\w+)")
_MOST: Final = 100_000
"""Of the periods by which a moment is moved: more than the calendar has of days is a slip."""


@dataclass(frozen=True)
class Moment:
    """A wall-clock time in the zone of whoever asks.

    Attributes:
        anchor: a time, ``now``, or the period at whose start it lies.
        steps: by how many of which period it is moved, in order.
    """

    anchor: datetime | str
    steps: tuple[tuple[int, str], ...] = ()


def read_moment(text: str) -> Moment:
    """Read a moment.

    >>> read_moment("start of month - 1 month")
    Moment(anchor='month', steps=((-1, 'month'),))

    Raises:
        RefusalError: it is none.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise RefusalError(f"{text!r} is not a moment", hint=_HINT)
    steps = tuple(
        (int(number) * (-1 if sign == "-" else 1), _period(unit.removesuffix("s"), text))
        for sign, number, unit in _STEP.findall(match["steps"])
    )
    if any(abs(number) > _MOST for number, _ in steps):
        raise RefusalError(f"{text!r} moves too far", hint=_HINT)
    return Moment(_anchor(match["anchor"], text), steps)


def _period(word: str, text: str) -> str:
    if word.lower() not in PERIODS:
        message = f"{text!r}: {word} is not one of {', '.join(PERIODS)}"
        raise RefusalError(message, hint=did_you_mean(word, PERIODS))
    return word.lower()


def _anchor(text: str, whole: str) -> datetime | str:
    if text.lower() == "now":
        return "now"
    start = re.fullmatch(r"start\s+of\s+(\w+)", text, re.IGNORECASE)
    if start is not None:
        return _period(start[1], whole)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RefusalError(f"{whole!r} is not a moment", hint=_HINT) from None
    if found.tzinfo is not None:
        message = f"{whole!r} has an offset: moments are in the zone of the data view"
        raise RefusalError(message, hint="Write it without.")
    return found


def _text(value: object) -> str:
    text = value.isoformat() if isinstance(value, date) else str(value)
    read_moment(text)
    return text


MomentText = Annotated[str, BeforeValidator(_text)]
"""A moment as it was written."""
