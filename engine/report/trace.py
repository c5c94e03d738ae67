"""What the steps of one report took: time, rows and bytes, added up over its chunks and threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.journeys.scan import Chunk


@dataclass(frozen=True)
class Taken:
    """What one step took.

    Attributes:
        chunks: how many chunks it worked on.
        rows: of all that it made; of a mask, those that it marks.
        size: bytes of all that it made.
        seconds: of work; with several threads, more than has passed.
    """

    chunks: int = 0
    rows: int = 0
    size: int = 0
    seconds: float = 0.0


class Trace:
    """Notes what each step takes. Safe to share between threads.

    Args:
        counting: note rows and bytes, which takes some time itself.

    Attributes:
        counting: whether rows and bytes are noted.
        buckets: in how many buckets the journeys lie that the chunks are made of.
    """

    def __init__(self, *, counting: bool) -> None:
        self.buckets = 0
        self.counting = counting
        self._lock = threading.Lock()
        self._taken: dict[str, Taken] = {}

    @property
    def taken(self) -> Mapping[str, Taken]:
        """Step → what it took, for those that ran."""
        with self._lock:
            return dict(self._taken)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[Any], None]]:
        """Note what a step on one chunk takes while the block runs; the block names what it made."""
        made: list[tuple[int, int]] = []
        begun = time.perf_counter()
        yield (lambda thing: made.append((_rows(thing), thing.nbytes))) if self.counting else _ignore
        seconds = time.perf_counter() - begun
        with self._lock:
            known = self._taken.get(name, Taken())
            self._taken[name] = replace(
                known,
                chunks=known.chunks + 1,
                rows=known.rows + sum(rows for rows, _ in made),
                size=known.size + sum(size for _, size in made),
                seconds=known.seconds + seconds,
            )


def _ignore(thing: Any) -> None:
    """Note nothing."""


def _rows(thing: Any) -> int:
    if isinstance(thing, Chunk):
        return thing.rows
    is_mask = isinstance(thing, np.ndarray) and thing.dtype == np.uint8
    return int(np.count_nonzero(thing)) if is_mask else len(thing)
