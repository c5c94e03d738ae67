"""What the catalogs say of relations: PostgreSQL's own ones and ours, as tables of relations and columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa

from sqlfront.catalog.relations import (
    INFORMATION_SCHEMA,
    PG_CATALOG,
    PUBLIC,
    SYSTEM,
    TEMPORARY,
    Kind,
    Relation,
    Relations,
    stable_oids,
)
from sqlfront.temporary_rows import TEMPORARY_SCHEMA
from sqlfront.wire.types import pg_modifier, pg_name

SCHEMAS: Final = {
    "pg_catalog": PG_CATALOG,
    "public": PUBLIC,
    "system": SYSTEM,
    "information_schema": INFORMATION_SCHEMA,
    TEMPORARY_SCHEMA: TEMPORARY,
}
_POSTGRES: Final = 10
_CALLER: Final = 16_385
_RELATIONS: Final = pa.schema(
    {
        "listing": pa.int64(),
        "oid": pa.int64(),
        "name": pa.string(),
        "schema": pa.int64(),
        "owner": pa.int64(),
        "kind": pa.string(),
        "columns": pa.int16(),
        "row_type": pa.int64(),
        "comment": pa.string(),
        "definition": pa.string(),
    }
)
_COLUMNS: Final = pa.schema(
    {
        "listing": pa.int64(),
        "relation": pa.int64(),
        "number": pa.int16(),
        "name": pa.string(),
        "type": pa.string(),
        "modifier": pa.int32(),
        "dimensions": pa.int32(),
        "comment": pa.string(),
        "shown": pa.string(),
    }
)


@dataclass(frozen=True)
class CatalogTable:
    """A table or view of PostgreSQL's own: its columns as (name, type name)."""

    schema: str
    name: str
    oid: int
    kind: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Given:
    """Relations and their columns as the catalogs take them, one row each."""

    relations: pa.Table
    columns: pa.Table


@cache
def catalog_tables() -> dict[str, CatalogTable]:
    """Return PostgreSQL's own relations by qualified name."""
    listed = json.loads((files(__package__) / "relations.json").read_text())
    return {name: _catalog_table(name, entry) for name, entry in listed.items()}


def _catalog_table(name: str, entry: Mapping[str, Any]) -> CatalogTable:
    schema, _, table = name.partition(".")
    columns = (column.partition(":") for column in entry["columns"].split())
    named = tuple((column, kind) for column, _, kind in columns)
    return CatalogTable(schema, table, entry["oid"], entry["kind"], named)


def given_catalogs(listing: int) -> Given:
    """Return PostgreSQL's own relations."""
    tables = catalog_tables().values()
    relations = (
        (
            *(listing, table.oid, table.name, SCHEMAS[table.schema], _POSTGRES),
            *(table.kind, len(table.columns), 0, "", ""),
        )
        for table in tables
    )
    columns = (
        (listing, table.oid, number, name, kind, -1, 0, "", None)
        for table in tables
        for number, (name, kind) in enumerate(table.columns, 1)
    )
    return Given(_table(_RELATIONS, relations), _table(_COLUMNS, columns))


def given_relations(listing: int, relations: Relations) -> Given:
    """Return our relations; each has a row type, as tables do in PostgreSQL."""
    keys = [relation.key for relation in relations.relations]
    oids = stable_oids([*keys, *map(_row_type, keys)])
    rows = (
        (
            *(listing, oids[each.key], each.name, SCHEMAS[each.schema]),
            *(_CALLER if each.schema == TEMPORARY_SCHEMA else _POSTGRES, each.kind.value, len(each.columns)),
            *(oids[_row_type(each.key)], each.comment, each.definition),
        )
        for each in relations.relations
    )
    columns = (
        (listing, oids[each.key], *column) for each in relations.relations for column in _columns(each)
    )
    return Given(_table(_RELATIONS, rows), _table(_COLUMNS, columns))


def _row_type(key: str) -> str:
    return f"row type of {key}"


def _columns(relation: Relation) -> Iterable[tuple[object, ...]]:
    for number, column in enumerate(relation.columns, 1):
        kind = column.type
        shown = column.kind if relation.kind is Kind.VIEW and column.kind else None
        dimensions = int(pa.types.is_list(kind))
        yield number, column.name, pg_name(kind), pg_modifier(kind), dimensions, column.comment, shown


def _table(schema: pa.Schema, rows: Iterable[tuple[object, ...]]) -> pa.Table:
    values = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
