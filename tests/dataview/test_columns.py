"""Columns read through their buffers: the same values as Arrow says, also of slices and of only NULLs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dataview.values import numbers, taken
from engine.journeys.present import present, validity

TYPES = [pa.string(), pa.int32(), pa.float64(), pa.decimal128(5, 1), pa.bool_()]
VALUES = {
    pa.string(): st.sampled_from(["a", "b", ""]),
    pa.int32(): st.integers(-2, 2),
    pa.float64(): st.sampled_from([0.0, 1.5, -2.5]),
    pa.decimal128(5, 1): st.decimals(-9, 9, places=1),
    pa.bool_(): st.booleans(),
}


@st.composite
def columns(draw, types=TYPES):
    kind = draw(st.sampled_from(types))
    values = draw(st.lists(st.none() | VALUES[kind], max_size=20))
    column = pa.array(values, kind)
    if pa.types.is_string(kind) and draw(st.booleans()):
        column = column.dictionary_encode()
    first = draw(st.integers(0, len(values)))
    return column.slice(first, draw(st.integers(0, len(values) - first)))


@given(columns())
def test_a_column_without_its_nulls(column):
    values, times = column.to_pylist(), np.arange(len(column)) * 10
    assert validity(column).tolist() == [value is not None for value in values]
    found = present(column, times)
    assert found.rows.tolist() == [row for row, value in enumerate(values) if value is not None]
    assert found.times.tolist() == [row * 10 for row in found.rows]
    assert found.values.to_pylist() == [value for value in values if value is not None]


@given(columns(), st.data())
def test_only_events_within_a_mask(column, data):
    size = len(column)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), np.uint8)
    found = present(column, np.arange(size))
    within = found.within(mask)
    kept = [
        (row, value) for row, value in zip(found.rows, found.values.to_pylist(), strict=True) if mask[row]
    ]
    assert list(zip(within.rows, within.values.to_pylist(), strict=True)) == kept
    assert within.times.tolist() == within.rows.tolist()
    assert found.within(None) is found


@given(columns(), st.data())
def test_rows_are_taken_and_minus_one_is_null(column, data):
    rows = data.draw(st.lists(st.integers(-1, len(column) - 1), max_size=20))
    values = column.to_pylist()
    expected = [None if row < 0 else values[row] for row in rows]
    assert taken(column, np.array(rows, np.int32)).to_pylist() == expected


@given(columns([pa.int32(), pa.float64(), pa.decimal128(5, 1)]))
def test_numbers_are_zero_where_there_is_no_value(column):
    assert numbers(column).tolist() == pytest.approx([float(value or 0) for value in column.to_pylist()])


@pytest.mark.parametrize("kind", [pa.null(), pa.int32(), pa.dictionary(pa.int32(), pa.string())])
def test_nothing_but_nulls(kind):
    column = pa.nulls(3, kind)
    assert not validity(column).any()
    assert present(column, np.zeros(3, np.int64)).rows.size == 0
    assert taken(column, np.array([0, -1])).to_pylist() == [None, None]
