"""What a data view offers to a question: its components with their roles, types and meaning.

A component is a field of the connection with settings (values, persistence, attribution), or one of the
standard ones that every view has. Names and types here are what SQL clients see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import pyarrow as pa

from attribution.models import SINGLES, Model
from engine.dataview import standard
from engine.dataview.standard import EVENTS as EVENTS
from engine.dataview.standard import PEOPLE as PEOPLE
from engine.dataview.standard import PERSON_ID as PERSON_ID
from engine.dataview.standard import SESSION_STARTS as SESSION_STARTS
from engine.dataview.standard import SESSIONS as SESSIONS
from engine.dataview.standard import Scope as Scope
from engine.definitions.model import (
    COUNTABLE,
    AttributionDefinition,
    DatasetDefinition,
    DataViewDefinition,
    DateRangeDefinition,
    Definitions,
    DimensionDefinition,
    FieldDefinition,
    MetricDefinition,
    SavedSegmentDefinition,
)
from engine.definitions.saved import date_ranges
from engine.errors import DefinitionError, UnknownColumnError, UnknownNameError, did_you_mean

LOCAL_TIME = pa.timestamp("us")
"""A view's timestamps: microseconds without a zone, in the view's time zone."""


class Role(StrEnum):
    """How a component is used."""

    SPECIAL = "special"
    DIMENSION = "dimension"
    METRIC = "metric"


@dataclass(frozen=True)
class FieldSource:
    """Where a component's values come from.

    Attributes:
        column: the journey column.
        element: the child field, where the column is an array of objects.
        type: Arrow type of one value.
        repeated: an event may have several values, in an array.
    """

    column: str
    element: str | None
    type: pa.DataType
    repeated: bool = False


@dataclass(frozen=True)
class Component:
    """One column of a data view.

    Attributes:
        id: the column's name in SQL.
        type: the Arrow type of its values in an answer.
        scope: what a dimension is read on (EVENT for metrics).
        additive: the metric may be summed over groups; people and sessions may not.
        attribution: the metric's own attribution, if it has one.
        source: the field behind it; None for standard components.
        standard: id of the standard metric behind it, for metrics that count one.
        array: the array of objects on whose elements it has values; a dimension that is bound to a field
            of such elements has them there too.
    """

    id: str
    role: Role
    type: pa.DataType
    description: str = ""
    scope: Scope = Scope.EVENT
    additive: bool = True
    attribution: AttributionDefinition | None = None
    source: FieldSource | None = None
    definition: DimensionDefinition | MetricDefinition | None = None
    standard: str | None = None
    array: str | None = None

    @property
    def keeps_all(self) -> bool:
        """Whether an event shows every value that the dimension had so far."""
        settings = self.definition
        persistence = settings.persistence if isinstance(settings, DimensionDefinition) else None
        return persistence is not None and persistence.allocation == "all"

    @property
    def of_elements(self) -> bool:
        """Whether its field is one of the objects in an array."""
        return self.source is not None and self.source.element is not None

    @property
    def several(self) -> bool:
        """Whether it is a dimension of which an event may have several values."""
        return self.role is Role.DIMENSION and (self.array is not None or self.keeps_all)

    @property
    def attributed(self) -> bool:
        """Whether the metric has its own attribution."""
        return self.attribution is not None


@dataclass(frozen=True)
class DataView:
    """A data view ready to be asked.

    Attributes:
        components: in listing order: special, dimensions, metrics.
        datasets: those of its connection, in their order.
        segments: id → segment that can be chosen here.
        date_ranges: name → date range that can be chosen.
    """

    name: str
    definition: DataViewDefinition
    components: Mapping[str, Component]
    datasets: tuple[str, ...]
    segments: Mapping[str, SavedSegmentDefinition] = field(default_factory=dict)
    date_ranges: Mapping[str, DateRangeDefinition] = field(default_factory=dict)

    @cached_property
    def settings(self) -> str:
        """The view's definition as one text: the same where the definition is."""
        return self.definition.model_dump_json()

    def component(self, component_id: str) -> Component:
        """Return a component by its exact id, else by its id in any case.

        Raises:
            UnknownColumnError: there is none; the hint names the closest.
        """
        found = self.components.get(component_id) or next(
            (c for c in self.components.values() if c.id.lower() == component_id.lower()), None
        )
        if found is None:
            raise UnknownColumnError(
                f'column "{component_id}" does not exist in data view "{self.name}"',
                hint=did_you_mean(component_id, self.components),
            )
        return found


