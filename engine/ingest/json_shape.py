"""The Arrow schema that lets the block parser read a file's records at full speed.

JSON has fewer types than a schema: a timestamp may be text or a number. What the first records hold
decides which one the parser is told to expect; a record that differs is read by itself.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
from pyarrow import json as arrow_json

from engine.definitions.model import FieldDefinition

_SAMPLE_BYTES: Final = 256 << 10
_SPARE_DIGITS: Final = 18


def observed_schema(data: bytes) -> pa.Schema:
    """Return the schema that the parser sees in the first records; empty if it cannot read them."""
    sample = data[:_SAMPLE_BYTES]
    if len(sample) < len(data):
        sample = sample[: sample.rfind(b"\n") + 1]
    try:
        return arrow_json.read_json(io.BytesIO(sample)).schema
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return pa.schema([])


def fast_schema(fields: Mapping[str, FieldDefinition], observed: pa.Schema | pa.StructType) -> pa.Schema:
    """Return the schema to parse with: the fields' shapes, scalars as they were observed."""
    return pa.schema([pa.field(name, _shape(field, _seen(observed, name))) for name, field in fields.items()])


def _seen(observed: pa.Schema | pa.StructType, name: str) -> pa.DataType:
    index = observed.get_field_index(name)
    return observed.field(index).type if index >= 0 else pa.null()


def _shape(field: FieldDefinition, seen: pa.DataType) -> pa.DataType:
    if field.type == "object":
        return _struct(field, seen)
    if field.type == "array":
        element = seen.value_type if pa.types.is_list(seen) else pa.null()
        if field.items is not None:
            return pa.list_(_shape(FieldDefinition(type=field.items), element))
        return pa.list_(_struct(field, element))
    return _scalar(field.arrow(), seen)


def _struct(field: FieldDefinition, seen: pa.DataType) -> pa.DataType:
    children = seen if pa.types.is_struct(seen) else pa.schema([])
    return pa.struct(list(fast_schema(field.fields, children)))


def _scalar(target: pa.DataType, seen: pa.DataType) -> pa.DataType:
    if pa.types.is_decimal(target):
        # Room for digits beyond the scale, which are rounded later.
        return pa.decimal128(38, max(target.scale, _SPARE_DIGITS))
    if pa.types.is_boolean(target):
        return pa.string() if _is_text(seen) else target
    if pa.types.is_integer(seen) or pa.types.is_floating(seen):
        return pa.float64() if pa.types.is_floating(target) else seen
    if _is_text(seen) or pa.types.is_string(target) or pa.types.is_temporal(target):
        return pa.string()
    return pa.float64() if pa.types.is_floating(target) else pa.int64()


def _is_text(seen: pa.DataType) -> bool:
    return bool(pa.types.is_string(seen) or pa.types.is_temporal(seen))
