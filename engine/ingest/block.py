"""A piece of a file as a reader hands it on, and a thread that reads ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Queue
from threading import Event, Thread
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.catalog.records import Reject

Item = TypeVar("Item")


@dataclass(frozen=True)
class Block:
    """Some records of a file.

    Attributes:
        file: the file's name as the user gave it.
        table: raw columns, one row per readable record; nested, or flat with dotted names.
        lines: int64[rows], where each record stands (``Reject.line``).
        text: row → the record as text.
        rejects: unreadable records met on the way.
        position: bytes of the file read so far.
    """

    file: str
    table: pa.Table
    lines: npt.NDArray[np.int64]
    text: Callable[[int], str]
    rejects: tuple[Reject, ...]
    position: int


def prefetched(items: Iterator[Item], depth: int = 2) -> Iterator[Item]:
    """Yield the items while a thread already makes the next ones; its errors are raised here."""
    queue: Queue[Item | BaseException | None] = Queue(depth)
    stopped = Event()
    worker = Thread(target=_fill, args=(items, queue, stopped), daemon=True)
    worker.start()
    try:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        while worker.is_alive():
            _drain(queue)
            worker.join(0.01)


def _fill(items: Iterator[Item], queue: Queue[Item | BaseException | None], stopped: Event) -> None:
    try:
        for item in items:
            queue.put(item)
            if stopped.is_set():
                return
        queue.put(None)
    except BaseException as error:
        queue.put(error)


def _drain(queue: Queue[Item | BaseException | None]) -> None:
    while not queue.empty():
        queue.get()
