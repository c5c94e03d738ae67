"""Times as PostgreSQL's settings write them: ``100``, ``5s``, ``2min``; a bare number is milliseconds."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_TIME: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*")
MOST: Final = 2**31 - 1


class NoDurationError(ValueError):
    """Text that is no time; the message is what may help, and may be empty."""


def milliseconds(text: str) -> int:
    """Return a time in whole milliseconds, not checked against any bounds.

    Raises:
        NoDurationError: it is none.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise NoDurationError
    if match[2] and match[2] not in _UNITS:
        listed = ", ".join(f'"{unit}"' for unit in list(_UNITS)[:-1])
        raise NoDurationError(f'Valid units for this parameter are {listed}, and "d".')
    try:
        return round(float(match[1]) * _UNITS[match[2] or "ms"])
    except OverflowError:
        raise NoDurationError("Value exceeds integer range.") from None


def shown(time: int) -> str:
    """Return milliseconds in the largest unit that leaves a whole number; none for 0."""
    if time == 0:
        return "0"
    unit = next(unit for unit in reversed(_UNITS) if unit != "us" and time % _UNITS[unit] == 0)
    return f"{int(time // _UNITS[unit])}{unit}"
