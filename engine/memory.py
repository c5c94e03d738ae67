"""How much memory the process may use, and what follows from it for its parts.

One limit decides: what the column cache keeps, how much is decoded at once, and DuckDB's own limit.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from engine.errors import InputError
from engine.folders import scratch

VARIABLE: Final = "WAYLINE_MEMORY_LIMIT"
"""Environment variable with the limit, such as ``2GB``."""

_IDLE: Final = 440 << 20
"""What the process needs before it reads any events: Python, and the libraries once they have worked."""
_LEAST: Final = 64 << 20
_UNITS: Final = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_CGROUP: Final = Path("/sys/fs/cgroup/memory.max")
_NAP: Final = 0.02


def limit() -> int:
    """Return how many bytes the process may use: the variable's, else three quarters of the machine.

    Raises:
        InputError: the variable is not a size.
    """
    return _limit(os.environ.get(VARIABLE, ""))


def set_limit(text: str) -> None:
    """Set the limit of this process and of those that it starts.

    Raises:
        InputError: the text is not a size.
    """
    _limit(text)
    os.environ[VARIABLE] = text


def cache_budget() -> int:
    """Return how many bytes the column cache may keep."""
    return _free() // 3


def decoding_budget() -> int:
    """Return how many bytes may be under way in chunks: decoded, and derived from what is decoded."""
    return _free() // 3


def duckdb_settings() -> dict[str, bool | int | float | str | list[str]]:
    """Return the settings with which a DuckDB of the process is opened: its limit, and where it spills."""
    return {"memory_limit": f"{_free() // 4}B", "temp_directory": str(scratch() / "spilled")}


def size_in_bytes(text: str) -> int:
    """Read a size such as ``2GB``, ``512 MiB`` or ``1073741824``.

    Raises:
        InputError: it is not one, or it is zero.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?\s*", text.upper())
    if found is None or (found[3] and not found[2]):
        raise _not_a_size(text)
    unit = _BINARY[found[2]] if found[3] else _UNITS[found[2]]
    size = int(float(found[1]) * unit)
    if size <= 0:
        raise _not_a_size(text)
    return size


@dataclass(frozen=True)
class Share:
    """The part of the memory that some questions may take together.

    Attributes:
        name: of those questions.
        percent: of what all questions may take.
    """

    name: str
    percent: int


class Room:
    """Bytes that work takes while it runs; work that does not fit waits, but the first never does.

    Nor does the first of a share.

    Args:
        size: how many bytes there are.
    """

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._freed = threading.Condition()
        self._taken = 0
        self._taken_by: Counter[str] = Counter()

    @contextmanager
    def taken(self, wanted: int, check: Callable[[], None], share: Share | None = None) -> Iterator[None]:
        """Hold bytes while the block runs.

        Args:
            wanted: how many.
            check: called now and then while waiting; what it raises is raised.
            share: which they are also taken from.
        """
        with self._freed:
            while not self._fits(wanted, share):
                self._freed.wait(_NAP)
                check()
            self._take(wanted, share)
        try:
            yield
        finally:
            with self._freed:
                self._take(-wanted, share)
                self._freed.notify_all()

    def _fits(self, wanted: int, share: Share | None) -> bool:
        size = self._size()
        if self._taken and self._taken + wanted > size:
            return False
        before = 0 if share is None else self._taken_by[share.name]
        return share is None or not before or (before + wanted) * 100 <= size * share.percent

    def _take(self, wanted: int, share: Share | None) -> None:
        self._taken += wanted
        if share is not None:
            self._taken_by[share.name] += wanted


decoding: Final = Room(decoding_budget)
"""The process's room for chunks under way, of all questions together."""


@lru_cache(maxsize=8)
def _limit(text: str) -> int:
    return size_in_bytes(text) if text else _machine() * 3 // 4


def _free() -> int:
    return max(limit() - _IDLE, _LEAST)


def _machine() -> int:
    """Bytes of the machine, or of the container if it has less."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(installed, int(_CGROUP.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return installed


def _not_a_size(text: str) -> InputError:
    return InputError(f"{text!r} is not a memory limit", hint="Write a size such as 2GB or 512MiB.")
