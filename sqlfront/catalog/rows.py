"""Rows of the catalog tables: PostgreSQL's types and functions, and our relations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa

from sqlfront.catalog.relations import (
    INFORMATION_SCHEMA,
    PG_CATALOG,
    PUBLIC,
    SUPERUSER,
    SYSTEM,
    Kind,
    Relation,
    Relations,
    stable_oids,
)
from sqlfront.wire.types import BY_NAME, BY_OID, SCALARS, PgType, pg_modifier, pg_oid

Row = dict[str, Any]
SCHEMAS: Final = {
    "pg_catalog": PG_CATALOG,
    "public": PUBLIC,
    "system": SYSTEM,
    "information_schema": INFORMATION_SCHEMA,
}
_PG_CLASS: Final = 1259
_DEFAULT_COLLATION: Final = 100
_COLLATED: Final = frozenset(("text", "varchar", "bpchar"))
_PREFERRED: Final = frozenset(("text", "float8", "bool", "oid", "timestamptz", "interval"))
_BY_VALUE: Final = frozenset((1, 2, 4, 8))
_ALIGNMENTS: Final = {1: "c", 2: "s", 8: "d", 64: "c", 16: "c"}


@dataclass(frozen=True)
class CatalogTable:
    """A table or view of PostgreSQL's own: its columns as (name, type name)."""

    schema: str
    name: str
    oid: int
    kind: str
    columns: tuple[tuple[str, str], ...]


@cache
def catalog_tables() -> dict[str, CatalogTable]:
    """Return PostgreSQL's own relations by qualified name."""
    listed = json.loads((files(__package__) / "relations.json").read_text())
    missing = stable_oids(name for name, entry in listed.items() if not entry["oid"])
    return {
        name: _catalog_table(name, entry, entry["oid"] or missing[name]) for name, entry in listed.items()
    }


def _catalog_table(name: str, entry: Mapping[str, Any], oid: int) -> CatalogTable:
    schema, _, table = name.partition(".")
    columns = (column.partition(":") for column in entry["columns"].split())
    named = tuple((column, kind) for column, _, kind in columns)
    return CatalogTable(schema, table, oid, entry["kind"], named)


@cache
def functions() -> dict[str, tuple[int, int]]:
    """Return the input and output functions of types: name → (oid, result type)."""
    listed = json.loads((files(__package__) / "functions.json").read_text())
    return {name: tuple(numbers) for name, numbers in listed.items()}


def static_rows() -> dict[str, list[Row]]:
    """Return the rows that do not depend on our relations, by table of ``pg_catalog``."""
    return {
        "pg_namespace": [
            {"oid": oid, "nspname": name, "nspowner": SUPERUSER} for name, oid in SCHEMAS.items()
        ],
        "pg_type": list(_types()),
        "pg_proc": list(_functions()),
        "pg_am": [
            {"oid": 2, "amname": "heap", "amtype": "t"},
            {"oid": 403, "amname": "btree", "amtype": "i"},
        ],
        "pg_language": [{"oid": 12, "lanname": "internal", "lanowner": SUPERUSER}],
        "pg_tablespace": [{"oid": 1663, "spcname": "pg_default", "spcowner": SUPERUSER}],
        "pg_collation": [
            _collation(_DEFAULT_COLLATION, "default", "d"),
            _collation(950, "C", "c"),
            _collation(951, "POSIX", "c"),
        ],
    }


def _collation(oid: int, name: str, provider: str) -> Row:
    return {
        "oid": oid,
        "collname": name,
        "collnamespace": PG_CATALOG,
        "collowner": SUPERUSER,
        "collprovider": provider,
        "collisdeterministic": True,
        "collencoding": -1,
    }


def _types() -> Iterator[Row]:
    for scalar in SCALARS:
        stems = [f"{scalar.functions}{way}" for way in ("in", "out", "recv", "send")]
        yield _type(scalar.oid, scalar.name, scalar, stems) | {
            "typtype": "p" if scalar.category in "PX" else "b",
            "typcategory": scalar.category,
            "typispreferred": scalar.name in _PREFERRED,
            "typarray": scalar.array,
            "typelem": {"int2vector": 21, "oidvector": 26, "name": 18}.get(scalar.name, 0),
        }
        if scalar.array:
            stems = [f"array_{way}" for way in ("in", "out", "recv", "send")]
            yield _type(scalar.array, f"_{scalar.name}", scalar, stems) | {
                "typlen": -1,
                "typbyval": False,
                "typtype": "p" if scalar.category == "P" else "b",
                "typcategory": "P" if scalar.category == "P" else "A",
                "typelem": scalar.oid,
                "typstorage": "x",
            }


