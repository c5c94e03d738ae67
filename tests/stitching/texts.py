"""Field-based restitching of a window, texts in, texts out."""

from __future__ import annotations

import polars as pl

from stitching.field_based import TRANSITION_LIMIT, answer, coded, restitch


def replay(
    events: pl.DataFrame,
    evidence: pl.DataFrame,
    *,
    last: bool = False,
    transition_limit: int = TRANSITION_LIMIT,
) -> pl.DataFrame:
    """Return ``row``, ``person`` and ``known`` of each event; arguments as of ``restitch``."""
    codes = coded(events)
    found = restitch(codes, evidence, last=last, transition_limit=transition_limit)
    return answer(events, codes, found)
