"""The columns of a journey: the system's own, and one per leaf field of the datasets.

Any of them may be asked; files hold those that are used (``journey_schema``), and the lake has the rest.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from engine.definitions.model import ConnectionDefinition, Definitions
from engine.errors import DefinitionError, UnknownNameError, did_you_mean
from engine.journeys.fields import needed
from engine.lake.table import ROW

PERSON: Final = "_person"
"""The person that the row belongs to."""
HASH_HIGH: Final = "_hash_high"
"""Upper half of the person's 128-bit hash, shifted so that signed order is hash order."""
HASH_LOW: Final = "_hash_low"
"""Lower half of the hash, shifted likewise."""
NAMESPACE: Final = "_namespace"
"""Namespace of the person's value: the person field's, or the device field's if it fell back."""
TIME: Final = "_time"
"""Event time in microseconds since the epoch, UTC."""
DATASET: Final = "_dataset"
"""Place of the row's dataset in the connection, from 0."""
EVENT_ID: Final = "_event_id"
"""The event id; where there is none, a digest of the row's content."""

SYSTEM: Final[dict[str, pa.DataType]] = {
    PERSON: pa.string(),
    HASH_HIGH: pa.int64(),
    HASH_LOW: pa.int64(),
    NAMESPACE: pa.string(),
    TIME: pa.int64(),
    DATASET: pa.int16(),
    EVENT_ID: pa.string(),
    ROW: pa.int64(),
}
"""System columns in their order on disk."""


def connection_of(definitions: Definitions, name: str) -> ConnectionDefinition:
    """Return a connection's definition.

    Raises:
        UnknownNameError: there is no such connection.
    """
    if name not in definitions.connections:
        hint = did_you_mean(name, definitions.connections) or "Add one to a project file: wayline apply FILE"
        raise UnknownNameError(f'there is no connection "{name}"', hint=hint)
    return definitions.connections[name]


def leaf_columns(definitions: Definitions, name: str) -> dict[str, pa.DataType]:
    """Return dotted path → type of every leaf field in a connection: one path, one column.

    Raises:
        DefinitionError: one path has two types, or takes the name of a system column.
    """
    found: dict[str, pa.DataType] = {}
    owner: dict[str, str] = {}
    for dataset in connection_of(definitions, name).datasets:
        for path, field in definitions.datasets[dataset].leaves().items():
            if path in SYSTEM:
                raise _reserved(dataset, path)
            if found.setdefault(path, field.arrow()) != field.arrow():
                raise _conflict(name, path, (owner[path], found[path]), (dataset, field.arrow()))
            owner.setdefault(path, dataset)
    return found


def journey_schema(definitions: Definitions, name: str) -> pa.Schema:
    """Return the schema of a connection's journey files: system columns, then the fields that are used."""
    used = needed(definitions, name)
    copied = {path: kind for path, kind in leaf_columns(definitions, name).items() if path in used}
    return pa.schema([pa.field(path, kind) for path, kind in (SYSTEM | copied).items()])


def _reserved(dataset: str, path: str) -> DefinitionError:
    return DefinitionError(
        f'dataset "{dataset}": "{path}" is the name of a system column',
        hint="Give the field another name.",
    )


def _conflict(
    name: str, path: str, first: tuple[str, pa.DataType], second: tuple[str, pa.DataType]
) -> DefinitionError:
    return DefinitionError(
        f'connection "{name}": field "{path}" is {first[1]} in "{first[0]}" and {second[1]} in "{second[0]}"',
        hint="Give both fields one type, or one of them another name.",
    )
