"""Converts a raw column to a field's scalar type: what does not fit becomes NULL and is reported.

Blank text is no value. Whole numbers must stay whole; digits beyond a decimal's scale are rounded.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from engine.ingest.moments import (
    dates_from_text,
    timestamps_from_moments,
    timestamps_from_numbers,
    timestamps_from_text,
)
from engine.types import is_number

_EXACT_DOUBLE: Final = float(1 << 53)


def convert_scalar(raw: pa.Array, target: pa.DataType) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Return the column in the target type, and a mask of the rows whose value did not fit.

    Args:
        raw: strings, numbers, booleans, dates or timestamps; also dictionaries of these.
        target: a scalar field type.
    """
    raw = _plain(raw)
    converted = _convert(raw, target)
    if converted.null_count == raw.null_count:
        return converted, np.zeros(len(raw), np.bool_)
    lost = pc.and_(converted.is_null(), raw.is_valid())
    return converted, np.asarray(lost.to_numpy(zero_copy_only=False), np.bool_)


def _plain(raw: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    if pa.types.is_large_string(raw.type) or pa.types.is_string_view(raw.type):
        raw = raw.cast(pa.string())
    if pa.types.is_string(raw.type):
        blank = pc.equal(pc.binary_length(raw), 0)
        if pc.any(blank).as_py():
            raw = pc.if_else(blank, pa.scalar(None, pa.string()), raw)
    return raw


def _convert(raw: pa.Array, target: pa.DataType) -> pa.Array:
    if raw.type == target and not pa.types.is_temporal(target) and not pa.types.is_floating(target):
        return raw
    converted: pa.Array | pl.Series | None = None
    if pa.types.is_string(raw.type):
        converted = _from_text(raw, target)
    elif pa.types.is_boolean(raw.type):
        converted = None
    elif pa.types.is_temporal(raw.type):
        converted = _from_moments(raw, target)
    elif is_number(raw.type):
        converted = _from_numbers(pl.Series(raw), target)
    if converted is None:
        return pa.nulls(len(raw), target)
    plain = converted.to_arrow() if isinstance(converted, pl.Series) else converted
    return plain if plain.type == target else plain.cast(target)


def _from_text(raw: pa.Array, target: pa.DataType) -> pa.Array | pl.Series:
    if pa.types.is_timestamp(target):
        return timestamps_from_text(raw)
    text = pl.Series(raw)
    if pa.types.is_date(target):
        return dates_from_text(text)
    if pa.types.is_boolean(target):
        words = text.str.strip_chars().str.to_lowercase()
        return words.replace_strict({"true": True, "false": False}, default=None)
    if pa.types.is_integer(target):
        return _whole_from_text(text, target)
    if pa.types.is_decimal(target):
        return text.str.strip_chars().cast(pl.Decimal(target.precision, target.scale), strict=False)
    return _finite(_lenient(text, pl.Float64()))


def _whole_from_text(text: pl.Series, target: pa.DataType) -> pl.Series:
    found = _lenient(text, pl.Int64())
    if found.null_count() > text.null_count():
        # Second thoughts for texts such as 3.0 and 1e3, which are whole numbers too.
        found = found.fill_null(_whole(_lenient(text, pl.Float64())))
    return _narrow(found, target)


def _lenient(text: pl.Series, kind: pl.DataType) -> pl.Series:
    found = text.cast(kind, strict=False)
    if found.null_count() > text.null_count():
        found = found.fill_null(text.str.strip_chars().cast(kind, strict=False))
    return found


def _from_numbers(numbers: pl.Series, target: pa.DataType) -> pl.Series | None:
    if pa.types.is_string(target):
        return (_finite(numbers) if numbers.dtype.is_float() else numbers).cast(pl.String)
    if pa.types.is_integer(target):
        return _narrow(_whole(numbers), target)
    if pa.types.is_decimal(target):
        finite = _finite(numbers) if numbers.dtype.is_float() else numbers
        return finite.cast(pl.Decimal(target.precision, target.scale), strict=False)
    if pa.types.is_floating(target):
        return _finite(numbers.cast(pl.Float64))
    if pa.types.is_timestamp(target):
        return timestamps_from_numbers(_whole(numbers))
    if pa.types.is_date(target):
        return timestamps_from_numbers(_whole(numbers)).cast(pl.Date)
    return None


def _from_moments(raw: pa.Array, target: pa.DataType) -> pa.Array | pl.Series | None:
    if pa.types.is_date(raw.type) and pa.types.is_date(target):
        return raw.cast(target)
    if pa.types.is_timestamp(raw.type) and pa.types.is_timestamp(target):
        return timestamps_from_moments(raw)
    return None


def _whole(numbers: pl.Series) -> pl.Series:
    if numbers.dtype.is_integer():
        return numbers.cast(pl.Int64, strict=False)
    if numbers.dtype.is_decimal():
        whole = numbers.cast(pl.Int64, strict=False)
        return _where(whole, whole.cast(numbers.dtype, strict=False) == numbers)
    return _where(
        numbers.cast(pl.Int64, strict=False),
        (numbers.floor() == numbers) & (numbers.abs() <= _EXACT_DOUBLE),
    )


def _narrow(whole: pl.Series, target: pa.DataType) -> pl.Series:
    narrow = {8: pl.Int8, 16: pl.Int16, 32: pl.Int32, 64: pl.Int64}[target.bit_width]
    return whole.cast(narrow, strict=False)


def _finite(numbers: pl.Series) -> pl.Series:
    return _where(numbers, numbers.is_finite())


def _where(values: pl.Series, condition: pl.Series) -> pl.Series:
    return values.zip_with(condition, pl.Series([None], dtype=values.dtype))
