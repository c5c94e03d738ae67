"""Values and rows as text: one spelling for the clients of all languages, so that one answer is expected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal


def shown(value: object) -> str:
    """Return a value in the spelling that all clients share."""
    if value is None or value != value:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float | Decimal):
        return f"{Decimal(str(value)).normalize():f}"
    return str(value.replace(tzinfo=None) if isinstance(value, datetime) else value)


def rows(answer: Iterable[Sequence[object]]) -> str:
    """Return rows in the spelling that all clients share."""
    return " / ".join("|".join(map(shown, row)) for row in answer)