TIMESTAMP = "timestamp"
TIME_DIMENSIONS: Mapping[str, str] = {
    "daterangesecond": "second",
    "daterangeminute": "minute",
    "daterangefiveminute": "5 minutes",
    "daterangefifteenminute": "15 minutes",
    "daterangethirtyminute": "30 minutes",
    "daterangehour": "hour",
    "daterangeday": "day",
    "daterangeweek": "week",
    "daterangemonth": "month",
    "daterangequarter": "quarter",
    "daterangeyear": "year",
}
"""Time dimension → the period that it is the start of, in the view's zone."""

_UNDIVIDED = SINGLES | {Model.PARTICIPATION}
"""Models that give a conversion's whole value to whom they give it."""

_SPECIAL = (
    Component("daterangeName", Role.SPECIAL, pa.string(), "Named date range", Scope.TIME),
    Component("daterange", Role.SPECIAL, LOCAL_TIME, "Report range, whole days", Scope.TIME),
    Component("filterId", Role.SPECIAL, pa.string(), "Saved segment, by id"),
    Component("filterName", Role.SPECIAL, pa.string(), "Saved segment, by name"),
    Component(TIMESTAMP, Role.SPECIAL, LOCAL_TIME, "Event time, in the view's time zone", Scope.TIME),
)
_STANDARD_DIMENSIONS = (
    *(
        Component(name, Role.DIMENSION, LOCAL_TIME, f"Start of the {period}", Scope.TIME)
        for name, period in TIME_DIMENSIONS.items()
    ),
    *(
        Component(name, Role.DIMENSION, part.type, part.description, Scope.TIME)
        for name, part in standard.TIME_PARTS.items()
    ),
    *(
        Component(known.id, Role.DIMENSION, known.type, known.description, known.scope or Scope.EVENT)
        for known in standard.DIMENSIONS
    ),
)
_STANDARD_METRICS = tuple(
    Component(known.id, Role.METRIC, known.type, known.description, additive=known.additive)
    for known in standard.METRICS
)


def data_view(definitions: Definitions, name: str) -> DataView:
    """Resolve a data view's definition into its components.

    Raises:
        UnknownNameError: there is no such view.
        DefinitionError: a component refers to a field that the connection does not have.
    """
    if name not in definitions.data_views:
        raise UnknownNameError(
            f'data view "{name}" does not exist', hint=did_you_mean(name, definitions.data_views)
        )
    return _resolve(definitions, name)


_resolved: dict[tuple[int, str], tuple[Definitions, DataView]] = {}


def _resolve(definitions: Definitions, name: str) -> DataView:
    """Resolve once per definitions object: worlds share theirs, so its identity is the key."""
    known = _resolved.get((id(definitions), name))
    if known is None or known[0] is not definitions:
        if len(_resolved) > 1024:
            _resolved.clear()
        known = _resolved[id(definitions), name] = (definitions, _resolve_anew(definitions, name))
    return known[1]


def _resolve_anew(definitions: Definitions, name: str) -> DataView:
    definition = definitions.data_views[name]
    connection = definitions.connections[definition.connection]
    datasets = [definitions.datasets[dataset] for dataset in connection.datasets]
    sources = {
        component_id: (settings, _source(datasets, name, component_id, settings.field))
        for component_id, settings in definition.dimensions.items()
    }
    own_dimensions = [
        _dimension(component_id, settings, source, _array(settings, source, sources))
        for component_id, (settings, source) in sources.items()
    ]
    own_metrics = [
        _metric(component_id, settings, datasets, name)
        for component_id, settings in definition.metrics.items()
    ]
    components = (
        *_SPECIAL,
        *_sorted([*_STANDARD_DIMENSIONS, *own_dimensions]),
        *_sorted([*_STANDARD_METRICS, *own_metrics]),
    )
    _refuse_doubles(name, components)
    by_id = {component.id: component for component in components}
    segments = {key: saved for key, saved in definitions.segments.items() if saved.is_of(name)}
    ranges = date_ranges(definitions.date_ranges.values())
    return DataView(name, definition, by_id, tuple(connection.datasets), segments, ranges)


