"""Guesses a dataset's definition from a file: fields, timestamp, event id and identities.

A guess is a start for the user, who reads and corrects the YAML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from engine.definitions.model import DatasetDefinition, FieldDefinition
from engine.errors import InputError
from engine.ingest.columns import field_name
from engine.ingest.formats import FormatOptions, source_file
from engine.ingest.guess import (
    guess_event_id,
    guess_identity,
    guess_key,
    guess_timestamp,
    guess_type,
)
from engine.ingest.identity_map import is_identity_map, is_identity_text
from engine.ingest.sample import read_sample

_TEXTS: Final = 100
"""Texts of a column that are looked into."""


@dataclass(frozen=True)
class Inference:
    """A guessed definition.

    Attributes:
        name: the dataset's name, made from the file's.
        notes: field path → why it is what it is.
        records: how many records were looked at.
    """

    name: str
    definition: DatasetDefinition
    notes: Mapping[str, str]
    records: int


def infer(path: Path | str, options: FormatOptions | None = None) -> Inference:
    """Guess the definition of a dataset that could hold a file.

    Without a time that every record has, the dataset is guessed to be a lookup.

    Raises:
        InputError: the file cannot be read, or nothing in it can be a timestamp or a key.
    """
    options = options or FormatOptions()
    source = source_file(path, options.kind)
    table = read_sample(source, options)
    raw = _tree(table)
    fields = {name: _field(name, column) for name, column in raw.items()}
    leaves = _leaf_values("", raw)
    definition = _definition(str(path), fields, leaves)
    notes = {
        path: note for path, field in definition.leaves().items() if (note := _note(field, leaves[path]))
    }
    return Inference(_dataset_name(source.path), definition, notes, table.num_rows)


def _tree(table: pa.Table) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for name in filter(str.strip, table.column_names):
        if table.column_names.count(name) > 1:
            hint = "Rename all but one. If the file has no line of names, add one."
            raise InputError(f'column "{name}" appears more than once', hint=hint)
        *parents, last = field_name(name).split(".")
        node = root
        for parent in parents:
            inner = node.setdefault(parent, {})
            if not isinstance(inner, dict):
                raise InputError(f'columns "{parent}" and "{name}" contradict each other')
            node = inner
        column = table[name].combine_chunks()
        node[last] = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return root


def _children(raw: Any) -> dict[str, Any] | None:
    if isinstance(raw, dict):
        return raw
    if is_identity_map(raw.type):
        return None
    if pa.types.is_struct(raw.type) and raw.type.num_fields:
        return {field_name(child.name): pc.struct_field(raw, [child.name]) for child in raw.type}
    return None


def _leaf_values(prefix: str, tree: Mapping[str, Any]) -> dict[str, pa.Array]:
    found: dict[str, pa.Array] = {}
    for name, raw in tree.items():
        children = _children(raw)
        if children is None:
            found[f"{prefix}{name}"] = raw
        else:
            found |= _leaf_values(f"{prefix}{name}.", children)
    return found


def _field(name: str, raw: Any) -> FieldDefinition:
    children = _children(raw)
    if children is None and _is_identity_map(raw):
        return FieldDefinition(type="identity_map")
    if children is not None:
        fields = {child: _field(child, column) for child, column in children.items()}
        return FieldDefinition(type="object", fields=fields)
    if pa.types.is_list(raw.type) or pa.types.is_large_list(raw.type):
        element = _field(name, pc.list_flatten(raw))
        if element.fields:
            return FieldDefinition(type="array", fields=element.fields)
        return FieldDefinition(type="array", items=element.type)
    if raw.null_count == len(raw):
        return FieldDefinition(type="string")
    kind = guess_type(name, raw)
    identity = guess_identity(name) if kind == "string" else None
    return FieldDefinition(type=kind, identity=identity)


def _is_identity_map(raw: pa.Array) -> bool:
    if not pa.types.is_string(raw.type):
        return is_identity_map(raw.type)
    texts = raw.drop_null().slice(0, _TEXTS).to_pylist()
    return bool(texts) and all(map(is_identity_text, texts))


def _definition(
    file: str, fields: dict[str, FieldDefinition], raw: Mapping[str, pa.Array]
) -> DatasetDefinition:
    leaves = DatasetDefinition.model_construct(fields=fields).leaves()
    timestamp = guess_timestamp(leaves, raw)
    if timestamp is not None:
        event_id = guess_event_id(leaves, raw)
        return DatasetDefinition(timestamp=timestamp, event_id=event_id, fields=fields)
    key = guess_key(leaves, raw)
    if key is None:
        message = f"{file}: no column looks like the time of an event or the key of a record"
        raise InputError(message, hint="Write the dataset's definition by hand.")
    return DatasetDefinition(kind="lookup", key=key, fields=fields)


def _note(field: FieldDefinition, raw: pa.Array) -> str | None:
    if field.type == "identity_map":
        return "identities by namespace"
    if field.identity:
        return "an identity, going by its name"
    if raw.null_count == len(raw):
        return "without a value in the sample"
    return None


def _dataset_name(path: Path) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", path.name.split(".")[0].lower()).strip("_")
    return (name if re.match("[a-z]", name) else f"dataset_{name}".rstrip("_"))[:63]
