"""Field-based restitching of a window, texts in, texts out."""

from __future__ import annotations

import polars as pl

from stitching.field_based import TRANSITION_LIMIT, answer, coded, restitch
from stitching.names import Numbered


def replay(
    events: pl.DataFrame,
    evidence: pl.DataFrame,
    *,
    last: bool = False,
    transition_limit: int = TRANSITION_LIMIT,
) -> pl.DataFrame:
    """Return ``row``, ``person`` and ``known`` of each event; ``evidence`` is ``device, person``, the rest as of ``restitch``."""
    device, person = (Numbered.of(events[name]) for name in ("device", "person"))
    codes = coded(device, person, events["time"].to_numpy())
    persons = dict(evidence.select("device", "person").iter_rows())
    known = pl.Series([persons.get(device) for device in codes.device_texts], dtype=pl.String)
    found = restitch(codes, known, last=last, transition_limit=transition_limit)
    return answer(events, codes, found)
