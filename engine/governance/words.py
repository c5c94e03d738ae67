"""How identities are recognised in texts that nobody structured, such as rejected records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LONG: Final = 8
"""Characters from which on a value is told from chance wherever it stands."""


@dataclass(frozen=True)
class Words:
    """Values to look for in texts.

    Attributes:
        anywhere: finds every value as a word, for texts that quote data.
        marked: finds long values as words and short ones in quotes, for texts that also have numbers.
        values: the values.
    """

    anywhere: re.Pattern[str]
    marked: re.Pattern[str]
    values: tuple[str, ...]

    def ends(self, text: str) -> bool:
        """Return whether a text that was cut off ends within a value."""
        return any(
            text.endswith(value[:size])
            for value in self.values
            for size in range(len(value) // 2, len(value))
        )


def words_of(values: Iterable[str]) -> Words:
    """Return how some values are found, as they are and as JSON writes them."""
    known = tuple(sorted(set(values), key=lambda value: (-len(value), value)))
    long = [value for value in known if len(value) >= LONG]
    short = [value for value in known if len(value) < LONG]
    quoted = rf"(?<=[\"'])(?:{_any(short)})(?=[\"'])" if short else None
    marked = "|".join(filter(None, [_word(long) if long else None, quoted]))
    return Words(re.compile(_word(known)), re.compile(marked), known)


def spellings(value: str) -> set[str]:
    """Return a value as it is, and as JSON and CSV write it."""
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        value.replace('"', '""'),
    }


def _word(values: Iterable[str]) -> str:
    return rf"(?<!\w)(?:{_any(values)})(?!\w)"


def _any(values: Iterable[str]) -> str:
    # In the order of the values: of one that begins another, the longer one is found.
    return "|".join(re.escape(text) for value in values for text in sorted(spellings(value)))
