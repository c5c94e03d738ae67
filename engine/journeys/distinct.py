"""Distinct persons and sessions per group, as a sum: which events are the first of theirs in their group.

The events of a person, and of a session, lie side by side, so one remembered number per group is enough.
"""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np
import numpy.typing as npt

_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)


def first_in_group(
    containers: npt.NDArray[np.int32], codes: npt.NDArray[np.int32], groups: int
) -> npt.NDArray[np.uint8]:
    """Mark the first event of each container in each group; O(N + G).

    Args:
        containers: int32[N], the number of the event's person or session, equal ones side by side; negative
            where the event has none that counts.
        codes: int32[N], the event's group.
        groups: G, all codes are below.

    Returns:
        uint8[N]: their sum over a group is the number of distinct containers in it.
    """
    firsts = np.empty(containers.size, np.uint8)
    _mark_firsts(containers, codes, np.full(groups, -1, np.int32), firsts)
    return firsts


@nb.njit(nb.void(_CODES, _CODES, nb.int32[::1], nb.uint8[::1]), nogil=True, cache=True)
def _mark_firsts(
    containers: npt.NDArray[np.int32],
    codes: npt.NDArray[np.int32],
    latest: npt.NDArray[np.int32],
    firsts: npt.NDArray[np.uint8],
) -> None:
    for row in range(containers.size):
        container, code = containers[row], codes[row]
        seen = latest[code]
        firsts[row] = (container >= 0) & (container != seen)
        latest[code] = container if container >= 0 else seen
