"""What users write in YAML: schemas of datasets, connections and data views, checked by pydantic.

These models hold what was written and nothing else; each room turns them into what it works with.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from engine.types import scalar_type

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def parse_duration(value: object) -> timedelta:
    """Read ``30m``, ``7d``, ``90s``, ``12h``, ``2w`` (or a timedelta) as a positive duration."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d+)\s*([smhdw])", str(value).strip())
    if not match or int(match[1]) == 0:
        raise ValueError(f"{value!r} is not a duration such as 30m, 12h or 7d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name: lower-case letters, digits and _, a letter first"
        )
    return value


def _zone(value: object) -> str:
    try:
        ZoneInfo(str(value))
    except Exception:
        raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin") from None
    return str(value)


def write_duration(value: timedelta) -> str:
    """Write a duration so that ``parse_duration`` reads it back: in the largest unit that fits."""
    seconds = int(value.total_seconds())
    unit = max((unit for unit in _UNITS if seconds % _UNITS[unit] == 0), key=lambda u: _UNITS[u])
    return f"{seconds // _UNITS[unit]}{unit}"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*[smhdw]$", "examples": ["30m", "7d"]}),
]
Name = Annotated[str, BeforeValidator(_name)]
TimeZone = Annotated[str, BeforeValidator(_zone)]


class Definition(BaseModel):
    """Base of all definitions: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldDefinition(Definition):
    """One field of a schema. ``channel: string`` is short for ``channel: {type: string}``.

    Attributes:
        type: scalar type name, ``object`` or ``array``.
        identity: namespace code, if the field's value identifies a person or device.
        required: a record without it is rejected.
        fields: children of an object, or of the objects in an array.
        items: scalar type of the elements of an array of scalars.
    """

    type: str
    identity: str | None = None
    required: bool = False
    description: str = ""
    fields: dict[str, FieldDefinition] = Field(default_factory=dict)
    items: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> FieldDefinition:
        if self.type == "object" and not self.fields:
            raise ValueError("an object needs fields")
        if self.type == "array" and bool(self.fields) == bool(self.items):
            raise ValueError("an array needs either fields (objects) or items (a scalar type)")
        if self.type not in ("object", "array") and scalar_type(self.type) is None:
            raise ValueError(f"unknown type {self.type!r}")
        if self.items is not None and scalar_type(self.items) is None:
            raise ValueError(f"unknown type {self.items!r}")
        if self.identity and self.type != "string":
            raise ValueError("an identity must be a string")
        return self

    def arrow(self) -> pa.DataType:
        """Return the field's Arrow type."""
        if self.type == "object":
            return pa.struct([pa.field(name, child.arrow()) for name, child in self.fields.items()])
        if self.type == "array":
            if self.items is not None:
                return pa.list_(scalar_type(self.items))
            return pa.list_(pa.struct([pa.field(name, child.arrow()) for name, child in self.fields.items()]))
        return scalar_type(self.type)


class DatasetDefinition(Definition):
    """A dataset: its kind, its schema, and which fields carry time, event id or key.

    Attributes:
        kind: ``event`` (has a timestamp), ``profile`` (one row per person) or ``lookup`` (key → row).
        timestamp: the event time's field; only for events.
        event_id: the field that identifies an event; without it nothing is a duplicate.
        key: the person's field of a profile, the key field of a lookup.
    """

    kind: Literal["event", "profile", "lookup"] = "event"
    description: str = ""
    timestamp: str | None = None
    event_id: str | None = None
    key: str | None = None
    fields: dict[str, FieldDefinition]

    @model_validator(mode="after")
    def _check(self) -> DatasetDefinition:
        if self.kind == "event":
            if self.timestamp is None:
                raise ValueError("an event dataset needs timestamp: the field with the event time")
            if self.field(self.timestamp).type not in ("timestamp", "date"):
                raise ValueError(f"timestamp field {self.timestamp!r} must have type timestamp")
        elif self.key is None:
            raise ValueError(f"a {self.kind} dataset needs key")
        for path in (self.event_id, self.key):
            if path is not None:
                self.field(path)
        return self

    def field(self, path: str) -> FieldDefinition:
        """Return the field at a dotted path.

        Raises:
            ValueError: there is no such field.
        """
        fields, found = self.fields, None
        for part in path.split("."):
            if part not in fields:
                raise ValueError(f"there is no field {path!r}")
            found, fields = fields[part], fields[part].fields
        if found is None:
            raise ValueError("empty field path")
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

    def arrow(self) -> pa.Schema:
        """Return the dataset's Arrow schema, nested as written."""
        return pa.schema([pa.field(name, child.arrow()) for name, child in self.fields.items()])


