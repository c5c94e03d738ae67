"""Persisted values of a frame: from a dimension's settings to the row whose value each event shows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from engine.dataview.components import Component
from engine.journeys.persistence import Allocation, Expiration, persisted_rows
from engine.journeys.present import validity
from engine.report.plan import ReportPlan, microseconds, persistence_of

if TYPE_CHECKING:
    from engine.report.frame import Frame


def kept_rows(frame: Frame, component: Component) -> np.ndarray:
    """int32[N]: the row whose value applies, −1 where none does."""
    settings = persistence_of(component)
    if settings is None:
        raise AssertionError(f"{component.id} has no persistence")
    ttl, expiration = 0, Expiration.CUSTOM
    if isinstance(settings.expiration, str):
        expiration = Expiration(settings.expiration)
    elif isinstance(settings.expiration, timedelta):
        ttl = microseconds(settings.expiration)
    present = validity(frame.raw(component)).view(np.uint8)
    within = frame.since(_first_set(frame.plan, expiration, ttl))
    return persisted_rows(
        frame.chunk.offsets,
        frame.chunk.times,
        present if within is None else present & within,
        frame.starts,
        Allocation(settings.allocation),
        expiration,
        ttl,
    )


def _first_set(plan: ReportPlan, expiration: Expiration, ttl: int) -> int | None:
    """Values that were set before do not count, however much of the past happens to be read."""
    start = plan.request.range.start
    if start is None or expiration is Expiration.SESSION:
        return None
    return start if expiration is Expiration.PERSON else start - plan.reach - ttl
