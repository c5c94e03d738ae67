"""Slows down whoever guesses passwords or cancel keys: after a few wrong ones the next tries have to wait."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from sqlfront.sqlstate import SqlError

FREE_TRIES: Final = 5
LONGEST_WAIT: Final = 30.0
_FORGOTTEN_AFTER: Final = 600.0
_REMEMBERED: Final = 10_000
_LOG = logging.getLogger(__name__)
_Key = tuple[str, ...]


@dataclass
class _Failures:
    count: int
    last: float

    @property
    def wait(self) -> float:
        """Seconds after the last failure in which no further try counts: 1, 2, 4 … 30."""
        beyond = self.count - FREE_TRIES
        return min(2.0 ** min(beyond, 10), LONGEST_WAIT) if beyond >= 0 else 0.0


class Guesses:
    """Guards the count of wrong tries per key; used on the event loop only.

    Args:
        clock: seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[_Key, _Failures] = OrderedDict()

    def wait(self, *key: str) -> float:
        """Return how many seconds no further try counts, not even a right one."""
        failures = self._failures.get(key)
        return 0.0 if failures is None else max(failures.last + failures.wait - self._clock(), 0.0)

    def failed(self, *key: str) -> int:
        """Note a wrong try, and return its number."""
        now = self._clock()
        before = self._failures.pop(key, None)
        recent = before is not None and now - before.last < _FORGOTTEN_AFTER
        count = before.count + 1 if before is not None and recent else 1
        self._failures[key] = _Failures(count, now)
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        return count

    def forget(self, *key: str) -> None:
        """Forget wrong tries."""
        self._failures.pop(key, None)


class Logins:
    """Slows down guesses of passwords per user and address; used on the event loop only.

    Args:
        clock: seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._guesses = Guesses(clock)

    def check(self, user: str, address: str) -> None:
        """Raise SqlError while further tries have to wait; a right password would not help either."""
        left = self._guesses.wait(user, address)
        if left > 0:
            raise SqlError(
                f'too many failed logins of user "{user}" from {address}',
                "28000",
                hint=f"Try again in {left:.0f} seconds." if left >= 2 else "Try again in a second.",
            )

    def failed(self, user: str, address: str) -> None:
        """Note a wrong password."""
        count = self._guesses.failed(user, address)
        _LOG.warning("failed login of user %r from %s, number %d", user, address, count)

    def succeeded(self, user: str, address: str) -> None:
        """Forget a user's wrong passwords."""
        self._guesses.forget(user, address)
