"""The next or previous value of one person's events: walk on from every event, one by one."""

from __future__ import annotations

from collections.abc import Sequence


def neighbour(
    values: Sequence[object | None],
    containers: Sequence[int],
    *,
    ahead: bool,
    index: int = 1,
    repeats: bool = True,
) -> list[object | None]:
    """Return the value so many places away from each event; None where there is none.

    Args:
        values: the value of each event of one person, None where it is blank.
        containers: only events of the same container are neighbours.
        ahead: the next value, else the previous one.
        index: how many places away.
        repeats: whether a value that follows itself counts again.
    """
    found: list[object | None] = []
    for event, value in enumerate(values):
        if value is None:
            found.append(None)
            continue
        others = range(event + 1, len(values)) if ahead else range(event - 1, -1, -1)
        path: list[object] = [value]
        for other in others:
            candidate = values[other]
            if containers[other] != containers[event] or candidate is None:
                continue
            if repeats or candidate != path[-1]:
                path.append(candidate)
        found.append(path[index] if index < len(path) else None)
    return found
