"""The rows of each kind of lane: which events or touches they are, and what stands beside them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from attribution.models import Mask
from attribution.rows import marked_rows
from engine.dataview.values import combined, taken
from engine.report.aggregate import used_in
from engine.report.columns import INDEXES, ROW_INDEX, column_name, duplicate_name, is_deduplicated
from engine.report.credited import shared_rows, touched_rows
from engine.report.frame import Frame, both
from engine.report.plan import Kind, Lane
from engine.report.rows import Asked, Numbers, Opened, opened_rows

_NUMBERS: Final = {Kind.ELEMENT_EVENTS: Numbers.EVENTS, Kind.ELEMENT_VALUES: Numbers.ELEMENTS}


def lane_rows(frame: Frame, lane: Lane) -> Opened:
    """Return the rows that a lane's statement aggregates, columns named by component."""
    if lane.kind is Kind.TOUCHES:
        return touched_rows(frame, lane)
    if lane.kind is Kind.SHARES:
        return shared_rows(frame, lane)
    ids = frozenset(used_in(frame.plan, lane))
    chosen = both(frame.chosen, frame.matches(lane.segment))
    if lane.kind is Kind.ROWS:
        return _with_firsts(_single_rows(frame, ids, chosen))
    # Where there is no column, numbers tell how many rows there are.
    numbers = _NUMBERS.get(lane.kind) if ids else Numbers.EVENTS
    return opened_rows(frame, Asked(ids, lane.array, chosen, lane.segment, numbers))


def _single_rows(frame: Frame, ids: frozenset[str], chosen: Mask | None) -> pa.Table:
    """One row per event; several values of a dimension stand in one text."""
    rows = np.arange(frame.chunk.times.size, dtype=np.int32) if chosen is None else marked_rows(chosen)
    columns = {}
    for component in map(frame.plan.view.component, sorted(ids)):
        columns[column_name(component)] = taken(combined(frame.shown(component)), rows)
        if is_deduplicated(component):
            columns[duplicate_name(component)] = taken(frame.zeros(component, None), rows)
    return pa.table(columns | ({} if columns else {ROW_INDEX: pa.array(rows)}))


def _with_firsts(table: pa.Table) -> pa.Table:
    """Replace person and session indices by 1 on their first row and 0 on the others (docs/semantics.md)."""
    for name in INDEXES.values():
        if name in table.column_names:
            index = combined(table.column(name)).to_numpy()
            firsts = np.ones(index.size, np.int64)
            firsts[1:] = index[1:] != index[:-1]
            table = table.set_column(table.column_names.index(name), name, pa.array(firsts))
    return table
