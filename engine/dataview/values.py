"""A component's value on each event: value rules, lower case, counting, and sums over arrays.

Rules become one DuckDB expression. On a dictionary-encoded column it runs over the dictionary only, and
the codes follow by take; a rule on a text of a few thousand values so costs nothing per event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from engine.dataview.components import LOCAL_TIME, Component, Role
from engine.dataview.local_time import local_times
from engine.definitions.model import DimensionDefinition, MetricDefinition, ValueRule
from engine.journeys.present import validity

Evaluate = Callable[[pa.Table, exp.Select], pa.Table]
"""Runs a SELECT over one Arrow table, named ``rows`` in the statement, keeping the order of rows."""

_VALUE = exp.column("value", quoted=True)

SEPARATOR: Final = ", "
"""Between the values of an event's elements where they stand in one text."""


def rule_condition(rule: ValueRule, value: exp.Expr) -> exp.Expr:
    """Return the condition under which a value is present: every given criterion holds."""
    terms: list[exp.Expr] = []
    if rule.equals is not None:
        terms.append(exp.In(this=value.copy(), expressions=_literals(rule.equals)))
    if rule.not_equals is not None:
        terms.append(exp.not_(exp.In(this=value.copy(), expressions=_literals(rule.not_equals))))
    for function, text in (
        ("contains", rule.contains),
        ("starts_with", rule.starts_with),
        ("ends_with", rule.ends_with),
    ):
        if text is not None:
            terms.append(exp.Anonymous(this=function, expressions=[value.copy(), exp.convert(text)]))
    if rule.at_least is not None:
        terms.append(exp.GTE(this=value.copy(), expression=exp.convert(rule.at_least)))
    if rule.at_most is not None:
        terms.append(exp.LTE(this=value.copy(), expression=exp.convert(rule.at_most)))
    return exp.and_(*terms) if terms else exp.true()


def _literals(values: list[str | int | float | bool]) -> list[exp.Expr]:
    return [exp.convert(value) for value in values]


def value_expression(component: Component, value: exp.Expr) -> exp.Expr:
    """Return the component's value as an expression over the raw value of its field."""
    settings = component.definition
    result = value.copy()
    if isinstance(settings, MetricDefinition) and settings.count:
        result = exp.case().when(exp.not_(exp.Is(this=result, expression=exp.null())), exp.convert(1))
    if isinstance(settings, DimensionDefinition) and settings.lower_case:
        result = exp.Lower(this=result)
    if settings is not None and settings.values is not None:
        result = exp.case().when(rule_condition(settings.values, value), result)
    return result


def is_plain(component: Component) -> bool:
    """Whether the field's value is the component's value, without any setting."""
    settings = component.definition
    if settings is None or settings.values is not None:
        return settings is None
    return not (settings.count if isinstance(settings, MetricDefinition) else settings.lower_case)


def event_values(component: Component, column: pa.Array, time_zone: str, evaluate: Evaluate) -> pa.Array:
    """Return the component's value on each event, NULL where it has none.

    Args:
        component: a dimension or metric with a source; an element of an array only as a metric, summed.
        column: N values of the source's journey column.
        time_zone: the view's zone; timestamps become its wall clock.
        evaluate: runs SQL over a small table.
    """
    source = component.source
    if source is not None and source.repeated and component.role is Role.DIMENSION:
        values = element_values(component, column, time_zone, evaluate)
        return joined_texts(values, column.offsets.to_numpy())
    if source is not None and source.repeated:
        return _summed_elements(component, column, evaluate)
    return _settled(component, column, time_zone, evaluate)


def element_values(component: Component, column: pa.Array, time_zone: str, evaluate: Evaluate) -> pa.Array:
    """Return the component's value on each element of an array, all events' one after the other.

    Args: as of ``event_values``; the component has its values on elements.
    """
    return _settled(component, _elements(component, column), time_zone, evaluate)


