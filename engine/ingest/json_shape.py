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


def has_identity_map(fields: Mapping[str, FieldDefinition]) -> bool:
    """Return whether a field is an identity map, whose namespaces nobody knows in advance."""
    return any(field.type == "identity_map" or has_identity_map(field.fields) for field in fields.values())


def is_expected(fields: Mapping[str, FieldDefinition], parsed: pa.Schema | pa.StructType) -> bool:
    """Return whether what was parsed has the fields' names, and text in all identities that are text."""
    return all(child.name in fields and _is_shaped(fields[child.name], child.type) for child in parsed)


def _is_shaped(field: FieldDefinition, parsed: pa.DataType) -> bool:
    if field.type == "identity_map":
        entries = [child.type.value_type for child in _members(parsed) if pa.types.is_list(child.type)]
        # The parser miscounts lists of which it has seen nothing but nulls.
        return not any(pa.types.is_null(entry) or _tells_time(entry) for entry in entries)
    element = parsed.value_type if pa.types.is_list(parsed) else parsed
    return not field.fields or is_expected(field.fields, pa.schema(_members(element)))


def _tells_time(entry: pa.DataType) -> bool:
    return any(pa.types.is_temporal(inner.type) for inner in _members(entry))


def _members(kind: pa.DataType) -> list[pa.Field]:
    return list(kind) if pa.types.is_struct(kind) else []


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
    if field.type == "identity_map":
        return _identity_map(field, seen)
    return _scalar(field.arrow(), seen)


def _identity_map(field: FieldDefinition, seen: pa.DataType) -> pa.DataType:
    if pa.types.is_list(seen) and pa.types.is_struct(seen.value_type):
        return pa.list_(_identity(field, seen.value_type))
    lists = [(child.name, child.type.value_type) for child in _members(seen) if pa.types.is_list(child.type)]
    told = [(name, entry) for name, entry in lists if pa.types.is_struct(entry)]
    return pa.struct([(name, pa.list_(_identity(field, entry))) for name, entry in told])


def _identity(field: FieldDefinition, seen: pa.StructType) -> pa.StructType:
    """Return the shape of an entry, which may tell more than is read."""
    known = {name: _shape(child, _seen(seen, name)) for name, child in field.elements.items()}
    return pa.struct({**{child.name: child.type for child in seen}, **known}.items())


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
