"""A cache of decoded columns, shared by all threads of the process and bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Final, TypeVar, cast

from engine import memory

T = TypeVar("T")


class Cache:
    """Keeps what was used last; what is being made by one thread is waited for by the others.

    Args:
        budget: how many bytes to keep at most; one value larger than this is not kept.
    """

    def __init__(self, budget: Callable[[], int]) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, Future[Any]] = {}
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[Any], int]) -> T:
        """Return the value of a key, made if it is not there; what ``make`` raises is raised.

        Args:
            key: names the value for good: equal keys must mean equal values.
            make: makes the value; may ask the cache for other keys.
            size: bytes that the value holds.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(T, self._kept[key][0])
            waiting = self._making.get(key)
            if waiting is None:
                promise = self._making[key] = Future()
        return cast(T, waiting.result()) if waiting else self._make(key, promise, make, size)

    def find(self, key: Hashable) -> Any | None:
        """Return the value of a key if it is there, without waiting for one that is being made."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def keep(self, key: Hashable, value: object, size: int) -> None:
        """Keep a value that was made elsewhere."""
        with self._lock:
            if key not in self._kept:
                self._keep(key, value, size)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _make(
        self,
        key: Hashable,
        promise: Future[Any],
        make: Callable[[], T],
        size: Callable[[Any], int],
    ) -> T:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            promise.set_exception(error)
            raise
        with self._lock:
            self._keep(key, value, size(value))
            del self._making[key]
        promise.set_result(value)
        return value

    def _keep(self, key: Hashable, value: object, held: int) -> None:
        budget = self._budget()
        if held > budget:
            return
        self._kept[key] = (value, held)
        self._bytes += held
        while self._bytes > budget:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed


columns: Final = Cache(memory.cache_budget)
"""The process's decoded journey columns; the memory limit decides how much is kept."""