def _refuse_doubles(view: str, components: tuple[Component, ...]) -> None:
    """SQL does not tell upper from lower case, and standard components keep their names."""
    seen: set[str] = set()
    for component in components:
        if component.id.lower() in seen:
            raise DefinitionError(
                f'data view "{view}" has two components named "{component.id}"',
                hint="Standard components such as visits and timestamp keep their names; rename yours.",
            )
        seen.add(component.id.lower())


def _sorted(components: list[Component]) -> list[Component]:
    return sorted(components, key=lambda component: component.id)


def _source(datasets: list[DatasetDefinition], view: str, component_id: str, path: str) -> FieldSource:
    for dataset in datasets:
        leaves = dataset.leaves()
        if path in leaves:
            kind = leaves[path].arrow()
            repeated = pa.types.is_list(kind)
            return FieldSource(path, None, kind.value_type if repeated else kind, repeated)
        head, _, element = path.rpartition(".")
        if head in leaves and element in leaves[head].elements:
            return FieldSource(head, element, leaves[head].elements[element].arrow(), repeated=True)
    raise DefinitionError(
        f'data view "{view}", component "{component_id}": no dataset of its connection has a field "{path}"',
        hint=did_you_mean(path, field_paths(datasets)),
    )


def field_paths(datasets: list[DatasetDefinition]) -> list[str]:
    """Return every path that a component may name, elements of arrays of objects included."""

    def paths(leaf: str, field: FieldDefinition) -> list[str]:
        return [f"{leaf}.{child}" for child in field.elements] if field.elements else [leaf]

    return [
        path
        for dataset in datasets
        for leaf, field in dataset.leaves().items()
        for path in paths(leaf, field)
    ]


def _local(arrow_type: pa.DataType) -> pa.DataType:
    return LOCAL_TIME if pa.types.is_timestamp(arrow_type) else arrow_type


def _array(
    settings: DimensionDefinition,
    source: FieldSource,
    sources: Mapping[str, tuple[DimensionDefinition, FieldSource]],
) -> str | None:
    """The array that a dimension lives in: its own, or that of the dimension it is bound to."""
    binding = settings.persistence.binding if settings.persistence is not None else None
    if source.element is None and binding is not None and binding.dimension in sources:
        source = sources[binding.dimension][1]
    return source.column if source.element is not None else None


def _dimension(
    component_id: str, settings: DimensionDefinition, source: FieldSource, array: str | None
) -> Component:
    if source.repeated and source.element is None:
        raise DefinitionError(
            f'dimension "{component_id}": "{settings.field}" is an array of values',
            hint="Make it an array of objects and name a field of these.",
        )
    return Component(
        component_id,
        Role.DIMENSION,
        _local(source.type),
        settings.description or f"Field {settings.field}",
        source=source,
        definition=settings,
        array=array,
    )


def _metric(
    component_id: str, settings: MetricDefinition, datasets: list[DatasetDefinition], view: str
) -> Component:
    counted = settings.field if settings.field in COUNTABLE else None
    source = None if counted else _source(datasets, view, component_id, settings.field)
    return Component(
        component_id,
        Role.METRIC,
        _metric_type(settings, source),
        settings.description or _metric_description(settings),
        attribution=settings.attribution,
        source=source,
        definition=settings,
        standard=counted,
        array=source.column if source is not None and source.element is not None else None,
    )


def _metric_description(settings: MetricDefinition) -> str:
    what = f"{'Count' if settings.count else 'Sum'} of {settings.field}"
    if settings.attribution is None:
        return what
    return f"{what}, {model_name(settings.attribution)}, {settings.attribution.container}"


def model_name(settings: AttributionDefinition) -> str:
    """Return how people call a model: last touch, time decay."""
    name = settings.model.replace("_", " ")
    return f"{name} touch" if settings.model in SINGLES else name


def _metric_type(settings: MetricDefinition, source: FieldSource | None) -> pa.DataType:
    """Counts stay exact integers and decimals stay decimal, unless the model splits them."""
    if settings.attribution is not None and settings.attribution.model not in _UNDIVIDED:
        return pa.float64()
    if settings.field == standard.TIME_SPENT and not settings.count:
        return pa.float64()
    if source is None or settings.count or pa.types.is_integer(source.type):
        return pa.int64()
    if pa.types.is_decimal(source.type):
        return pa.decimal128(38, source.type.scale)
    return pa.float64()
