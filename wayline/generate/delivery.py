"""How events reach a file: most on their day, some days late, a few twice.

Days are delivered one after the other; only what is still under way is kept in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wayline.generate import shop
from wayline.generate.randomness import Numbers, uniform
from wayline.generate.visits import Columns, Plan, events, take

LATE_SESSIONS: Final = 0.005
"""Share of sessions that are delivered two to six days late, as from an app that was offline."""
DUPLICATES: Final = 0.004
"""Share of events that are delivered twice: three in four are exact copies, one is later."""


def deliver(plan: Plan, days: range = shop.QUARTER) -> Iterator[Columns]:
    """Yield what arrives on each of the days in order of event time; the last brings the rest.

    The columns are those of ``visits.events`` plus ``repeated`` (a second delivery of an event id).
    Memory is bounded by one day and the under one per cent of a week that is late.
    """
    pending: list[Columns] = []
    for day in days:
        sent = _send(plan, day, days[-1])
        arrived = [take(part, part["arrival"] == day) for part in [*pending, sent]]
        later = (take(part, part["arrival"] > day) for part in [*pending, sent])
        pending = [part for part in later if part["arrival"].size]
        yield _in_time_order(arrived)


def _send(plan: Plan, day: int, last: int) -> Columns:
    """Return the day's events with their day of arrival, and after them their second deliveries."""
    sent = events(plan, day)
    arrival = _arrivals(plan.seed, sent["key"], day, last)
    twice = uniform(plan.seed, "twice", sent["key"]) < DUPLICATES
    second = take(sent, twice)
    second["time"] = second["time"] + _restamp(plan.seed, second["key"])
    delay = np.floor(uniform(plan.seed, "second delay", second["key"]) * 6).clip(max=3)
    again = np.minimum(arrival[twice] + delay.astype(np.int64), last)
    both = {name: np.concatenate([sent[name], second[name]]) for name in sent}
    both["arrival"] = np.concatenate([arrival, again])
    both["repeated"] = np.arange(both["key"].size) >= arrival.size
    return both


def _arrivals(seed: int, key: Numbers, day: int, last: int) -> NDArray[np.int64]:
    session = key >> np.uint64(8)
    late = uniform(seed, "late", session) < LATE_SESSIONS
    delay = 2 + np.floor(uniform(seed, "delay", session) * 5)
    return np.minimum(day + np.where(late, delay, 0).astype(np.int64), last)


def _restamp(seed: int, key: Numbers) -> NDArray[np.int64]:
    """Return what a second delivery adds to the time: mostly nothing, else up to five minutes."""
    draws = uniform(seed, "restamp", key)
    seconds = np.where(draws < 0.25, 1 + np.floor(draws * 4 * 300), 0)
    return seconds.astype(np.int64) * 1_000_000


def _in_time_order(parts: list[Columns]) -> Columns:
    together = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    together.pop("arrival")
    return take(together, np.lexsort((together["repeated"], together["key"], together["time"])))
