"""Writes a guessed definition as a commented project file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from engine.definitions.model import FieldDefinition
from engine.ingest.infer import Inference

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset(["y", "yes", "n", "no", "true", "false", "on", "off", "null"])


def schema_yaml(inference: Inference) -> str:
    """Return a project file that holds the guessed dataset."""
    return "\n".join(_lines(inference)) + "\n"


def _lines(inference: Inference) -> Iterator[str]:
    definition = inference.definition
    yield f"# Guessed from {inference.records:,} records. Check it, then: wayline apply FILE"
    yield "datasets:"
    yield f"  {_key(inference.name)}:"
    yield f"    kind: {definition.kind}"
    if definition.timestamp is not None:
        yield f"    timestamp: {_key(definition.timestamp)}  # the time of the event"
    if definition.event_id is not None:
        yield f"    event_id: {_key(definition.event_id)}  # equal ids are one event"
    if definition.key is not None:
        yield f"    key: {_key(definition.key)}  # the lookup's key"
    if definition.kind == "event" and definition.event_id is None:
        yield "    # event_id: …  # without it, an event that arrives twice counts twice"
    yield "    fields:"
    yield from _fields("", definition.fields, inference.notes, "      ")


def _fields(
    prefix: str, fields: Mapping[str, FieldDefinition], notes: Mapping[str, str], indent: str
) -> Iterator[str]:
    for name, field in fields.items():
        note = notes.get(f"{prefix}{name}")
        comment = f"  # {note}" if note else ""
        if not field.fields:
            yield f"{indent}{_key(name)}: {_scalar(field)}{comment}"
            continue
        yield f"{indent}{_key(name)}:{comment}"
        yield f"{indent}  type: {field.type}"
        yield f"{indent}  fields:"
        yield from _fields(f"{prefix}{name}.", field.fields, notes, f"{indent}    ")


def _scalar(field: FieldDefinition) -> str:
    if field.items is not None:
        return f"{{type: array, items: {_text(field.items)}}}"
    if field.identity is not None:
        return f"{{type: {field.type}, identity: {field.identity}}}"
    return field.type


def _text(kind: str) -> str:
    return json.dumps(kind) if "," in kind else kind


def _key(name: str) -> str:
    parts = name.split(".")
    plain = all(_PLAIN.fullmatch(part) for part in parts) and name.lower() not in _RESERVED
    return name if plain else json.dumps(name, ensure_ascii=False)
