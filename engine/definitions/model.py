"""What users write in YAML: schemas of datasets, connections and data views, checked by pydantic.

These models hold what was written and nothing else; each room turns them into what it works with.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pyarrow as pa
from pydantic import Field, model_validator

from engine.definitions.base import Definition, ShortForm
from engine.definitions.identity import (
    STANDARD,
    Code,
    ConnectionDatasetDefinition,
    IdentitiesDefinition,
    IdentityReference,
    MapIdentity,
    NamespaceDefinition,
    NamespaceType,
    StitchingDefinition,
    path_of,
)
from engine.definitions.saved import DateRangeDefinition, SavedSegmentDefinition
from engine.definitions.schedule import ReplaySchedule
from engine.definitions.settings import (
    COUNTABLE,
    OF_SESSIONS,
    AttributionDefinition,
    DimensionDefinition,
    MetricDefinition,
    PersistenceDefinition,
    SegmentDefinition,
    SessionDefinition,
    ValueRule,
)
from engine.definitions.values import (
    Duration,
    Name,
    RefusalError,
    TimeZone,
    parse_duration,
    write_duration,
)
from engine.errors import did_you_mean
from engine.types import IDENTITY_MAP, SCALARS, scalar_type

__all__ = [
    "COUNTABLE",
    "OF_SESSIONS",
    "AttributionDefinition",
    "ConnectionDatasetDefinition",
    "ConnectionDefinition",
    "DataViewDefinition",
    "DatasetDefinition",
    "DateRangeDefinition",
    "Definition",
    "Definitions",
    "DimensionDefinition",
    "FieldDefinition",
    "IdentitiesDefinition",
    "IdentityReference",
    "MapIdentity",
    "MetricDefinition",
    "NamespaceDefinition",
    "NamespaceType",
    "PersistenceDefinition",
    "ReplaySchedule",
    "SavedSegmentDefinition",
    "SegmentDefinition",
    "SessionDefinition",
    "StitchingDefinition",
    "ValueRule",
    "parse_duration",
    "path_of",
    "write_duration",
]


def _unknown_type(name: str, key: str) -> RefusalError:
    known = [*SCALARS, "decimal(12,2)", "object", "array", "identity_map"]
    return RefusalError(f"unknown type {name!r}", hint=did_you_mean(name, known), key=key)


class FieldDefinition(ShortForm):
    """One field of a schema. ``channel: string`` is short for ``channel: {type: string}``.

    Attributes:
        type: scalar type name, ``object``, ``array`` or ``identity_map``.
        identity: namespace code, if the field's value identifies a person or device.
        required: a record without it is rejected.
        fields: children of an object, or of the objects in an array.
        items: scalar type of the elements of an array of scalars.
    """

    short_key = "type"

    type: str
    identity: str | None = None
    required: bool = False
    description: str = ""
    fields: dict[str, FieldDefinition] = Field(default_factory=dict)
    items: str | None = None

    @model_validator(mode="after")
    def _check(self) -> FieldDefinition:
        if self.type == "object" and not self.fields:
            raise ValueError("an object needs fields")
        if self.type == "array" and bool(self.fields) == bool(self.items):
            raise ValueError("an array needs either fields (objects) or items (a scalar type)")
        if self.type not in _COMPOSED and scalar_type(self.type) is None:
            raise _unknown_type(self.type, "type")
        if self.type == "array" and any(child.type == "identity_map" for child in self.fields.values()):
            raise ValueError("an identity map cannot be part of an array")
        if self.items is not None and scalar_type(self.items) is None:
            raise _unknown_type(self.items, "items")
        if self.identity and self.type != "string":
            raise ValueError("an identity must be a string")
        return self

    @property
    def is_list(self) -> bool:
        """Whether the field has any number of values on one row."""
        return self.type in ("array", "identity_map")

    @property
    def elements(self) -> dict[str, FieldDefinition]:
        """The fields of each element, where the field is a list of objects."""
        return _IDENTITY if self.type == "identity_map" else self.fields if self.type == "array" else {}

    def arrow(self) -> pa.DataType:
        """Return the field's Arrow type."""
        if self.type == "identity_map":
            return IDENTITY_MAP
        if self.type == "object":
            return pa.struct([pa.field(name, child.arrow()) for name, child in self.fields.items()])
        if self.type == "array":
            if self.items is not None:
                return pa.list_(scalar_type(self.items))
            return pa.list_(pa.struct([pa.field(name, child.arrow()) for name, child in self.fields.items()]))
        return scalar_type(self.type)


_COMPOSED = ("object", "array", "identity_map")
_IDENTITY = {
    "namespace": FieldDefinition(type="string"),
    "id": FieldDefinition(type="string"),
    "primary": FieldDefinition(type="boolean"),
}


