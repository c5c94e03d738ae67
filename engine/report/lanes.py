"""The rows of each kind of lane: which events or touches they are, and what stands beside them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from attribution.models import Mask
from attribution.rows import marked_rows
from engine.dataview.values import combined, taken
from engine.report.aggregate import used_in
from engine.report.algorithmic import LanePaths, lane_paths
from engine.report.columns import ROW_INDEX, column_name, duplicate_name
from engine.report.credited import shared_rows, touched_rows
from engine.report.frame import Frame, both
from engine.report.keeping import is_deduplicated
from engine.report.once import counts_once, with_firsts
from engine.report.plan import Kind, Lane
from engine.report.rows import Asked, Numbers, Opened, opened_rows

_NUMBERS: Final = {Kind.ELEMENT_EVENTS: Numbers.EVENTS, Kind.ELEMENT_VALUES: Numbers.ELEMENTS}


def lane_rows(frame: Frame, lane: Lane) -> Opened | LanePaths:
    """Return the rows that a lane's statement aggregates, columns named by component; or a chunk's paths."""
    if lane.kind is Kind.SETS:
        return lane_paths(frame, lane)
    if lane.kind is Kind.TOUCHES:
        return touched_rows(frame, lane)
    if lane.kind is Kind.SHARES:
        return shared_rows(frame, lane)
    ids = frozenset(used_in(frame.plan, lane))
    chosen = both(frame.chosen, frame.matches(lane.segment))
    if lane.kind is Kind.ROWS:
        rows: Opened = _single_rows(frame, ids, chosen)
    else:
        # Where there is no column, numbers tell how many rows there are.
        numbers = _NUMBERS.get(lane.kind) if ids else Numbers.EVENTS
        rows = opened_rows(frame, Asked(ids, lane.array, chosen, lane.segment, numbers))
    firsts = isinstance(rows, pa.Table) and counts_once(frame.plan, lane)
    return with_firsts(rows, frame.plan, lane) if firsts else rows


def _single_rows(frame: Frame, ids: frozenset[str], chosen: Mask | None) -> pa.Table:
    """One row per event; several values of a dimension stand in one text."""
    rows = np.arange(frame.chunk.times.size, dtype=np.int32) if chosen is None else marked_rows(chosen)
    columns = {}
    for component in map(frame.plan.view.component, sorted(ids)):
        columns[column_name(component)] = taken(combined(frame.shown(component)), rows)
        if is_deduplicated(component):
            columns[duplicate_name(component)] = taken(frame.zeros(component, None), rows)
    return pa.table(columns | ({} if columns else {ROW_INDEX: pa.array(rows)}))
