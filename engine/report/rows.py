"""The rows that a statement sees: events, or their elements, with the columns that it names beside them.

A dimension of which an event shows many values is opened block by block while the statement reads, so
that memory does not grow with the number of values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask, Rows
from attribution.rows import marked_rows, mask_at
from engine.dataview.components import Component
from engine.dataview.values import SEPARATOR, combined, taken
from engine.journeys.groups import SoFar
from engine.report.columns import ROW_INDEX, column_name, duplicate_name, in_array
from engine.report.keeping import is_deduplicated

if TYPE_CHECKING:
    from engine.report.frame import Frame

BLOCK_ROWS: Final = 65_536
"""An opened dimension has at most this many rows at a time."""

Opened: TypeAlias = pa.Table | pa.RecordBatchReader


class Numbers(StrEnum):
    """What the column of row numbers counts."""

    EVENTS = "events"
    ELEMENTS = "elements"


@dataclass(frozen=True)
class Asked:
    """Which rows a statement sees, and what beside them.

    Attributes:
        ids: components.
        array: the array that is opened, one row per element.
        chosen: uint8[N]: events that count; None counts all.
        segment: the condition behind ``chosen`` that is a column's own, for what depends on it.
        numbers: what the column of row numbers counts, if there is one.
        duplicates: metrics show their duplicates too, as they do to segments.
    """

    ids: frozenset[str]
    array: str | None = None
    chosen: Mask | None = None
    segment: exp.Expr | None = None
    numbers: Numbers | None = None
    duplicates: bool = False


def opened_rows(frame: Frame, asked: Asked) -> Opened:
    """Return the columns of components, named by ``column_name``; periods all read ``timestamp``."""
    events, places = _places(frame, asked)
    beside = _Side(frame.raw, frame.shown, frame.zeros, events)
    elements = _Side(frame.own_values, frame.on_elements, frame.element_zeros, places)
    columns: dict[str, pa.Array] = {}
    lists: dict[str, tuple[pa.Array, SoFar]] = {}
    for component in map(frame.plan.view.component, sorted(asked.ids)):
        inside = in_array(component, asked.array)
        if component.keeps_all:
            so_far = frame.so_far(component)
            rows = places if inside else events
            lists[component.id] = frame.own_values(component), so_far if rows is None else so_far.at(rows)
        elif inside:
            columns |= _columns(component, asked, elements)
        else:
            columns |= _columns(component, asked, beside)
    if asked.numbers is not None:
        numbers = events if asked.numbers is Numbers.EVENTS else places
        every = np.arange(frame.chunk.times.size, dtype=np.int32)
        columns[ROW_INDEX] = pa.array(every if numbers is None else numbers)
    return _expanded(pa.table(columns), lists) if lists else pa.table(columns)


def _places(frame: Frame, asked: Asked) -> tuple[Rows | None, Rows | None]:
    """The event and the element of each row; None for all events as they are."""
    if asked.array is None:
        events = None if asked.chosen is None else marked_rows(asked.chosen)
        return events, events
    events = frame.elements(asked.array).events
    places = np.arange(events.size, dtype=np.int32)
    if asked.chosen is not None:
        places = marked_rows(mask_at(asked.chosen, events))
        events = events[places]
    return events, places


@dataclass(frozen=True)
class _Side:
    """How a component reads on one kind of place: the events, or the elements of an array.

    Attributes:
        own: its values, duplicates included.
        shown: the same after persistence and without duplicates, given the condition of its column.
        zeros: 0 where a value is a duplicate, likewise.
        rows: the places that are asked for; None for all.
    """

    own: Callable[[Component], pa.Array]
    shown: Callable[[Component, exp.Expr | None], pa.Array]
    zeros: Callable[[Component, exp.Expr | None], pa.Array]
    rows: Rows | None


def _columns(component: Component, asked: Asked, side: _Side) -> dict[str, pa.Array]:
    """A component's values on the places, and beside them what duplicates count."""
    name, segment = column_name(component), asked.segment
    if is_deduplicated(component) and asked.duplicates:
        found = {name: side.own(component)}
    else:
        found = {name: side.shown(component, segment)}
        if is_deduplicated(component):
            found[duplicate_name(component)] = side.zeros(component, segment)
    return found if side.rows is None else {key: taken(combined(v), side.rows) for key, v in found.items()}


def listed_texts(values: pa.Array, so_far: SoFar) -> pa.Array:
    """Put all values of each row into one text; NULL where it has none."""
    begins = np.zeros(so_far.rows.size + 1, np.bool_)
    begins[so_far.begins] = True
    texts: list[str] = []
    for value, first in zip(taken(values, so_far.rows).to_pylist(), begins[:-1], strict=True):
        texts.append(str(value) if first else f"{texts[-1]}{SEPARATOR}{value}")
    places = np.where(so_far.counts > 0, so_far.begins + so_far.counts - 1, -1)
    return taken(pa.array(texts, pa.string()), places)


def _expanded(table: pa.Table, lists: Mapping[str, tuple[pa.Array, SoFar]]) -> pa.RecordBatchReader:
    """Repeat each row for each of its values; for each combination where several dimensions have many."""
    counts = [np.maximum(so_far.counts, 1) for _, so_far in lists.values()]
    ends = np.cumsum(reduce(np.multiply, counts))
    none = np.zeros(0, np.int64)
    empty = _block(table, lists, none, none)
    total = int(ends[-1]) if ends.size else 0

    def blocks() -> Iterator[pa.RecordBatch]:
        for begin in range(0, total, BLOCK_ROWS):
            positions = np.arange(begin, min(begin + BLOCK_ROWS, total))
            rows = np.searchsorted(ends, positions, side="right")
            within = positions - np.where(rows > 0, ends[rows - 1], 0)
            yield _block(table, lists, rows, within)

    return pa.RecordBatchReader.from_batches(empty.schema, blocks())


def _block(
    table: pa.Table, lists: Mapping[str, tuple[pa.Array, SoFar]], rows: np.ndarray, within: np.ndarray
) -> pa.RecordBatch:
    columns = {name: taken(combined(table.column(name)), rows) for name in table.column_names}
    for name, (values, so_far) in lists.items():
        counts = so_far.counts[rows]
        within, place = np.divmod(within, np.maximum(counts, 1))
        listed = np.append(so_far.rows, np.int32(-1))
        sources = np.where(counts > 0, listed[np.where(counts > 0, so_far.begins[rows] + place, -1)], -1)
        columns[name] = taken(values, sources)
    return pa.RecordBatch.from_pydict(columns)
