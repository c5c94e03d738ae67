"""How far back a conversion looks: where its container begins and how old a touch may be."""

from __future__ import annotations

from typing import Final

import numpy as np

from attribution.models import Container, Mask, Times

NO_LIMIT: Final = int(np.iinfo(np.int64).max)
"""A lookback in µs that no two event times exceed."""


def container_starts(container: Container, offsets: Times, starts: Mask) -> Mask:
    """Return uint8[N], 1 on the first event of each container.

    Args:
        container: session or person.
        offsets: int64[P + 1]; person p owns the rows ``offsets[p]:offsets[p + 1]``.
        starts: uint8[N], 1 on the first event of each session; a person's first event starts one.
    """
    if container is Container.SESSION:
        return starts
    marks = np.zeros(starts.size, np.uint8)
    firsts = offsets[:-1]
    marks[firsts[firsts < offsets[1:]]] = 1
    return marks


def age_limit(lookback: int | None) -> int:
    """Return the lookback in µs as the kernels take it: no lookback is a limit beyond all ages."""
    return NO_LIMIT if lookback is None else lookback
