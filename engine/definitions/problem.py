"""Something wrong in the definitions, at a key path so that its line can be named."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """Something wrong at a key path of the definitions."""

    path: Path
    message: str
    hint: str | None = None
