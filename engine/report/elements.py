"""Arrays of objects opened into their elements, and statements over what a frame's rows then are.

Columns of components are written with the table ``rows``, whether they are fields of elements or of events:
what stands beside an element is computed before a statement sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sqlglot import exp

from attribution.models import Mask, Rows
from engine.dataview.components import DataView
from engine.journeys.present import validity
from engine.report.columns import (
    ROW_INDEX,
    column_name,
    component_ids,
    duplicate_name,
    spelled_out,
)
from engine.report.keeping import is_deduplicated
from engine.report.request import LookupJoin

ROWS = "rows"


@dataclass(frozen=True)
class Elements:
    """The elements of N events; an event with an empty or missing array keeps one row, without an element.

    Attributes:
        events: int32[K], ascending: the event of each row.
        places: int32[K]: its element among the values of the array, −1 where there is none.
        begins: int64[N + 1]: event e has the rows ``begins[e]:begins[e + 1]``.
    """

    events: Rows
    places: Rows
    begins: np.ndarray

    def on_first(self, marks: Mask) -> Mask:
        """Return uint8[K]: a mask of events, on the first row of each only."""
        found = np.zeros(self.events.size, np.uint8)
        found[self.begins[:-1]] = marks
        return found


def opened(column: pa.ListArray) -> Elements:
    """Open an array of each of N events; O(N + elements)."""
    offsets = column.offsets.to_numpy()
    sizes = np.where(validity(column), np.diff(offsets), 0)
    begins = np.concatenate([[0], np.cumsum(np.maximum(sizes, 1))])
    events = np.repeat(np.arange(sizes.size, dtype=np.int32), np.diff(begins))
    places = offsets[events] + (np.arange(events.size) - begins[events])
    places[sizes[events] == 0] = -1
    return Elements(events, places.astype(np.int32), begins)


def over_rows(expression: exp.Expr, view: DataView, *, zeros: bool = False) -> exp.Expr:
    """Return an expression over components as one over the table ``rows``.

    Args:
        expression: over components.
        view: theirs.
        zeros: a duplicate of a metric is 0 instead of nothing (docs/semantics.md).
    """

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or node.table:
            return node
        component = view.component(node.name)
        value = exp.column(column_name(component), table=ROWS, quoted=True)
        if not (zeros and is_deduplicated(component)):
            return value
        zero = exp.column(duplicate_name(component), table=ROWS, quoted=True)
        return exp.func("coalesce", value, zero, dialect="duckdb")

    return spelled_out(expression.copy()).transform(replace)


def opens(expressions: Iterable[exp.Expr | None], view: DataView) -> bool:
    """Whether an event may have several rows where these expressions are evaluated."""
    return any(view.component(name).several for name in component_ids(expressions))


def joined(select: exp.Select, lookups: Iterable[LookupJoin], view: DataView) -> exp.Select:
    """Return a SELECT without FROM as one over the table ``rows``, joined with lookups."""
    select = select.from_(exp.to_table(ROWS))
    for lookup in lookups:
        select = select.join(
            exp.alias_(
                exp.table_(relation_name(lookup), quoted=True),
                lookup.alias,
                quoted=True,
                table=True,
            ),
            on=over_rows(lookup.on, view),
            join_type="LEFT" if lookup.outer else "INNER",
        )
    return select


def relation_name(lookup: LookupJoin) -> str:
    """Return the name under which a lookup's rows are registered while a report runs."""
    return f"lookup {lookup.alias}"


def matching(condition: exp.Expr, view: DataView, lookups: Sequence[LookupJoin] = ()) -> exp.Select:
    """Return a SELECT of the row indices of the events on which a condition holds.

    Args:
        lookups: those that the condition names.
    """
    row = exp.column(ROW_INDEX, table=ROWS, quoted=True)
    several = opens([condition, *(lookup.on for lookup in lookups)], view)
    select = exp.select(exp.alias_(row, ROW_INDEX, quoted=True)).distinct(distinct=several)
    return joined(select, lookups, view).where(over_rows(condition, view))
