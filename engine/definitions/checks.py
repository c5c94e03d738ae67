"""Checks definitions against each other: names that are referred to exist and fit their use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.definitions.identifying import graph_problems, identity_problems
from engine.definitions.keeping import deduplication_problems, persistence_problems
from engine.definitions.model import (
    COUNTABLE,
    OF_SESSIONS,
    ConnectionDefinition,
    DatasetDefinition,
    DataViewDefinition,
    Definitions,
    FieldDefinition,
)
from engine.definitions.problem import Path, Problem
from engine.definitions.saved import saved_problems
from engine.errors import DefinitionError, did_you_mean

_FORBIDDEN = frozenset(' .,;{}()\n\t="')
_RESERVED = frozenset(
    ["_row", "_person", "_hash_high", "_hash_low", "_namespace", "_time", "_dataset", "_event_id"]
)
_WORKING = frozenset(
    {
        *("_row_index", "_person_index", "_session_index", "_set", "_amount", "_value"),
        *(f"_{kind}_session_index" for kind in ("first_time", "return", "repeat")),
    }
)
"""Columns that a report makes beside those of components."""
_NUMBERS = frozenset(["byte", "short", "integer", "long", "double"])


def refuse(found: Iterable[Problem]) -> None:
    """Raise the first of the problems that were found, if any.

    Raises:
        DefinitionError: says what it is and where.
    """
    for problem in found:
        where = ".".join(problem.path)
        raise DefinitionError(f"{where}: {problem.message}", hint=problem.hint)


def problems(definitions: Definitions) -> Iterator[Problem]:
    """Yield everything that is wrong, in the order of the definitions."""
    for name, dataset in definitions.datasets.items():
        where = ("datasets", name, "fields")
        yield from _field_names(where, dataset.fields)
        if name.startswith("pg_"):
            yield Problem(("datasets", name), f'"{name}": names that begin with pg_ belong to the catalogs')
        for field in _RESERVED & dataset.fields.keys():
            yield Problem((*where, field), f'"{field}" is a name that wayline uses itself')
    yield from graph_problems(definitions)
    for name, connection in definitions.connections.items():
        yield from _connection(("connections", name), connection, definitions)
    for name in definitions.data_views.keys() & definitions.datasets.keys():
        message = "there is a dataset of this name, and SQL could not tell the two apart"
        yield Problem(("data_views", name), message, "Rename the data view.")
    for name, view in definitions.data_views.items():
        yield from _data_view(("data_views", name), view, definitions)
    yield from saved_problems(definitions.segments, definitions.date_ranges, definitions.data_views)


def check_evolution(old: Definitions, new: Definitions) -> None:
    """Check that no dataset loses data: fields may be added, never removed or retyped.

    Raises:
        DefinitionError: a field, or the event time, was removed or changed.
    """
    for name, before in old.datasets.items():
        after = new.datasets.get(name)
        if after is None:
            continue
        if (before.kind, before.timestamp) != (after.kind, after.timestamp):
            raise DefinitionError(
                f"datasets.{name}: kind and timestamp cannot change once a dataset has data",
                hint="Define a dataset with another name.",
            )
        _check_fields(f"datasets.{name}.fields", before.fields, after.fields)


def connection_fields(
    definitions: Definitions, connection: ConnectionDefinition
) -> dict[str, FieldDefinition]:
    """Return every field that a component may read, by dotted path.

    A field of the objects in an array is addressed through the array: ``items.sku``.
    """
    found: dict[str, FieldDefinition] = {}
    for name in connection.datasets:
        dataset = definitions.datasets.get(name)
        found |= component_fields(dataset) if dataset is not None else {}
    return found


def component_fields(dataset: DatasetDefinition) -> dict[str, FieldDefinition]:
    """Return the fields of a dataset that a component may read; see ``connection_fields``."""
    found: dict[str, FieldDefinition] = {}
    for path, field in dataset.leaves().items():
        if field.elements:
            inner = DatasetDefinition.model_construct(fields=field.elements).leaves()
            found |= {f"{path}.{name}": child for name, child in inner.items() if not child.is_list}
        else:
            found[path] = field
    return found


def _connection(path: Path, connection: ConnectionDefinition, definitions: Definitions) -> Iterator[Problem]:
    for name, part in connection.datasets.items():
        where = (*path, "datasets", name)
        dataset = definitions.datasets.get(name)
        if dataset is None:
            hint = did_you_mean(name, definitions.datasets)
            yield Problem(where, f'there is no dataset "{name}"', hint)
            continue
        if dataset.kind != "event":
            yield Problem(where, f'"{name}" is a {dataset.kind} dataset; a connection joins events')
        yield from identity_problems(where, part, dataset, definitions)
    yield from _same_paths(path, connection, definitions)


def _same_paths(path: Path, connection: ConnectionDefinition, definitions: Definitions) -> Iterator[Problem]:
    seen: dict[str, tuple[str, str, object]] = {}
    for name in connection.datasets:
        dataset = definitions.datasets.get(name)
        for leaf, field in (dataset.leaves() if dataset else {}).items():
            first, spelled, kind = seen.setdefault(leaf.lower(), (name, leaf, field.arrow()))
            where = (*path, "datasets", name)
            if spelled != leaf:
                message = f'field "{leaf}" is "{spelled}" in {first}: only the case differs'
                yield Problem(where, message, "Spell it alike in both.")
            elif kind != field.arrow():
                message = f'field "{leaf}" has another type than in {first}'
                yield Problem(where, message, "Give it one type, or another name.")
    for leaf, (name, spelled, _) in seen.items():
        parents = [leaf[:at] for at, letter in enumerate(leaf) if letter == "."]
        for parent in (parent for parent in parents if parent in seen):
            message = f'"{seen[parent][1]}" is a value in {seen[parent][0]}, but holds "{spelled}"'
            yield Problem((*path, "datasets", name), message, "Give one of them another name.")


def _field_names(path: Path, fields: Mapping[str, FieldDefinition]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, field in fields.items():
        if not name or _FORBIDDEN & set(name):
            message = f"{name!r} cannot be a field's name: no blanks, none of .,;=(){{}}"
            yield Problem((*path, name), message)
        first = seen.setdefault(name.lower(), name)
        if first != name:
            yield Problem((*path, name), f'"{first}" is there already: only the case differs')
        yield from _field_names((*path, name, "fields"), field.fields)


def _data_view(path: Path, view: DataViewDefinition, definitions: Definitions) -> Iterator[Problem]:
    connection = definitions.connections.get(view.connection)
    if connection is None:
        hint = did_you_mean(view.connection, definitions.connections)
        yield Problem((*path, "connection"), f'there is no connection "{view.connection}"', hint)
        return
    fields = connection_fields(definitions, connection)
    arrays = _arrays(definitions, connection)
    for name, dimension in view.dimensions.items():
        yield from _component((*path, "dimensions", name), dimension.field, fields)
        yield from persistence_problems((*path, "dimensions", name), name, view, arrays)
    for name, metric in view.metrics.items():
        where = (*path, "metrics", name)
        yield from deduplication_problems(where, metric, view, arrays)
        if metric.field in COUNTABLE:
            continue
        yield from _component(where, metric.field, fields)
        field = fields.get(metric.field)
        if field is not None and not metric.count and not _is_number(field):
            message = f'"{metric.field}" has type {field.type}, which cannot be summed'
            yield Problem(where, message, "Count it instead: count: true.")
    yield from _component_names(path, view)


def _arrays(definitions: Definitions, connection: ConnectionDefinition) -> dict[str, str]:
    """Return the array of objects that each field of such objects lives in, by dotted path."""
    datasets = [definitions.datasets[name] for name in connection.datasets if name in definitions.datasets]
    return {
        f"{path}.{child}": path
        for dataset in datasets
        for path, field in dataset.leaves().items()
        for child in field.elements
    }


def _component(path: Path, field: str, fields: Mapping[str, FieldDefinition]) -> Iterator[Problem]:
    if field not in fields:
        message = f'there is no field "{field}" in the datasets of the connection'
        yield Problem((*path, "field"), message, did_you_mean(field, fields))


def _component_names(path: Path, view: DataViewDefinition) -> Iterator[Problem]:
    for kind, named in (("dimensions", [*view.dimensions]), ("metrics", [*view.metrics])):
        for name in named:
            if name.lower() in _WORKING or name.lower().startswith("_duplicate_"):
                message = f'"{name}" is a name that wayline uses itself'
                yield Problem((*path, kind, name), message, "Give the component another name.")
    for name in view.metrics.keys() & view.dimensions.keys():
        message = f'"{name}" is a dimension too; a component needs a name of its own'
        yield Problem((*path, "metrics", name), message)
    for key, names in (("start_on", view.sessions.start_on), ("end_on", view.sessions.end_on)):
        for name in names:
            yield from _session_metric((*path, "sessions", key), name, view)


def _session_metric(path: Path, name: str, view: DataViewDefinition) -> Iterator[Problem]:
    """A metric that starts or ends sessions is there before they are."""
    metric = view.metrics.get(name)
    if metric is None:
        hint = did_you_mean(name, view.metrics)
        yield Problem(path, f'there is no metric "{name}" in this data view', hint)
    elif metric.field in OF_SESSIONS:
        message = f'"{name}" follows from sessions ({metric.field}), so it cannot start or end one'
        yield Problem(path, message, "Use a metric of a field, such as a count of logins.")


def _is_number(field: FieldDefinition) -> bool:
    kind = field.items or field.type
    return kind in _NUMBERS or kind.startswith("decimal(")


def _check_fields(
    path: str, before: Mapping[str, FieldDefinition], after: Mapping[str, FieldDefinition]
) -> None:
    for name, field in before.items():
        changed = after.get(name)
        if changed is None:
            raise DefinitionError(
                f"{path}.{name}: a field cannot be removed once its dataset has data",
                hint="Keep it, or define a dataset with another name.",
            )
        if (field.type, field.items) != (changed.type, changed.items):
            raise DefinitionError(
                f"{path}.{name}: the type cannot change from {_kind(field)} to {_kind(changed)}",
                hint="Keep the type, or add a field with another name.",
            )
        _check_fields(f"{path}.{name}.fields", field.fields, changed.fields)


def _kind(field: FieldDefinition) -> str:
    return f"array of {field.items}" if field.items else field.type
