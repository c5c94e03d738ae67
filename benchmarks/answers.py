"""Answers in one form, so that two engines that agree have the same checksum."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Row = tuple[Any, ...]

_DIGITS: Final = 8
_FINEST: Final = -6
_OFFSET: Final = 1 / math.pi
"""Rounding has its borders, of digits and of magnitudes, where no sum or share of prices lies."""


@dataclass(frozen=True)
class Answer:
    """Rows of key columns followed by measures.

    Attributes:
        keys: names of the key columns.
        rows: key values, then numbers (None counts as zero).
    """

    keys: tuple[str, ...]
    rows: Sequence[Row]


def checksums(answer: Answer, compared: Iterable[str]) -> Mapping[str, str]:
    """Return one checksum for each way in which the answer is compared.

    Args:
        answer: what was found.
        compared: key columns joined by ``+``, by which the answer is added up first; "" for the grand total.
    """
    return {keys: checksum(answer, keys.split("+") if keys else ()) for keys in compared}


def checksum(answer: Answer, keys: Sequence[str]) -> str:
    """Return a checksum of the answer added up by some of its key columns.

    Numbers count to eight digits or a millionth, order does not count, and whether an item without any
    measure is listed does not count either.
    """
    lines = [
        "|".join([*(str(value) for value in key), *(_rounded(number) for number in numbers)])
        for key, numbers in _added_up(answer, keys).items()
        if any(abs(number) >= 10.0**_FINEST for number in numbers)
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _added_up(answer: Answer, keys: Sequence[str]) -> dict[Row, list[float]]:
    places = [answer.keys.index(key) for key in keys]
    sums: dict[Row, list[float]] = {}
    for row in answer.rows:
        numbers = [float(value or 0) for value in row[len(answer.keys) :]]
        key = tuple(row[place] for place in places)
        known = sums.setdefault(key, [0.0] * len(numbers))
        sums[key] = [one + other for one, other in zip(known, numbers, strict=True)]
    return sums


def _rounded(number: float) -> str:
    """Return a number as a whole number of units of its last digit that counts, and that digit's place."""
    if abs(number) < 10.0**_FINEST:
        return "0"
    place = max(math.floor(math.log10(abs(number)) + _OFFSET) - _DIGITS + 1, _FINEST)
    return f"{math.floor(number / 10.0**place + _OFFSET)}e{place}"