def _settled(component: Component, column: pa.Array, time_zone: str, evaluate: Evaluate) -> pa.Array:
    """Apply a component's settings to the values of its field."""
    if pa.types.is_timestamp(column.type):
        column = as_local(column, time_zone)
    if is_plain(component):
        return column
    if pa.types.is_dictionary(column.type):
        mapped = _apply(component, column.dictionary, evaluate)
        return _through_codes(column, mapped)
    return _apply(component, column, evaluate)


def as_local(column: pa.Array, time_zone: str) -> pa.Array:
    """Return UTC timestamps as timestamps without zone on the zone's wall clock."""
    numbers = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    local = local_times(numbers.fill_null(0).to_numpy(zero_copy_only=False), time_zone)
    mask = numbers.is_null().to_numpy(zero_copy_only=False) if numbers.null_count else None
    return pa.array(local, pa.int64(), mask=mask).cast(LOCAL_TIME)


def _apply(component: Component, values: pa.Array, evaluate: Evaluate) -> pa.Array:
    select = exp.select(exp.alias_(value_expression(component, _VALUE), "value", quoted=True))
    table = evaluate(pa.table({"value": values}), select.from_(exp.to_table("rows")))
    return combined(table.column("value"))


def _through_codes(column: pa.DictionaryArray, mapped: pa.Array) -> pa.Array:
    """Replace a dictionary's values; equal results share one code again."""
    if pa.types.is_string(mapped.type):
        encoded = mapped.dictionary_encode()
        codes = pc.take(encoded.indices, column.indices)
        return pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), encoded.dictionary)
    return pc.take(mapped, column.indices)


def joined_texts(values: pa.Array, offsets: np.ndarray) -> pa.Array:
    """Put the values between two offsets into one text each, in their order; NULL where there is none."""
    kept = np.concatenate([[0], np.cumsum(validity(values))])[offsets]
    texts = pa.ListArray.from_arrays(pa.array(kept, pa.int32()), values.drop_null().cast(pa.string()))
    return pc.if_else(pa.array(np.diff(kept) > 0), pc.binary_join(texts, SEPARATOR), None)


def _elements(component: Component, column: pa.Array) -> pa.Array:
    """The values of a component's field in all elements, one after the other."""
    source = component.source
    return column.values if source is None or source.element is None else column.values.field(source.element)


def _summed_elements(component: Component, column: pa.Array, evaluate: Evaluate) -> pa.Array:
    """Sum a metric over the elements of each event's array; NULL where no element has a value."""
    offsets = column.offsets.to_numpy()
    elements = _elements(component, column)
    if pa.types.is_floating(elements.type) and is_plain(component):
        return _prefix_sums(elements, offsets)
    events = np.repeat(np.arange(len(column)), np.diff(offsets))
    values = elements.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    return _summed(value_expression(component, _VALUE), values, events, len(column), evaluate)


def summed(values: pa.Array, events: np.ndarray, count: int, evaluate: Evaluate) -> pa.Array:
    """Sum elements' values by their event, of which there are ``count``; NULL where none has a value."""
    return _summed(_VALUE, values, events, count, evaluate)


def _summed(
    value: exp.Expr, values: pa.Array, events: np.ndarray, count: int, evaluate: Evaluate
) -> pa.Array:
    total = exp.alias_(exp.Sum(this=value.copy()), "value", quoted=True)
    select = exp.select(exp.column("event"), total).from_(exp.to_table("rows")).group_by("event")
    sums = evaluate(pa.table({"event": events, "value": values}), select)
    positions = np.full(count, -1, np.int64)
    positions[combined(sums.column("event")).to_numpy()] = np.arange(sums.num_rows)
    return taken(combined(sums.column("value")), positions)


