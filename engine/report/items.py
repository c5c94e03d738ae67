"""Items: the values that touches have of the grouped dimensions, numbered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.models import Rows
from engine.dataview.values import combined
from engine.report.columns import column_name
from engine.report.conversions import Conversions, touch_values
from engine.report.frame import Frame


def touched_items(frame: Frame, found: Conversions) -> tuple[pa.Table, Rows]:
    """Return the distinct items of a chunk's touches, and int32[T]: the item of each touch.

    The table has a column for each grouped dimension, D rows.
    """
    dimensions = [frame.plan.view.component(name) for name in frame.plan.touch_dimensions]
    if len(dimensions) == 1:
        return numbered(pa.table({column_name(dimensions[0]): found.items}))
    rows = pa.array(found.touches.rows)
    values = {column_name(dimension): touch_values(frame, dimension).take(rows) for dimension in dimensions}
    return numbered(pa.table(values))


def numbered(table: pa.Table) -> tuple[pa.Table, Rows]:
    """Return the distinct rows of a table, texts spelled out, and int32[T]: the number of each row."""
    columns = [combined(column) for column in table.columns]
    _, firsts, codes = np.unique(
        reduce(_paired, map(_codes, columns)), return_index=True, return_inverse=True
    )
    rows = pa.array(firsts)
    return pa.table(
        {
            name: _spelled_out(column.take(rows))
            for name, column in zip(table.column_names, columns, strict=True)
        }
    ), codes.astype(np.int32)


def common_items(parts: Sequence[pa.Table]) -> tuple[pa.Table, list[Rows]]:
    """Return the distinct items of several tables in the order of their values, and each table's numbers.

    The order does not depend on how the data was cut, so nothing that follows from it does.
    """
    distinct, codes = numbered(pa.concat_tables(parts))
    order = pc.sort_indices(distinct, sort_keys=[(name, "ascending") for name in distinct.column_names])
    places = np.empty(distinct.num_rows, np.int32)
    places[order.to_numpy()] = np.arange(distinct.num_rows, dtype=np.int32)
    bounds = np.cumsum([part.num_rows for part in parts])[:-1]
    return distinct.take(order), np.split(places[codes], bounds)


def _codes(values: pa.Array) -> np.ndarray:
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    codes: np.ndarray = encoded.indices.to_numpy().astype(np.int64)
    return codes


def _paired(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number pairs of codes: not more numbers than there are rows, so more columns may follow."""
    pairs = first * (second.max(initial=0) + 1) + second
    numbers: np.ndarray = np.unique(pairs, return_inverse=True)[1]
    return numbers


def _spelled_out(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
