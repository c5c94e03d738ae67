"""Distinct containers in each group: a set for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


def distinct(containers: Sequence[int], groups: Sequence[int]) -> dict[int, int]:
    """Return for each group that occurs how many containers it has events of; negative ones do not count."""
    found: dict[int, set[int]] = defaultdict(set)
    for container, group in zip(containers, groups, strict=True):
        found[group] |= {container} if container >= 0 else set()
    return {group: len(members) for group, members in found.items()}
