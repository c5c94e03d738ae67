"""What the catalogs say of relations: PostgreSQL's own ones and ours, as tables of relations and columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa

from sqlfront.catalog.composites import numbered
from sqlfront.catalog.relations import (
    INFORMATION_SCHEMA,
    PG_CATALOG,
    PUBLIC,
    SYSTEM,
    TEMPORARY,
    Kind,
    Relation,
    Relations,
)
from sqlfront.temporary_rows import TEMPORARY_SCHEMA
from sqlfront.wire.types import pg_modifier, pg_oid

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
        "array_type": pa.int64(),
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
        "type": pa.int64(),
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


@cache
def _type_oids() -> dict[str, int]:
    """Return the numbers of PostgreSQL's own types by name."""
    with (files(__package__) / "static" / "pg_type.csv").open(encoding="utf-8") as file:
        return {row["typname"]: int(row["oid"]) for row in csv.DictReader(file)}


def given_catalogs(listing: int) -> Given:
    """Return PostgreSQL's own relations."""
    tables, oids = catalog_tables().values(), _type_oids()
    relations = (
        (
            *(listing, table.oid, table.name, SCHEMAS[table.schema], _POSTGRES),
            *(table.kind, len(table.columns), 0, 0, "", ""),
        )
        for table in tables
    )
    columns = (
        (listing, table.oid, number, name, oids.get(kind, 0), -1, 0, "", None)
        for table in tables
        for number, (name, kind) in enumerate(table.columns, 1)
    )
    return Given(_table(_RELATIONS, relations), _table(_COLUMNS, columns))


def given_relations(listing: int, relations: Relations) -> Given:
    """Return our relations and the composite types of their columns; each has a row type."""
    found = numbered(relations)
    rows = (
        (
            *(listing, each.oid, each.relation.name, SCHEMAS[each.relation.schema], _owner(each.relation)),
            *(each.relation.kind.value, len(each.relation.columns), each.row.oid, each.row.array),
            *(each.relation.comment, each.relation.definition),
        )
        for each in found
    )
    columns = ((listing, each.oid, *column) for each in found for column in _columns(each.relation))
    return Given(_table(_RELATIONS, rows), _table(_COLUMNS, columns))


def _owner(relation: Relation) -> int:
    return _CALLER if relation.schema == TEMPORARY_SCHEMA else _POSTGRES


def _columns(relation: Relation) -> Iterable[tuple[object, ...]]:
    for number, column in enumerate(relation.columns, 1):
        kind = column.type
        shown = column.kind if relation.kind is Kind.VIEW and column.kind else None
        dimensions = int(pa.types.is_list(kind))
        yield number, column.name, pg_oid(kind), pg_modifier(kind), dimensions, column.comment, shown


def _table(schema: pa.Schema, rows: Iterable[tuple[object, ...]]) -> pa.Table:
    values = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(values, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
