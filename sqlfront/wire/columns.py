"""Whole Arrow columns in PostgreSQL's formats, without touching a value in Python.

What this cannot do at speed (nested types, years before Christ) goes through the codec.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sqlfront.wire import text, zones
from sqlfront.wire.binary import EPOCH_DAYS, EPOCH_MICROS
from sqlfront.wire.codec import encode_values, opened
from sqlfront.wire.types import is_unconstrained, pg_name, storage_type

Numbers = npt.NDArray[Any]
FIRST_MICROS: Final = -62_135_596_800_000_000
LAST_MICROS: Final = 253_402_300_799_999_999
FIRST_DAYS: Final = -719_162
LAST_DAYS: Final = 2_932_896
_ARROW_EXPONENT_FROM: Final = 1e10
_PLAIN_FLOATS: Final = {"float4": (1e-4, 1e6), "float8": (1e-4, _ARROW_EXPONENT_FROM)}


@dataclass(frozen=True)
class Fixed:
    """A column whose values all have one width.

    Attributes:
        array: the values, in memory as integers or what can be sent like them.
        dtype: integers of the width.
        less: taken off each.
    """

    array: pa.Array
    dtype: str
    less: int = 0

    @property
    def numbers(self) -> Numbers:
        """Native integers, nothing taken off; arbitrary where NULL."""
        return numbers_of(self.array, self.dtype)

    @property
    def values(self) -> Numbers:
        """Big-endian integers as they are sent; arbitrary where NULL."""
        sent: Numbers = (self.numbers - np.dtype(self.dtype).type(self.less)).astype(f">{self.dtype}")
        return sent

    @property
    def valid(self) -> npt.NDArray[np.bool_] | None:
        """For each value whether it is not NULL; None if none is."""
        return valid_mask(self.array)


Variable: TypeAlias = pa.BinaryArray
"""A column whose values differ in length; NULLs are Arrow's."""


def encode_column(array: pa.Array, arrow_type: pa.DataType, is_binary: bool) -> Fixed | Variable:
    """Return a column's values in PostgreSQL's text or binary format.

    Args:
        array: values of one record batch.
        arrow_type: type that was announced to the client.
        is_binary: the format.
    """
    if isinstance(array, pa.ExtensionArray):
        return encode_column(array.storage, arrow_type, is_binary)
    if isinstance(array, pa.DictionaryArray) and len(array.dictionary) <= len(array):
        return _encode_dictionary(array, arrow_type, is_binary)
    array, storage = opened(array), storage_type(arrow_type)
    if array.type != storage and not pa.types.is_nested(storage):
        array = array.cast(storage)
    name = pg_name(arrow_type)
    fast = (_BINARY if is_binary else _TEXT).get(name) if is_plain(array.type, name) else None
    encoded = fast(array) if fast else None
    if encoded is None:
        return pa.array(encode_values(array, arrow_type, is_binary), pa.binary())
    return encoded


def _encode_dictionary(array: pa.DictionaryArray, arrow_type: pa.DataType, is_binary: bool) -> Any:
    """Encode each distinct value once."""
    encoded = encode_column(array.dictionary, arrow_type, is_binary)
    if isinstance(encoded, Fixed):
        return encode_column(array.dictionary_decode(), arrow_type, is_binary)
    return encoded.take(array.indices)


def is_plain(kind: pa.DataType, name: str) -> bool:
    """Tell whether Arrow holds this type the way the fast encoders read it."""
    if name in ("timestamp", "timestamptz"):
        return bool(kind.unit == "us")
    if name == "time":
        return bool(kind == pa.time64("us"))
    return not pa.types.is_nested(kind)


def numbers_of(array: pa.Array, dtype: str) -> Numbers:
    """Return the values as they lie in memory; arbitrary where NULL."""
    values = np.frombuffer(array.buffers()[1], dtype=dtype)
    return values[array.offset : array.offset + len(array)]


