"""Reads one JSON record by itself and says exactly what is wrong with it.

The slow twin of the block reader, for the records that the fast one refuses: it checks the record's
shape against the schema and turns every scalar into text, whose conversion is checked later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa

from engine.definitions.model import FieldDefinition
from engine.errors import did_you_mean
from engine.ingest.diagnostics import NOT_CONVERTIBLE, UNKNOWN_FIELD, UNPARSABLE
from engine.ingest.identity_map import TEXTS, read_entries

Reader = Callable[[Any], Any]

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


def record_reader(
    fields: Mapping[str, FieldDefinition], *, ignore_unknown: bool
) -> Callable[[bytes], dict[str, Any]]:
    """Return a function that reads a line: shaped as the schema, scalars as text.

    The function raises RecordError if the line is not JSON, has an unknown field, or a value of
    the wrong kind.
    """
    read_object = _object_reader(fields, "", ignore_unknown)
    decode = json.JSONDecoder(
        parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=_distinct
    ).decode

    def read(line: bytes) -> dict[str, Any]:
        try:
            record = decode(line.decode())
        except UnicodeDecodeError:
            raise RecordError(UNPARSABLE, "not valid UTF-8") from None
        except (ValueError, RecursionError):
            raise RecordError(UNPARSABLE, "not valid JSON") from None
        if not isinstance(record, dict):
            raise RecordError(UNPARSABLE, "not a JSON object")
        found: dict[str, Any] = read_object(record)
        return found

    return read


def text_type(field: FieldDefinition) -> pa.DataType:
    """Return the Arrow type of a field whose scalars are text, as ``record_reader`` reads them."""
    if field.type == "object":
        return _text_struct(field)
    if field.type == "array":
        return pa.list_(pa.string() if field.items else _text_struct(field))
    if field.type == "identity_map":
        return TEXTS
    return pa.string()


def _text_struct(field: FieldDefinition) -> pa.DataType:
    return pa.struct([pa.field(name, text_type(child)) for name, child in field.fields.items()])


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice")
    return found


def _reader(field: FieldDefinition, path: str, ignore: bool) -> Reader:
    if field.type == "object":
        return _object_reader(field.fields, f"{path}.", ignore)
    if field.type == "array":
        return _array_reader(field, path, ignore)
    if field.type == "identity_map":
        return _identity_map_reader(field, path)
    return _scalar_reader(field.type, path)


def _object_reader(fields: Mapping[str, FieldDefinition], prefix: str, ignore: bool) -> Reader:
    readers = {name: _reader(field, f"{prefix}{name}", ignore) for name, field in fields.items()}

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise RecordError(NOT_CONVERTIBLE, f"{prefix[:-1]}: not a valid object")
        found = {}
        for name, inner in value.items():
            reader = readers.get(name)
            if reader is not None:
                found[name] = None if inner is None else reader(inner)
            elif not ignore:
                hint = did_you_mean(name, fields) or ""
                reason = f"{prefix}{name}: not in the schema. {hint}".strip()
                raise RecordError(UNKNOWN_FIELD, reason)
        return found

    return read


def _array_reader(field: FieldDefinition, path: str, ignore: bool) -> Reader:
    if field.items is not None:
        element = _scalar_reader(field.items, path)
    else:
        element = _object_reader(field.fields, f"{path}.", ignore)

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise RecordError(NOT_CONVERTIBLE, f"{path}: not a valid array")
        return [None if inner is None else element(inner) for inner in value]

    return read


def _identity_map_reader(field: FieldDefinition, path: str) -> Reader:
    # Entries may tell more, such as a login state.
    element = _object_reader(field.elements, f"{path}.", ignore=True)

    def read(value: Any) -> list[Any]:
        found = read_entries(value)
        if found is None:
            raise RecordError(NOT_CONVERTIBLE, f"{path}: not a valid identity_map")
        return [element(entry) for entry in found]

    return read


def _scalar_reader(kind: str, path: str) -> Reader:
    takes_booleans = kind == "boolean"

    def read(value: Any) -> str:
        if isinstance(value, bool):
            if takes_booleans:
                return "true" if value else "false"
        elif isinstance(value, _Number):
            if not takes_booleans and value not in _NOT_FINITE:
                return str(value)
        elif isinstance(value, str):
            return value
        raise RecordError(NOT_CONVERTIBLE, f"{path}: not a valid {kind}")

    return read
