"""Rows of removed lake files leave the journeys: which they were, and whom devices know without them.

Rows that repeated them come back through the resolution of duplicates, and are stitched live anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from engine.journeys import devices, intake
from engine.journeys.devices import Journeys
from engine.journeys.duplicates import Resolution
from engine.journeys.intake import IDENTITIES, Member
from engine.lake.table import LakeFile


def departures(member: Member, removed: Sequence[LakeFile]) -> pl.DataFrame:
    """Return the identity rows of removed lake files that could be events."""
    if not removed:
        return pl.DataFrame(schema=IDENTITIES)
    return intake.identities_of(member, removed).filter(intake.admissible())


def memory(source: Journeys, member: Member, known: pl.DataFrame, resolution: Resolution) -> pl.DataFrame:
    """Return whom live stitching knows on devices (``device, person``), without what left the lake.

    Args:
        source: the journeys before the change.
        member: the dataset.
        known: the states of all devices in the change before it.
        resolution: which rows left, and which of them were events.
    """
    left = resolution.dead.join(resolution.departed, on="row", how="semi")
    if not member.field_based or not left.height:
        return devices.memory(known)
    without = devices.learn(source, member, known, left.clear(), left)
    untouched = known.join(without, on="device", how="anti")
    return devices.memory(pl.concat([untouched, without]))