def valid_mask(array: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Return for each value whether it is not NULL; None if none is."""
    return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None


def _as_binary(array: pa.Array) -> pa.BinaryArray:
    """Return a string array as bytes, without copying where its offsets have 32 bits."""
    if array.type in (pa.string(), pa.binary()):
        return array.view(pa.binary())
    return array.cast(pa.string()).view(pa.binary())


def _fixed(dtype: str, kind: pa.DataType | None = None) -> Callable[[pa.Array], Fixed]:
    """Return an encoder of values that are integers in memory, once they are of a type."""

    def encode(array: pa.Array) -> Fixed:
        return Fixed(array if kind in (None, array.type) else array.cast(kind), dtype)

    return encode


def _timestamp_binary(array: pa.Array) -> Fixed | None:
    if not within(numbers_of(array, "i8"), array, FIRST_MICROS, LAST_MICROS):
        return None
    return Fixed(array, "i8", EPOCH_MICROS)


def _date_binary(array: pa.Array) -> Fixed | None:
    if not within(numbers_of(array, "i4"), array, FIRST_DAYS, LAST_DAYS):
        return None
    return Fixed(array, "i4", EPOCH_DAYS)


def within(numbers: Numbers, array: pa.Array, low: int, high: int) -> bool:
    """Tell whether the numbers of an array that are not NULL lie between two, these included.

    What lies where NULL is seldom matters, so that it is set apart only if it does.
    """
    if not len(numbers) or (numbers.min() >= low and numbers.max() <= high):
        return True
    present = numbers[valid_mask(array)] if array.null_count else numbers
    return not len(present) or bool(present.min() >= low and present.max() <= high)


def _bool_text(array: pa.Array) -> Variable:
    return _as_binary(pc.if_else(array, "t", "f"))


def _integer_text(array: pa.Array) -> Variable:
    return _as_binary(pc.cast(array, pa.string()))


def _numeric_text(array: pa.Array) -> Variable | None:
    """Arrow prints like PostgreSQL, except that it turns to exponents for many leading zeros."""
    texts = pc.cast(array, pa.string())
    if pc.any(pc.match_substring(texts, "E")).as_py():
        return None
    return _as_binary(_trimmed(texts) if is_unconstrained(array.type) else texts)


def float_text(name: str, one: Callable[[float], str]) -> Callable[[pa.Array], Variable]:
    """Return a printer of floats that leaves to ``one`` what Arrow would print in another way."""

    def encode(array: pa.Array) -> Variable:
        size = pc.abs(array)
        low, high = _PLAIN_FLOATS[name]
        plain = pc.or_(pc.equal(size, 0), pc.and_(pc.greater_equal(size, low), pc.less(size, high)))
        texts = pc.cast(array, pa.string())
        if pc.all(plain).as_py() is not False:
            return _as_binary(texts)
        special = pc.fill_null(pc.invert(plain), False)
        replaced = pa.array(map(one, array.filter(special).to_pylist()), pa.string())
        return _as_binary(pc.replace_with_mask(texts, special, replaced))

    return encode


def _date_text(array: pa.Array) -> Variable | None:
    if not within(numbers_of(array, "i4"), array, FIRST_DAYS, LAST_DAYS):
        return None
    return _as_binary(pc.cast(array, pa.string()))


def _timestamp_text(array: pa.Array) -> Variable | None:
    written = _moments_text(array, array)
    return None if written is None else _as_binary(written)


def _timestamptz_text(array: pa.Array) -> Variable | None:
    """Write instants in the zone of their type, each with its offset."""
    if array.type.tz == zones.UTC:
        written = _moments_text(array, array)
        return None if written is None else _as_binary(pc.binary_join_element_wise(written, "+00", ""))
    written = _moments_text(array, pc.local_timestamp(array))
    if written is None:
        return None
    ahead, which = np.unique(zones.offsets(array), return_inverse=True)
    texts = pa.array([text.offset_text(seconds) for seconds in ahead.tolist()])
    return _as_binary(pc.binary_join_element_wise(written, texts.take(pa.array(which)), ""))


def _moments_text(array: pa.Array, shown: pa.Array) -> pa.StringArray | None:
    """Write times without a zone; None if any is beyond the years that Arrow can write."""
    micros, valid = numbers_of(array, "i8"), valid_mask(array)
    if not within(micros, array, FIRST_MICROS + text.DAY, LAST_MICROS - text.DAY):
        return None
    naive = shown.view(pa.int64()).view(pa.timestamp("us"))
    present = numbers_of(shown, "i8") if valid is None else numbers_of(shown, "i8")[valid]
    if not (present % text.SECOND).any():
        return pc.cast(pc.cast(naive, pa.timestamp("s"), safe=False), pa.string())
    return _trimmed(pc.cast(naive, pa.string()))


def _trimmed(texts: pa.StringArray) -> pa.StringArray:
    return pc.ascii_rtrim(pc.ascii_rtrim(texts, "0"), ".")


def _time_text(array: pa.Array) -> Variable | None:
    """Arrow has no 24:00."""
    if not within(numbers_of(array, "i8"), array, 0, text.DAY - 1):
        return None
    return _as_binary(_trimmed(pc.cast(array, pa.string())))


_STRINGS: Final = ("text", "varchar", "name", "json", "bpchar")
_BINARY: Final[dict[str, Callable[[pa.Array], Fixed | Variable | None]]] = {
    "bool": _fixed("u1", pa.uint8()),
    "int2": _fixed("i2", pa.int16()),
    "int4": _fixed("i4", pa.int32()),
    "int8": _fixed("i8", pa.int64()),
    "float4": _fixed("i4"),
    "float8": _fixed("i8"),
    "date": _date_binary,
    "time": _fixed("i8"),
    "timestamp": _timestamp_binary,
    "timestamptz": _timestamp_binary,
    "bytea": _as_binary,
} | dict.fromkeys(_STRINGS, _as_binary)
_TEXT: Final[dict[str, Callable[[pa.Array], Fixed | Variable | None]]] = {
    "bool": _bool_text,
    "int2": _integer_text,
    "int4": _integer_text,
    "int8": _integer_text,
    "oid": _integer_text,
    "numeric": _numeric_text,
    "float4": float_text("float4", text.float4_text),
    "float8": float_text("float8", text.float8_text),
    "date": _date_text,
    "time": _time_text,
    "timestamp": _timestamp_text,
    "timestamptz": _timestamptz_text,
} | dict.fromkeys(_STRINGS, _as_binary)
