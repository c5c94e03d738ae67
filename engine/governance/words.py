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
        values: the values.
        spelled: each of them as it is, and as JSON and CSV write it; the longest first.
    """

    values: tuple[str, ...]
    spelled: tuple[str, ...]

    def find(self, text: str, *, record: bool) -> bool:
        """Return whether a text holds a value.

        Args:
            text: the text.
            record: it quotes what was handed in, so every value counts that stands as a word. Otherwise
                a short one has to be in quotes, as texts also have numbers and names of their own.
        """
        return self._pattern(text, record=record).search(text) is not None

    def replace(self, text: str, instead: str, *, record: bool) -> str:
        """Return a text with something else in place of values; ``record`` as in ``find``."""
        return self._pattern(text, record=record).sub(instead, text)

    def ends(self, text: str) -> bool:
        """Return whether a text that was cut off may end within a value: with half of it or more."""
        return any(
            text.endswith(value[:size])
            for value in self.values
            for size in range(len(value) // 2, len(value))
        )

    def _pattern(self, text: str, *, record: bool) -> re.Pattern[str]:
        """Return what finds the values in a text that holds some of them; nothing if it holds none."""
        # A pattern of thousands of values would be slow on every text.
        held = [spelling for spelling in self.spelled if spelling in text]
        words = [re.escape(spelling) for spelling in held if record or len(spelling) >= LONG]
        quoted = [re.escape(spelling) for spelling in held if not record and len(spelling) < LONG]
        either = [rf"(?<!\w)(?:{'|'.join(words)})(?!\w)"] if words else []
        either += [rf"(?<=[\"'])(?:{'|'.join(quoted)})(?=[\"'])"] if quoted else []
        return re.compile("|".join(either) or r"(?!)")


def words_of(values: Iterable[str]) -> Words:
    """Return how some values are found."""
    known = tuple(sorted(set(values)))
    spelled = {spelling for value in known for spelling in spellings(value)}
    return Words(known, tuple(sorted(spelled, key=lambda text: (-len(text), text))))


def spellings(value: str) -> set[str]:
    """Return a value as it is, and as JSON and CSV write it."""
    return {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        value.replace('"', '""'),
    }
