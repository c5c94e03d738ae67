"""Any Arrow array as a list of encoded values: for small results and nested types.

Nested arrays are encoded child by child, so a list of ten million numbers is one column to it too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import WaylineError
from sqlfront.wire import binary, text
from sqlfront.wire.moments import timetz_binary
from sqlfront.wire.types import BY_NAME, is_unconstrained, kept_type, pg_name, pg_oid, storage_type
from sqlfront.wire.zones import local_times

Encoder = Callable[[Any], bytes]
_OID_TYPES: Final = ("oid", "xid", *(name for name in BY_NAME if name.startswith("reg")))


def _encoded(function: Callable[[Any], str]) -> Encoder:
    return lambda value: function(value).encode()


_TEXT: Final[dict[str, Encoder]] = {
    "bool": lambda value: b"t" if value else b"f",
    "float4": _encoded(text.float4_text),
    "float8": _encoded(text.float8_text),
    "numeric": _encoded(text.numeric_text),
    "date": _encoded(text.date_text),
    "time": _encoded(text.time_text),
    "timestamp": _encoded(text.timestamp_text),
    "timestamptz": _encoded(lambda point: text.timestamp_text(*point)),
    "interval": _encoded(lambda parts: text.interval_text(*parts)),
    "bytea": _encoded(text.bytea_text),
    "uuid": _encoded(text.uuid_text),
    "int2vector": _encoded(lambda elements: " ".join(map(str, elements))),
    "oidvector": _encoded(lambda elements: " ".join(map(str, elements))),
}
_BINARY: Final[dict[str, Encoder]] = {
    "bool": struct.Struct("!?").pack,
    "int2": struct.Struct("!h").pack,
    "int4": struct.Struct("!i").pack,
    "int8": struct.Struct("!q").pack,
    "float4": struct.Struct("!f").pack,
    "float8": struct.Struct("!d").pack,
    "numeric": binary.numeric_binary,
    "date": binary.date_binary,
    "time": struct.Struct("!q").pack,
    "timetz": timetz_binary,
    "timestamp": binary.timestamp_binary,
    "timestamptz": binary.timestamp_binary,
    "interval": lambda parts: binary.interval_binary(*parts),
    "uuid": binary.uuid_binary,
    "bytea": bytes,
    "jsonb": lambda value: b"\x01" + value.encode(),
    "char": lambda value: value[:1].encode("latin-1", "replace") or b"\0",
    "int2vector": lambda elements: _vector(elements, "int2"),
    "oidvector": lambda elements: _vector(elements, "oid"),
} | {name: struct.Struct("!I").pack for name in _OID_TYPES}


def _vector(elements: list[int], element: str) -> bytes:
    encoded = [_BINARY[element](value) for value in elements]
    return binary.array_binary(encoded, BY_NAME[element].oid, [len(encoded)], first=0)


def _plain(value: Any) -> bytes:
    return str(value).encode()


def opened(array: pa.Array) -> pa.Array:
    """Return the array in its storage type: extensions and dictionaries are opened."""
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(array, pa.DictionaryArray):
        return opened(array.dictionary_decode())
    return array


def encode_values(array: pa.Array, arrow_type: pa.DataType, is_binary: bool) -> list[bytes | None]:
    """Return the array's values in PostgreSQL's text or binary format, None where they are NULL.

    Args:
        array: values; an extension or dictionary array is opened.
        arrow_type: type that was announced to the client; it decides how values are written.
        is_binary: the format.
    """
    array, storage = opened(array), storage_type(arrow_type)
    if array.type != storage and not pa.types.is_nested(storage):
        array = array.cast(storage)
    name = pg_name(arrow_type)
    if is_binary and _is_several_dimensions(storage) and name != "text":
        return list(_boxes(array, storage))
    if pa.types.is_map(storage) or (pa.types.is_list(storage) and name in ("text", f"_{name[1:]}")):
        return list(_lists(array, storage, is_binary and name != "text"))
    if pa.types.is_struct(storage):
        return list(_records(array, storage, is_binary))
    encode = (_BINARY if is_binary else _TEXT).get(name, _plain)
    values = local_times(array) if name == "timestamptz" and not is_binary else _python_values(array)
    return [None if value is None else encode(value) for value in values]


def _python_values(array: pa.Array) -> list[Any]:
    """Return Python values; times as integers (µs, days) and intervals as (months, days, µs)."""
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _integers(pc.cast(array, _in_micros(kind), safe=False), pa.int64())
    if pa.types.is_date32(kind):
        return _integers(array, pa.int32())
    if pa.types.is_duration(kind):
        micros = _integers(pc.cast(array, pa.duration("us"), safe=False), pa.int64())
        return [None if value is None else (0, 0, value) for value in micros]
    values: list[Any] = array.to_pylist()
    if is_unconstrained(kind):
        return [None if value is None else text.trimmed(value) for value in values]
    if kind == pa.month_day_nano_interval():
        return [None if value is None else _in_parts(*value) for value in values]
    return values


def _in_parts(months: int, days: int, nanos: int) -> tuple[int, int, int]:
    return months, days, nanos // 1000


def _integers(array: pa.Array, width: pa.DataType) -> list[Any]:
    values: list[Any] = array.cast(width).to_pylist()
    return values


def _in_micros(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else pa.time64("us")


def _lists(array: pa.Array, kind: pa.DataType, is_binary: bool) -> Iterator[bytes | None]:
    """Yield each list from its encoded elements."""
    offsets = array.offsets.to_pylist()
    valid = array.is_valid().to_pylist()
    element = _element(kind)
    values = _children(array, kind).slice(offsets[0], offsets[-1] - offsets[0])
    elements = encode_values(values, element, is_binary)
    oid, nested = pg_oid(element), pa.types.is_list(element) or pa.types.is_map(element)
    for index, present in enumerate(valid):
        start, end = offsets[index] - offsets[0], offsets[index + 1] - offsets[0]
        part = elements[start:end]
        if not present:
            yield None
        elif is_binary:
            yield binary.array_binary(part, oid)
        else:
            decoded = [None if item is None else item.decode() for item in part]
            yield text.array_text(decoded, nested).encode()


def _is_several_dimensions(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) and pa.types.is_list(storage_type(kind.value_type)))


def _boxes(array: pa.Array, kind: pa.DataType) -> Iterator[bytes | None]:
    """Yield each list of lists as one array of several dimensions."""
    leaf = kind
    while pa.types.is_list(leaf):
        leaf = storage_type(leaf.value_type) if _is_several_dimensions(leaf) else leaf.value_type
    oid = pg_oid(leaf)
    for parts in array.to_pylist():
        if parts is None:
            yield None
            continue
        sizes, values = _box(parts, 1)
        yield binary.array_binary(encode_values(pa.array(values, kept_type(leaf)), leaf, True), oid, sizes)


def _box(parts: list[Any] | None, depth: int) -> tuple[list[int], list[Any]]:
    """Return the size of each dimension, and all elements in a row."""
    if parts is None:
        raise RaggedArrayError()
    if not any(isinstance(part, list) for part in parts):
        return [len(parts)], parts
    boxes = [_box(part, depth + 1) for part in parts]
    if any(sizes != boxes[0][0] for sizes, _ in boxes):
        raise RaggedArrayError()
    return [len(parts), *boxes[0][0]], [value for _, values in boxes for value in values]


class RaggedArrayError(WaylineError):
    """Lists in a list that differ in length, which no PostgreSQL array can hold."""

    sqlstate = "2202E"
    http_status = 400

    def __init__(self) -> None:
        super().__init__(
            "multidimensional arrays must have sub-arrays of one length",
            hint="Ask for the value in text format, or unnest it.",
        )


def _element(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_map(kind):
        return pa.struct([kind.key_field, kind.item_field])
    return kind.value_type


def _children(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_map(kind):
        return pa.StructArray.from_arrays([array.keys, array.items], fields=[kind.key_field, kind.item_field])
    return array.values


def _records(array: pa.Array, kind: pa.DataType, is_binary: bool) -> Iterator[bytes | None]:
    """Yield each struct from its encoded fields."""
    types = [field.type for field in kind]
    oids = [pg_oid(child) for child in types]
    encoded = [encode_values(array.field(at), child, is_binary) for at, child in enumerate(types)]
    rows = zip(*encoded, strict=True) if encoded else iter([()] * len(array))
    for present, row in zip(array.is_valid().to_pylist(), rows, strict=True):
        if not present:
            yield None
        elif is_binary:
            yield binary.record_binary(list(zip(oids, row, strict=True)))
        else:
            decoded = [None if item is None else item.decode() for item in row]
            yield text.record_text(decoded).encode()
