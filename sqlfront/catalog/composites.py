"""Composite types: the row of each relation, and what its columns of objects hold, as types with a name.

A column ``device`` of a dataset ``hits`` holds values of type ``hits_device``; an object under ``screen``
in it those of ``hits_device_screen``. Clients find the fields of such values by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pyarrow as pa

from sqlfront.catalog.relations import Kind, Relation, RelationColumn, Relations, stable_oids
from sqlfront.wire.types import CompositeType, pg_name

Path = tuple[str, ...]
"""Names of a column and of objects in it; empty for the relation as a whole."""


@dataclass(frozen=True)
class Numbered:
    """A relation, or a composite type of one of its columns.

    Attributes:
        relation: in its columns, objects are of composite types.
        oid: ``pg_class.oid``.
        row: the type of its rows.
        owner: name of the relation in which it was found.
        path: where in it.
    """

    relation: Relation
    oid: int
    row: CompositeType
    owner: str
    path: Path


def numbered(relations: Relations) -> tuple[Numbered, ...]:
    """Return relations with their numbers, and behind each the composite types of its columns."""
    names = dict(_names(relations.relations))
    keys = chain.from_iterable((_relation(place), _row(place), _array(place)) for place in names)
    return tuple(_numbered(relations.relations, names, stable_oids(keys, relations.oids)))


def named(kind: pa.DataType, column: str, known: Sequence[Numbered]) -> pa.DataType:
    """Return a type whose structs are those composite types that have the same fields of the same types.

    Args:
        column: whose type it is; where several composite types fit, one of a column so called comes first.
    """
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(named(kind.value_type, column, known)))
    if not pa.types.is_struct(kind):
        return kind
    storage = pa.struct([field.with_type(named(field.type, field.name, known)) for field in kind])
    fitting = [each for each in known if _shape(each.row) == _shape(kind)]
    found = next((each for each in fitting if _last(each) == column), next(iter(fitting), None))
    return storage if found is None else found.row.over(storage)


def _last(found: Numbered) -> str:
    return (found.owner, *found.path)[-1]


def _shape(kind: pa.DataType) -> Any:
    """Return what types have in common whose values are written alike: names and types of fields."""
    kind = kind.storage_type if isinstance(kind, CompositeType) else kind
    if pa.types.is_list(kind):
        return ("list", _shape(kind.value_type))
    if pa.types.is_struct(kind):
        return tuple((field.name, _shape(field.type)) for field in kind)
    return pg_name(kind)


_Place = tuple[str, Path]
"""Key of a relation, and the path in it."""


def _relation(place: _Place) -> str:
    return "\0".join((place[0], *place[1]))


def _row(place: _Place) -> str:
    return f"row type of {_relation(place)}"


def _array(place: _Place) -> str:
    return f"array type of {_relation(place)}"


def _names(relations: Iterable[Relation]) -> Iterator[tuple[_Place, str]]:
    """Yield what each composite type is called; names are unique in a schema."""
    relations = tuple(relations)
    taken = {(relation.schema, relation.name) for relation in relations}
    for relation in relations:
        yield (relation.key, ()), relation.name
        for path in (path for each in relation.columns for path in _paths(each.type, (each.name,))):
            name = "_".join((relation.name, *path))
            while (relation.schema, name) in taken:
                name += "_"
            taken.add((relation.schema, name))
            yield (relation.key, path), name


def _paths(kind: pa.DataType, path: Path) -> Iterator[Path]:
    if pa.types.is_list(kind):
        yield from _paths(kind.value_type, path)
    elif pa.types.is_struct(kind):
        yield path
        for field in kind:
            yield from _paths(field.type, (*path, field.name))


def _numbered(
    relations: Iterable[Relation], names: dict[_Place, str], oids: dict[str, int]
) -> Iterator[Numbered]:
    def composite(key: str, path: Path, fields: Iterable[tuple[str, pa.DataType]]) -> CompositeType:
        place = (key, path)
        storage = pa.struct([(name, typed(key, (*path, name), kind)) for name, kind in fields])
        return CompositeType(names[place], oids[_row(place)], oids[_array(place)], storage)

    def typed(key: str, path: Path, kind: pa.DataType) -> pa.DataType:
        if pa.types.is_list(kind):
            return pa.list_(kind.value_field.with_type(typed(key, path, kind.value_type)))
        if pa.types.is_struct(kind):
            return composite(key, path, ((field.name, field.type) for field in kind))
        return kind

    for relation in relations:
        row = composite(relation.key, (), ((column.name, column.type) for column in relation.columns))
        for path, kind in _within(row, ()):
            told = _typed_columns(relation, row) if not path else _as_relation(kind, relation.schema)
            yield Numbered(told, oids[_relation((relation.key, path))], kind, relation.name, path)


def _within(kind: pa.DataType, path: Path) -> Iterator[tuple[Path, CompositeType]]:
    """Yield a composite type and those inside it."""
    while pa.types.is_list(kind):
        kind = kind.value_type
    if isinstance(kind, CompositeType):
        yield path, kind
        for field in kind.storage_type:
            yield from _within(field.type, (*path, field.name))


def _typed_columns(relation: Relation, row: CompositeType) -> Relation:
    pairs = zip(relation.columns, row.storage_type, strict=True)
    return replace(relation, columns=tuple(replace(column, type=field.type) for column, field in pairs))


def _as_relation(kind: CompositeType, schema: str) -> Relation:
    columns = tuple(RelationColumn(field.name, field.type) for field in kind.storage_type)
    return Relation(kind.name, Kind.COMPOSITE, columns, schema=schema)
