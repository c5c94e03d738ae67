"""Slows down whoever guesses passwords: after a few wrong ones a user's next tries have to wait."""

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
_Key = tuple[str, str]


@dataclass
class _Failures:
    count: int
    last: float

    @property
    def wait(self) -> float:
        """Seconds after the last failure in which no further try counts: 1, 2, 4 … 30."""
        beyond = self.count - FREE_TRIES
        return min(2.0 ** min(beyond, 10), LONGEST_WAIT) if beyond >= 0 else 0.0


class Logins:
    """Guards the count of wrong passwords per user and address; used on the event loop only.

    Args:
        clock: seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[_Key, _Failures] = OrderedDict()

    def check(self, user: str, address: str) -> None:
        """Raise SqlError while further tries have to wait; a right password would not help either."""
        failures = self._failures.get((user, address))
        left = failures.last + failures.wait - self._clock() if failures is not None else 0.0
        if left > 0:
            raise SqlError(
                f'too many failed logins of user "{user}" from {address}',
                "28000",
                hint=f"Try again in {left:.0f} seconds." if left >= 2 else "Try again in a second.",
            )

    def failed(self, user: str, address: str) -> None:
        """Note a wrong password."""
        now = self._clock()
        before = self._failures.pop((user, address), None)
        recent = before is not None and now - before.last < _FORGOTTEN_AFTER
        count = before.count + 1 if before is not None and recent else 1
        self._failures[user, address] = _Failures(count, now)
        if len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)
        _LOG.warning("failed login of user %r from %s, number %d", user, address, count)

    def succeeded(self, user: str, address: str) -> None:
        """Forget a user's wrong passwords."""
        self._failures.pop((user, address), None)
