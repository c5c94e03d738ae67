"""The credit of attributed lanes: each conversion beside the touch that gets it, or sums by item and key.

Kernels say which row a value comes from and how much credit it gets; the values follow by take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa

from attribution.credit import credit
from attribution.entries import Cells, Entries, by_cell
from attribution.models import SINGLES, Codes, Rows
from attribution.rows import mask_at, mask_of
from engine.dataview.components import TIMESTAMP, Component, Role, Scope
from engine.dataview.values import taken
from engine.report.columns import column_name, is_period, is_session_start
from engine.report.conversions import (
    Amounts,
    Conversions,
    codes_of,
    components_of,
    conversions,
    rule_of,
    singles_of,
    spans_of,
    tuple_codes,
)
from engine.report.frame import Frame
from engine.report.keeping import is_deduplicated
from engine.report.periods import period_numbers
from engine.report.places import Places
from engine.report.plan import Lane
from engine.report.standard import ones


@dataclass(frozen=True)
class Credited:
    """L sums of credit, each for an item and what the question takes from the conversions.

    Attributes:
        items: int64[L], codes of the touched values; one after the last where conversions have no touch.
        conversions: int32[L], the row of a conversion that has what the question asks for.
        sums: metric → L numbers, NULL where it gave no credit.
    """

    items: Rows
    conversions: Rows
    sums: Mapping[str, pa.Array]


def touched_rows(frame: Frame, lane: Lane) -> pa.Table:
    """Return conversions, with the touched dimensions' values taken from the touch that gets the credit."""
    found = conversions(frame, lane)
    rows = found.rows()
    sources = found.touch_rows(singles_of(lane, found, rows))

    def values(component: Component) -> pa.Array:
        if _is_touched(frame, component):
            return taken(found.values(component), sources)
        if component.role is Role.METRIC:
            return _measured(lane, component, found, rows)
        return found.places.at(component, rows)

    return pa.table({column_name(component): values(component) for component in components_of(frame, lane)})


def _measured(lane: Lane, metric: Component, found: Conversions, rows: Rows) -> pa.Array:
    """The metric's values on some rows, with their own type; NULL where it has no conversion."""
    places = found.places
    converts = mask_at(mask_of(found.amounts[metric.id].rows, places.times.size), rows)
    if is_session_start(metric) and not is_deduplicated(metric):
        return ones(converts)
    return taken(places.shown(metric, lane.segment), np.where(converts != 0, rows, np.int32(-1)))


def shared_rows(frame: Frame, lane: Lane) -> pa.Table:
    """Return credit by item, with the values of one of its touches and of one of the conversions."""
    found = conversions(frame, lane)
    sums = credited(frame, lane, found)
    touches = _some_row(found.item_codes(), found.touches.rows)[sums.items]
    columns = dict(sums.sums)
    for component in components_of(frame, lane):
        if _is_touched(frame, component):
            columns[column_name(component)] = taken(found.values(component), touches)
        elif component.role is not Role.METRIC:
            columns[column_name(component)] = found.places.at(component, sums.conversions)
    return pa.table(columns)


def _is_touched(frame: Frame, component: Component) -> bool:
    return component.id in frame.plan.touch_dimensions


def credited(frame: Frame, lane: Lane, found: Conversions) -> Credited:
    """Add up a lane's credit by item and by what the question takes from the conversions."""
    keys, converting = _keys(frame, lane, found)
    cells = {name: _cells(lane, found, amounts, keys) for name, amounts in found.amounts.items()}
    listed = reduce(np.union1d, (cell.codes for cell in cells.values()))
    item, key = np.divmod(listed, max(keys.distinct, 1))
    sums = {name: _aligned(cell, listed) for name, cell in cells.items()}
    return Credited(item, converting[key], sums)


def _cells(lane: Lane, found: Conversions, amounts: Amounts, keys: Codes) -> Cells:
    """One metric's credit by item and key; where there is one key only, none is read."""
    several = keys.distinct > 1
    codes = keys.codes[amounts.rows] if several else np.zeros(amounts.rows.size, np.int32)
    items, own = found.item_codes(), Codes(codes, keys.distinct)
    return by_cell(_entries(lane, found, amounts, items, own), items, own)


def _some_row(codes: Codes, rows: Rows) -> Rows:
    """int32[distinct + 1]: a row for each code, -1 after the last."""
    found = np.full(codes.distinct + 1, -1, np.int32)
    found[codes.codes] = rows
    return found


def _aligned(cells: Cells, listed: np.ndarray) -> pa.Array:
    """A metric's credit in all cells; NULL where it has none."""
    places = np.searchsorted(listed, cells.codes)
    sums, missing = np.zeros(listed.size), np.ones(listed.size, np.bool_)
    sums[places], missing[places] = cells.credit, False
    return pa.array(sums, mask=missing)


def _entries(lane: Lane, found: Conversions, amounts: Amounts, items: Codes, keys: Codes) -> Entries:
    """The credit that one metric gives to each touch."""
    rule = rule_of(lane)
    if rule.model in SINGLES:
        singles = singles_of(lane, found, amounts.rows)
        return Entries(singles, np.arange(singles.size, dtype=np.int32), amounts.values)
    spans = spans_of(lane, found, amounts.rows)
    return credit(rule, found.touches.times, items, spans, amounts.values, keys)


def _keys(frame: Frame, lane: Lane, found: Conversions) -> tuple[Codes, Rows]:
    """N codes, on conversions equal where all that the question takes from them is equal; a row for each."""
    others = [
        component
        for component in components_of(frame, lane)
        if component.role is not Role.METRIC and not _is_touched(frame, component)
    ]
    if not others:
        return Codes(np.zeros(0, np.int32), 1), np.full(1, -1, np.int32)
    codes, rows = np.zeros(found.places.times.size, np.int32), found.rows()
    keys = tuple_codes([_key_codes(found.places, component, rows) for component in others])
    codes[rows] = keys.codes
    return Codes(codes, keys.distinct), _some_row(keys, rows)


def _key_codes(places: Places, component: Component, rows: Rows) -> Codes:
    if component.scope is not Scope.TIME or not is_period(component.id):
        return codes_of(places.at(component, rows))
    periods = period_numbers(component.id, local_times_at(places.frame, places.events(rows)))
    first = periods.min(initial=np.iinfo(np.int64).max)
    span = int(periods.max(initial=first) - first) + 1
    # Periods close together are codes already.
    return (
        Codes((periods - first).astype(np.int32), span) if span <= rows.size else codes_of(pa.array(periods))
    )


def local_times_at(frame: Frame, rows: Rows) -> np.ndarray:
    """int64[K]: wall-clock µs of some rows in the view's zone."""
    local: np.ndarray = frame.at(frame.plan.view.component(TIMESTAMP), rows).cast(pa.int64()).to_numpy()
    return local
