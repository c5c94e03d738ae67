"""Values that definitions are made of: durations, names and time zones, read from text."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from engine.errors import did_you_mean

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LONGEST = 36_525 * 86400
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class RefusalError(ValueError):
    """A value that a definition cannot have.

    Args:
        message: what is wrong.
        hint: what would be right.
        key: the key that holds the value, if the error is raised for its parent.
    """

    def __init__(self, message: str, *, hint: str | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.key = key


def parse_duration(value: object) -> timedelta:
    """Read ``30m``, ``7d``, ``90s``, ``12h``, ``2w`` (or a timedelta) as a positive duration."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+)\s*([smhdw])", str(value).strip())
    if not match or int(match[1]) == 0:
        raise ValueError(f"{value!r} is not a duration such as 30m, 12h or 7d")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST:
        raise ValueError(f"{value!r} is longer than a hundred years")
    return timedelta(seconds=seconds)


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a name: lower-case letters, digits and _, a letter first")
    return value


def _zone(value: object) -> str:
    try:
        ZoneInfo(str(value))
    except Exception:
        message = f"{value!r} is not an IANA time zone such as Europe/Berlin"
        raise RefusalError(message, hint=did_you_mean(str(value), available_timezones())) from None
    return str(value)


def write_duration(value: timedelta) -> str:
    """Write a duration so that ``parse_duration`` reads it back: in the largest unit that fits."""
    seconds = int(value.total_seconds())
    unit = max((unit for unit in _UNITS if seconds % _UNITS[unit] == 0), key=lambda u: _UNITS[u])
    return f"{seconds // _UNITS[unit]}{unit}"


def microseconds(duration: timedelta) -> int:
    """Return a duration in microseconds."""
    return duration // timedelta(microseconds=1)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*[smhdw]$", "examples": ["30m", "7d"]}),
]
Name = Annotated[str, BeforeValidator(_name)]
TimeZone = Annotated[str, BeforeValidator(_zone)]
