"""Sessions of one person, event by event, as the specification words them."""

from __future__ import annotations

from collections.abc import Sequence


def session_numbers(
    times: Sequence[int],
    timeout: int,
    marks: Sequence[bool] | None = None,
    last_marks: Sequence[bool] | None = None,
) -> list[int]:
    """Return the session of each event: 0 for the person's first session, 1 for the next.

    Args:
        times: event times of one person in journey order.
        timeout: a longer gap than this starts a session; the same unit as the times.
        marks: events that start a session whatever the gap.
        last_marks: events that are the last of their session.
    """
    numbers: list[int] = []
    for event, time in enumerate(times):
        if event == 0:
            numbers.append(0)
            continue
        long_gap = time - times[event - 1] > timeout
        marked = marks is not None and bool(marks[event])
        ended = last_marks is not None and bool(last_marks[event - 1])
        numbers.append(numbers[-1] + 1 if long_gap or marked or ended else numbers[-1])
    return numbers


def ends(sessions: Sequence[int]) -> list[bool]:
    """Return for each event whether no later one belongs to its session."""
    return [number not in sessions[event + 1 :] for event, number in enumerate(sessions)]


def time_spent(times: Sequence[int], sessions: Sequence[int]) -> list[int]:
    """Return the time from each event to the next one of its session, 0 on the last."""
    spent = []
    for event, time in enumerate(times):
        later = [times[other] for other in range(event + 1, len(times)) if sessions[other] == sessions[event]]
        spent.append(later[0] - time if later else 0)
    return spent


def depths(containers: Sequence[int], present: Sequence[bool]) -> list[int]:
    """Return for each event with a value its place among those of its container, from 1; 0 on the others."""
    found = []
    for event, container in enumerate(containers):
        before = [other for other in range(event + 1) if containers[other] == container and present[other]]
        found.append(len(before) if present[event] else 0)
    return found


def first_time(
    times: Sequence[int], sessions: Sequence[int], since: int | None, begin: int | None
) -> list[bool]:
    """Return for each event whether its session is a first-time one.

    Args:
        times: event times of one person in journey order.
        sessions: session of each event.
        since: events before are ignored, None ignores none.
        begin: a session that begins before the report does is none, None reports on everything.
    """
    answer = []
    for number in sessions:
        own = [event for event, other in enumerate(sessions) if other == number]
        earlier = [times[event] for event in range(own[0]) if since is None or times[event] >= since]
        spans = begin is not None and times[own[0]] < begin
        answer.append(not earlier and not spans)
    return answer
