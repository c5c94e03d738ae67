"""Sessions of one person, event by event, as the specification words them."""

from __future__ import annotations

from collections.abc import Sequence


def session_numbers(times: Sequence[int], timeout: int, marks: Sequence[bool] | None = None) -> list[int]:
    """Return the session of each event: 0 for the person's first session, 1 for the next.

    Args:
        times: event times of one person in journey order.
        timeout: a longer gap than this starts a session; the same unit as the times.
        marks: events that start a session whatever the gap.
    """
    numbers: list[int] = []
    for event, time in enumerate(times):
        if event == 0:
            numbers.append(0)
            continue
        long_gap = time - times[event - 1] > timeout
        marked = marks is not None and bool(marks[event])
        numbers.append(numbers[-1] + 1 if long_gap or marked else numbers[-1])
    return numbers