class StitchingDefinition(Definition):
    """Field-based stitching of one dataset (``spec/identity.md`` §6-7).

    Attributes:
        persistent_id: the device's field.
        person_id: the field that carries the person once known.
        lookback: how far back a replay restitches.
    """

    persistent_id: str
    person_id: str
    lookback: Duration = timedelta(days=7)


class ConnectionDatasetDefinition(Definition):
    """A dataset's part in a connection: where its person comes from."""

    person_id: str | None = None
    stitching: StitchingDefinition | None = None

    @model_validator(mode="after")
    def _check(self) -> ConnectionDatasetDefinition:
        if (self.person_id is None) == (self.stitching is None):
            raise ValueError("give either person_id or stitching")
        return self


class ConnectionDefinition(Definition):
    """A union of event datasets whose events are put in order per person.

    Attributes:
        datasets: event datasets; their order breaks ties between equal timestamps.
        duplicate_window: equal event ids this close in event time are one event.
        buckets: initial number of journey buckets, a power of two.
    """

    description: str = ""
    datasets: dict[Name, ConnectionDatasetDefinition] = Field(min_length=1)
    duplicate_window: Duration = timedelta(days=30)
    buckets: int = 16

    @model_validator(mode="after")
    def _check(self) -> ConnectionDefinition:
        if self.buckets < 1 or self.buckets & (self.buckets - 1) or self.buckets > 4096:
            raise ValueError("buckets must be a power of two between 1 and 4096")
        return self


class ValueRule(Definition):
    """Which values count as present; every given criterion must hold (``spec/dataviews.md`` §3.3)."""

    equals: list[str | int | float | bool] | None = None
    not_equals: list[str | int | float | bool] | None = None
    contains: str | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: [inner]
                if key in ("equals", "not_equals") and not isinstance(inner, list)
                else inner
                for key, inner in value.items()
            }
        return value


class PersistenceDefinition(Definition):
    """How long a dimension's value is kept (``spec/dataviews.md`` §3.8)."""

    allocation: Literal["most_recent", "original"] = "most_recent"
    expiration: Literal["session", "person"] | Duration = "session"


class AttributionDefinition(Definition):
    """How a metric is credited to a dimension's items (``spec/dataviews.md`` §5)."""

    model: Literal["last", "first", "same", "linear"] = "last"
    container: Literal["session", "person"] = "person"
    lookback: Duration | None = None


class DimensionDefinition(Definition):
    """A dimension of a data view. ``channel: channel`` is short for ``channel: {field: channel}``."""

    field: str
    description: str = ""
    values: ValueRule | None = None
    lower_case: bool = False
    persistence: PersistenceDefinition | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"field": value} if isinstance(value, str) else value


class MetricDefinition(Definition):
    """A metric of a data view: the sum of a numeric field, or how often a field has a value.

    Attributes:
        field: dotted path; a field in an array of objects is summed over the elements.
        count: count instances instead of summing values.
        values: only these values are present.
    """

    field: str
    description: str = ""
    count: bool = False
    values: ValueRule | None = None
    attribution: AttributionDefinition | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"field": value} if isinstance(value, str) else value


class SessionDefinition(Definition):
    """When a new session starts: after a gap longer than the timeout, or on a metric."""

    timeout: Duration = timedelta(minutes=30)
    start_on: list[Name] = Field(default_factory=list)


class DataViewDefinition(Definition):
    """A saved interpretation of a connection: components, sessions, time zone."""

    connection: Name
    description: str = ""
    time_zone: TimeZone = "UTC"
    sessions: SessionDefinition = SessionDefinition()
    dimensions: dict[str, DimensionDefinition] = Field(default_factory=dict)
    metrics: dict[str, MetricDefinition] = Field(default_factory=dict)


class Definitions(Definition):
    """Everything that has been applied to a home."""

    datasets: dict[Name, DatasetDefinition] = Field(default_factory=dict)
    connections: dict[Name, ConnectionDefinition] = Field(default_factory=dict)
    data_views: dict[Name, DataViewDefinition] = Field(default_factory=dict)
