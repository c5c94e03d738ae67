"""Items: the values that touches have of the grouped dimensions, numbered alike in all chunks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.models import Rows
from engine.dataview.values import combined, decoded, taken
from engine.report.columns import column_name
from engine.report.conversions import Conversions, codes_of, tuple_codes
from engine.report.frame import Frame


def touched_items(frame: Frame, found: Conversions) -> tuple[pa.Table, Rows]:
    """Return the distinct items of a chunk's touches, and int32[T]: the number of each touch's item.

    The table has a column for each grouped dimension, texts spelled out, D rows.
    """
    _, firsts, codes = np.unique(found.item_codes().codes, return_index=True, return_inverse=True)
    rows = found.touches.rows[firsts]
    dimensions = [frame.plan.view.component(name) for name in frame.plan.touch_dimensions]
    values = {column_name(one): decoded(taken(found.values(one), rows)) for one in dimensions}
    return pa.table(values), codes.astype(np.int32)


def common_items(parts: Sequence[pa.Table]) -> tuple[pa.Table, list[Rows]]:
    """Return the distinct items of several tables in the order of their values, and each table's numbers.

    The order does not depend on how the data was cut, so nothing that follows from it does.
    """
    every = pa.concat_tables(parts)
    codes = tuple_codes([codes_of(combined(column)) for column in every.columns]).codes
    _, firsts, numbers = np.unique(codes, return_index=True, return_inverse=True)
    distinct = every.take(pa.array(firsts))
    order = pc.sort_indices(distinct, sort_keys=[(name, "ascending") for name in distinct.column_names])
    places = np.empty(distinct.num_rows, np.int32)
    places[order.to_numpy()] = np.arange(distinct.num_rows, dtype=np.int32)
    bounds = np.cumsum([part.num_rows for part in parts])[:-1]
    return distinct.take(order), np.split(places[numbers], bounds)