class DatasetDefinition(Definition):
    """A dataset: its kind, its schema, and which fields carry time, event id or key.

    Attributes:
        kind: ``event`` (with a time), ``profile`` (a row per person), ``lookup`` (key → row).
        timestamp: the event time's field; only for events.
        event_id: the field that identifies an event; without it nothing is a duplicate.
        key: the person's field of a profile, the key field of a lookup.
        graph: whether identities that stand in one record are linked, if there is an identity graph.
    """

    kind: Literal["event", "profile", "lookup"] = "event"
    description: str = ""
    timestamp: str | None = None
    event_id: str | None = None
    key: str | None = None
    graph: bool = True
    fields: dict[str, FieldDefinition]

    @model_validator(mode="after")
    def _check(self) -> DatasetDefinition:
        if self.kind == "event":
            if self.timestamp is None:
                raise ValueError("an event dataset needs timestamp: the field with the event time")
            if self.field(self.timestamp, "timestamp").type not in ("timestamp", "date"):
                message = f"timestamp field {self.timestamp!r} must have type timestamp"
                raise RefusalError(message, key="timestamp")
        elif self.key is None:
            raise ValueError(f"a {self.kind} dataset needs key")
        for key, path in (("event_id", self.event_id), ("key", self.key)):
            if path is not None and self.field(path, key).type in _COMPOSED:
                raise RefusalError(f"{path!r} must be a single value", key=key)
        return self

    def field(self, path: str, key: str | None = None) -> FieldDefinition:
        """Return the field at a dotted path.

        Args:
            path: the field's path.
            key: the definition's key that names it, for the error.

        Raises:
            ValueError: there is no such field.
        """
        fields, found = self.fields, None
        for part in path.split("."):
            if part not in fields:
                hint = did_you_mean(path, self.leaves())
                raise RefusalError(f"there is no field {path!r}", hint=hint, key=key)
            found, fields = fields[part], fields[part].fields
        assert found is not None  # noqa: S101 - split() yields at least one part
        return found

    def leaves(self) -> dict[str, FieldDefinition]:
        """Return dotted path → field: objects are opened, arrays stay whole."""

        def walk(prefix: str, fields: dict[str, FieldDefinition]) -> dict[str, FieldDefinition]:
            found: dict[str, FieldDefinition] = {}
            for name, child in fields.items():
                if child.type == "object":
                    found |= walk(f"{prefix}{name}.", child.fields)
                else:
                    found[f"{prefix}{name}"] = child
            return found

        return walk("", self.fields)

    def identity_fields(self) -> dict[str, FieldDefinition]:
        """Return dotted path → field of those that carry identities: labelled ones and identity maps."""
        return {
            path: field
            for path, field in self.leaves().items()
            if field.identity or field.type == "identity_map"
        }

    def feeds_graph(self) -> bool:
        """Return whether a record can hold two identities, so that it may link them."""
        fields = self.identity_fields().values()
        several = len(fields) > 1 or any(field.type == "identity_map" for field in fields)
        return self.graph and several

    def arrow(self) -> pa.Schema:
        """Return the dataset's Arrow schema, nested as written."""
        return pa.schema([pa.field(name, child.arrow()) for name, child in self.fields.items()])


class ConnectionDefinition(Definition):
    """A union of event datasets whose events are put in order per person.

    Attributes:
        datasets: event datasets; their order breaks ties between equal timestamps.
        duplicate_window: equal event ids this close in event time are one event.
        buckets: initial number of journey buckets, a power of two.
        alarm_devices: a person id that is named on so many devices is reported as suspect.
    """

    description: str = ""
    datasets: dict[Name, ConnectionDatasetDefinition] = Field(min_length=1)
    duplicate_window: Duration = timedelta(days=30)
    buckets: int = 16
    alarm_devices: int = Field(default=50, ge=2)

    @model_validator(mode="after")
    def _check(self) -> ConnectionDefinition:
        if self.buckets < 1 or self.buckets & (self.buckets - 1) or self.buckets > 4096:
            raise ValueError("buckets must be a power of two between 1 and 4096")
        return self

    @property
    def asks_graph(self) -> bool:
        """Whether the identity graph says whom events of any of the datasets belong to."""
        return any(part.stitching is not None and part.stitching.graph for part in self.datasets.values())


class DataViewDefinition(Definition):
    """A saved interpretation of a connection: components, sessions, time zone.

    Attributes:
        segments: hold for every report on the view, whoever asks: row-level rules.
    """

    connection: Name
    description: str = ""
    time_zone: TimeZone = "UTC"
    sessions: SessionDefinition = SessionDefinition()
    segments: tuple[SegmentDefinition, ...] = ()
    dimensions: dict[str, DimensionDefinition] = Field(default_factory=dict)
    metrics: dict[str, MetricDefinition] = Field(default_factory=dict)


class Definitions(Definition):
    """Everything that has been applied to a home.

    Attributes:
        namespaces: code → namespace, beside the standard ones.
        identities: without it there is no identity graph.
        segments: id → segment that a question may choose.
        date_ranges: id → date range that a question may choose.
    """

    namespaces: dict[Code, NamespaceDefinition] = Field(default_factory=dict)
    identities: IdentitiesDefinition | None = None
    datasets: dict[Name, DatasetDefinition] = Field(default_factory=dict)
    connections: dict[Name, ConnectionDefinition] = Field(default_factory=dict)
    data_views: dict[Name, DataViewDefinition] = Field(default_factory=dict)
    segments: dict[Name, SavedSegmentDefinition] = Field(default_factory=dict)
    date_ranges: dict[Name, DateRangeDefinition] = Field(default_factory=dict)

    def namespace(self, code: str) -> NamespaceDefinition:
        """Return what is known of a namespace; one that nobody declared names persons across devices."""
        return self.namespaces.get(code) or STANDARD.get(code) or _UNDECLARED

    def namespace_types(self) -> dict[str, NamespaceType]:
        """Return code → type of all namespaces that are declared, standard, or a field's."""
        labels = {field.identity for each in self.datasets.values() for field in each.leaves().values()}
        codes = [*STANDARD, *self.namespaces, *sorted(filter(None, labels))]
        return {code: self.namespace(code).type for code in codes}

    @property
    def has_graph(self) -> bool:
        """Whether identities are linked to graphs."""
        return self.identities is not None and self.identities.graph

    def feeders(self) -> dict[str, DatasetDefinition]:
        """Return the datasets whose records link identities; none if there is no identity graph."""
        if not self.has_graph:
            return {}
        return {name: dataset for name, dataset in self.datasets.items() if dataset.feeds_graph()}


_UNDECLARED = NamespaceDefinition(type="cross_device")