def _prefix_sums(elements: pa.Array, offsets: np.ndarray) -> pa.Array:
    """Sum runs of doubles between offsets, each run on its own so that no error spreads."""
    values = numbers(elements)
    present = validity(elements).astype(np.int64)
    sizes = np.diff(offsets)
    filled = np.flatnonzero(sizes)
    sums = np.zeros(sizes.size)
    counts = np.zeros(sizes.size, np.int64)
    if filled.size:
        end = int(offsets[-1])
        sums[filled] = np.add.reduceat(values[:end], offsets[:-1][filled])
        counts[filled] = np.add.reduceat(present[:end], offsets[:-1][filled])
    return pa.array(sums, pa.float64(), mask=counts == 0)


def dense_codes(values: pa.Array) -> np.ndarray:
    """Return int32[N]: equal where values of any type are, from 0 on; −1 where there is none."""
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    return codes_at(values, np.arange(len(values), dtype=np.int32))


def combined(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return one contiguous array."""
    if isinstance(column, pa.Array):
        return column
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def taken(values: pa.Array, rows: np.ndarray) -> pa.Array:
    """Return ``values[rows]``, NULL where a row is −1; a dictionary keeps its values.

    Args:
        values: N values.
        rows: int[K], each −1 or below N.
    """
    if pa.types.is_dictionary(values.type):
        return coded(codes_at(values, rows), values.dictionary)
    missing = rows < 0
    return values.take(pa.array(rows, mask=missing) if missing.any() else pa.array(rows))


def raw_codes(values: pa.DictionaryArray) -> np.ndarray:
    """Return int32[N] codes of a dictionary-encoded column, without a copy; arbitrary where it is NULL."""
    codes: np.ndarray = _buffer(values.indices)
    return codes


def decoded(values: pa.Array) -> pa.Array:
    """Return a column without a dictionary."""
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def codes_at(values: pa.DictionaryArray, rows: np.ndarray) -> np.ndarray:
    """Return int32[K], the codes on some rows of N; −1 where the row is −1 or its value NULL.

    Only these rows are looked at, however many the column has.
    """
    if not len(values):
        return np.full(rows.size, -1, np.int32)
    codes: np.ndarray = raw_codes(values)[rows]
    missing = rows < 0
    if values.null_count:
        missing |= ~_valid_at(values, rows)
    if missing.any():
        codes[missing] = -1
    return codes


def coded(codes: np.ndarray, dictionary: pa.Array) -> pa.DictionaryArray:
    """Return a dictionary-encoded column from int32 codes, NULL where the code is −1."""
    missing = codes < 0
    indices = pa.array(codes, pa.int32(), mask=missing if missing.any() else None)
    return pa.DictionaryArray.from_arrays(indices, dictionary)


def _valid_at(values: pa.Array, rows: np.ndarray) -> np.ndarray:
    """Return bool[K]: validity on some rows of a column that has NULLs; arbitrary where a row is −1."""
    bitmap = values.buffers()[0]
    if bitmap is None:
        return np.zeros(rows.size, bool)
    places = rows + values.offset
    bits: np.ndarray = np.frombuffer(bitmap, np.uint8)[places >> 3] >> (places & 7)
    found: np.ndarray = (bits & 1) != 0
    return found


def numbers(values: pa.Array) -> np.ndarray:
    """Return float64[N] of a numeric column, 0 where it has no value."""
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    found: np.ndarray = _buffer(values).astype(np.float64, copy=False)
    return found if values.null_count == 0 else np.where(validity(values), found, 0.0)


def nonzero(values: pa.Array) -> np.ndarray:
    """Return uint8[N]: the metric happened: it has a value, and that is not zero."""
    happened: np.ndarray = np.not_equal(numbers(values), 0.0)
    return happened.view(np.uint8)


def _buffer(values: pa.Array) -> Any:
    """View a fixed-width column's values without a copy; what lies under a NULL is arbitrary."""
    buffer = values.buffers()[1]
    if buffer is None:
        return np.zeros(len(values), np.dtype(values.type.to_pandas_dtype()))
    dtype = values.type.to_pandas_dtype()
    return np.frombuffer(buffer, dtype)[values.offset : values.offset + len(values)]
