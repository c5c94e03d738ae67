"""Reads one JSON record by itself and says exactly what is wrong with it.

The slow twin of the block reader, for the records that the fast one refuses: it checks the record's
shape against the schema and turns every scalar into text, whose conversion is checked later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from engine.definitions.model import FieldDefinition
from engine.errors import did_you_mean
from engine.ingest.diagnostics import NOT_CONVERTIBLE, UNKNOWN_FIELD, UNPARSABLE

_NOT_FINITE: Final = ("NaN", "Infinity", "-Infinity")


class RecordError(Exception):
    """A record that is rejected, with the code and the reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Number(str):
    """The text of a JSON number, to tell it from a JSON string."""

    __slots__ = ()


def read_record(
    line: bytes, fields: Mapping[str, FieldDefinition], *, ignore_unknown: bool
) -> dict[str, Any]:
    """Return the record shaped as the schema, scalars as text.

    Raises:
        RecordError: it is not JSON, has an unknown field, or a value of the wrong kind.
    """
    try:
        record = json.loads(
            line.decode(),
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
            object_pairs_hook=_distinct,
        )
    except UnicodeDecodeError:
        raise RecordError(UNPARSABLE, "not valid UTF-8") from None
    except (ValueError, RecursionError):
        raise RecordError(UNPARSABLE, "not valid JSON") from None
    if not isinstance(record, dict):
        raise RecordError(UNPARSABLE, "not a JSON object")
    return _object(record, fields, "", ignore_unknown)


def text_type(field: FieldDefinition) -> pa.DataType:
    """Return the Arrow type of a field whose scalars are text, as ``read_record`` returns them."""
    if field.type == "object":
        return _text_struct(field)
    if field.type == "array":
        return pa.list_(pa.string() if field.items else _text_struct(field))
    return pa.string()


def _text_struct(field: FieldDefinition) -> pa.DataType:
    return pa.struct([pa.field(name, text_type(child)) for name, child in field.fields.items()])


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice")
    return found


def _object(
    value: dict[str, Any], fields: Mapping[str, FieldDefinition], prefix: str, ignore: bool
) -> dict[str, Any]:
    for name in value:
        if name not in fields and not ignore:
            hint = did_you_mean(name, fields) or ""
            raise RecordError(UNKNOWN_FIELD, f"{prefix}{name}: not in the schema. {hint}".strip())
    return {
        name: _value(value[name], field, f"{prefix}{name}", ignore)
        for name, field in fields.items()
        if name in value
    }


def _value(value: Any, field: FieldDefinition, path: str, ignore: bool) -> Any:
    if value is None:
        return None
    if field.type == "object" and isinstance(value, dict):
        return _object(value, field.fields, f"{path}.", ignore)
    if field.type == "array" and isinstance(value, list):
        return [_element(element, field, path, ignore) for element in value]
    if field.type not in ("object", "array"):
        return _scalar(value, field.type, path)
    raise RecordError(NOT_CONVERTIBLE, f"{path}: not a valid {field.type}")


def _element(value: Any, field: FieldDefinition, path: str, ignore: bool) -> Any:
    if value is None:
        return None
    if field.items is not None:
        return _scalar(value, field.items, path)
    if isinstance(value, dict):
        return _object(value, field.fields, f"{path}.", ignore)
    raise RecordError(NOT_CONVERTIBLE, f"{path}: not a valid object")


def _scalar(value: Any, kind: str, path: str) -> str:
    if isinstance(value, bool):
        fits = kind == "boolean"
    elif isinstance(value, _Number):
        fits = kind != "boolean" and value not in _NOT_FINITE
    else:
        fits = isinstance(value, str)
    if not fits:
        raise RecordError(NOT_CONVERTIBLE, f"{path}: not a valid {kind}")
    return str(value).lower() if isinstance(value, bool) else str(value)