def _type(oid: int, name: str, scalar: PgType, stems: list[str]) -> Row:
    known = functions()
    ways = zip(("typinput", "typoutput", "typreceive", "typsend"), stems, strict=True)
    return {
        "oid": oid,
        "typname": name,
        "typnamespace": PG_CATALOG,
        "typowner": SUPERUSER,
        "typlen": scalar.size,
        "typbyval": scalar.size in _BY_VALUE,
        "typisdefined": True,
        "typdelim": ",",
        "typalign": _ALIGNMENTS.get(scalar.size, "i"),
        "typstorage": "x" if scalar.size == -1 else "p",
        "typtypmod": -1,
        "typcollation": _DEFAULT_COLLATION if scalar.name in _COLLATED else 0,
    } | {column: known.get(function, (0, 0))[0] for column, function in ways}


def _functions() -> Iterator[Row]:
    for name, (oid, result) in functions().items():
        yield {
            "oid": oid,
            "proname": name,
            "pronamespace": PG_CATALOG,
            "proowner": SUPERUSER,
            "prolang": 12,
            "prokind": "f",
            "provolatile": "i",
            "proparallel": "s",
            "proisstrict": True,
            "pronargs": 1,
            "prorettype": result,
            "prosrc": name,
        }


def relation_rows(relations: Relations) -> dict[str, list[Row]]:
    """Return the rows of our relations and of the catalogs themselves, by table."""
    oids = stable_oids(relation.key for relation in relations.relations)
    found: dict[str, list[Row]] = {"pg_class": [], "pg_attribute": [], "pg_description": []}
    for table in catalog_tables().values():
        found["pg_class"].append(_system_class(table))
        found["pg_attribute"] += _system_attributes(table)
    for relation in relations.relations:
        oid = oids[relation.key]
        found["pg_class"].append(_class(oid, relation))
        found["pg_attribute"] += _attributes(oid, relation)
        found["pg_description"] += _descriptions(oid, relation)
    return found


def _class(oid: int, relation: Relation) -> Row:
    schema = SCHEMAS[relation.schema]
    return _any_class(oid, relation.name, schema, relation.kind.value, len(relation.columns)) | {
        "relam": 2 if relation.kind is Kind.TABLE else 0
    }


def _system_class(table: CatalogTable) -> Row:
    schema = SCHEMAS[table.schema]
    return _any_class(table.oid, table.name, schema, table.kind, len(table.columns))


def _any_class(oid: int, name: str, schema: int, kind: str, columns: int) -> Row:
    return {
        "oid": oid,
        "relname": name,
        "relnamespace": schema,
        "relowner": SUPERUSER,
        "reltuples": -1.0,
        "relpersistence": "p",
        "relkind": kind,
        "relnatts": columns,
        "relhasrules": kind == "v",
        "relispopulated": True,
        "relreplident": "d" if kind == "r" else "n",
    }


def _attributes(oid: int, relation: Relation) -> Iterator[Row]:
    for number, column in enumerate(relation.columns, 1):
        yield _attribute(oid, number, column.name, pg_oid(column.type)) | {
            "atttypmod": pg_modifier(column.type),
            "attndims": int(pa.types.is_list(column.type)),
        }


def _system_attributes(table: CatalogTable) -> Iterator[Row]:
    for number, (name, type_name) in enumerate(table.columns, 1):
        yield _attribute(table.oid, number, name, type_oid(type_name))


def type_oid(name: str) -> int:
    """Return the oid of a type by its catalog name; text for the few that we have no values for."""
    if name.startswith("_"):
        return BY_NAME[name[1:]].array if name[1:] in BY_NAME else BY_NAME["text"].array
    return BY_NAME.get(name, BY_NAME["text"]).oid


def _attribute(oid: int, number: int, name: str, type_number: int) -> Row:
    scalar = BY_OID.get(type_number)
    size = scalar.size if scalar is not None else -1
    return {
        "attrelid": oid,
        "attname": name,
        "atttypid": type_number,
        "attstattarget": -1,
        "attlen": size,
        "attnum": number,
        "attcacheoff": -1,
        "atttypmod": -1,
        "attbyval": size in _BY_VALUE,
        "attalign": _ALIGNMENTS.get(size, "i"),
        "attstorage": "x" if size == -1 else "p",
        "attislocal": True,
        "attcollation": _collation_of(scalar),
    }


def _collation_of(scalar: PgType | None) -> int:
    return _DEFAULT_COLLATION if scalar is not None and scalar.name in _COLLATED else 0


def _descriptions(oid: int, relation: Relation) -> Iterator[Row]:
    comments: Mapping[int, str] = {0: relation.comment} | {
        number: column.comment for number, column in enumerate(relation.columns, 1)
    }
    for number, comment in comments.items():
        if comment:
            yield {
                "objoid": oid,
                "classoid": _PG_CLASS,
                "objsubid": number,
                "description": comment,
            }
