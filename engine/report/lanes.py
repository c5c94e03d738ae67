"""The rows of each kind of lane: which events or touches they are, and what stands beside them."""

from __future__ import annotations

import pyarrow as pa

from attribution.rows import marked_rows
from engine.dataview.values import combined, taken
from engine.report.aggregate import used_in
from engine.report.credited import shared_rows, touched_rows
from engine.report.frame import Frame
from engine.report.once import counts_once, with_firsts
from engine.report.plan import Kind, Lane


def lane_rows(frame: Frame, lane: Lane) -> pa.Table:
    """Return the rows that a lane's statement aggregates, columns named by component."""
    if lane.kind is Kind.TOUCHES:
        return touched_rows(frame, lane)
    if lane.kind is Kind.SHARES:
        return shared_rows(frame, lane)
    table = _events(frame, lane)
    if frame.chosen is not None:
        rows = marked_rows(frame.chosen)
        table = pa.table({name: taken(combined(table.column(name)), rows) for name in table.column_names})
    return with_firsts(table, frame.plan, lane) if counts_once(frame.plan, lane) else table


def _events(frame: Frame, lane: Lane) -> pa.Table:
    """All events, numbered where that is asked for, or where nothing else tells how many they are."""
    ids = used_in(frame.plan, lane)
    numbered = lane.kind is Kind.ELEMENT_EVENTS or not ids
    return frame.numbered(ids, lane.array) if numbered else frame.table(ids, lane.array)
