"""Builds the catalogs as a private in-memory DuckDB: tables, macros, views."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, Final

import duckdb
import pyarrow as pa
from sqlglot import exp

from sqlfront.catalog.relations import Relations
from sqlfront.catalog.rows import (
    CatalogTable,
    Row,
    catalog_tables,
    relation_rows,
    static_rows,
)
from sqlfront.wire.types import SCALARS

SCHEMAS: Final = {"pg_catalog": "pg", "information_schema": "info"}
"""Our schema for each of PostgreSQL's; DuckDB has schemas of the same names of its own."""

_SQL_TYPES: Final = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "timestamptz": "TIMESTAMPTZ",
    "interval": "INTERVAL",
    "int2vector": "SMALLINT[]",
    "oidvector": "BIGINT[]",
    "_oid": "BIGINT[]",
    "_regtype": "BIGINT[]",
    "_int2": "SMALLINT[]",
} | dict.fromkeys(("oid", "int8", "xid", "regproc", "regtype"), "BIGINT")
_DEFAULTS: Final = {
    "BOOLEAN": False,
    "SMALLINT": 0,
    "INTEGER": 0,
    "BIGINT": 0,
    "FLOAT": 0.0,
}
_ARROW: Final = {
    "BOOLEAN": pa.bool_(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
}
_VIEW: Final = re.compile(r"^-- view (\w+)\.(\w+)\n(.*?);$", re.MULTILINE | re.DOTALL)


def build(relations: Relations) -> duckdb.DuckDBPyConnection:
    """Return a connection to catalogs that tell of the given relations."""
    connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "512MB"})
    connection.execute("SET TimeZone = 'UTC'; SET lambda_syntax = 'DISABLE_SINGLE_ARROW'")
    connection.execute("CREATE SCHEMA pg; CREATE SCHEMA info")
    rows = static_rows() | relation_rows(relations)
    views = dict(_views())
    for name, table in catalog_tables().items():
        if name not in views:
            _create_table(connection, table, rows.get(table.name, ()))
    _create_helpers(connection)
    connection.execute((files(__package__) / "macros.sql").read_text())
    for name, body in views.items():
        _create_view(connection, catalog_tables()[name], body)
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")
    return connection


def prepare_cursor(
    connection: duckdb.DuckDBPyConnection, caller: dict[str, str]
) -> duckdb.DuckDBPyConnection:
    """Return a cursor in which the catalogs answer a certain caller."""
    cursor = connection.cursor()
    pairs = {"key": list(caller), "value": list(caller.values())}
    cursor.execute("SET VARIABLE caller = $1", [pairs])
    cursor.execute("SET search_path = 'pg,main'")
    return cursor


def sql_type(type_name: str) -> str:
    """Return the DuckDB type in which values of a catalog type are kept."""
    if type_name in _SQL_TYPES:
        return _SQL_TYPES[type_name]
    return "VARCHAR[]" if type_name.startswith("_") else "VARCHAR"


def _name(table: CatalogTable) -> str:
    return f"{SCHEMAS[table.schema]}.{table.name}"


def _create_table(connection: duckdb.DuckDBPyConnection, table: CatalogTable, rows: Sequence[Row]) -> None:
    columns = ", ".join(f'"{name}" {sql_type(kind)}' for name, kind in (*table.columns, _TABLEOID))
    connection.execute(f"CREATE TABLE {_name(table)} ({columns})")
    if rows:
        filled = _filled(table, rows)
        connection.register("filled", filled)
        connection.execute(f"INSERT INTO {_name(table)} SELECT * FROM filled")
        connection.unregister("filled")


_TABLEOID: Final = ("tableoid", "oid")


def _filled(table: CatalogTable, rows: Sequence[Row]) -> pa.Table:
    """Return rows as an Arrow table; a column that a row leaves out is zero, false or empty."""
    arrays: dict[str, Any] = {}
    for name, kind in table.columns:
        sql = sql_type(kind)
        default = "" if kind == "char" else _DEFAULTS.get(sql)
        arrays[name] = pa.array([row.get(name, default) for row in rows], _ARROW.get(sql, pa.string()))
    arrays["tableoid"] = pa.array([table.oid] * len(rows), pa.int64())
    return pa.table(arrays)


def _create_helpers(connection: duckdb.DuckDBPyConnection) -> None:
    """Create what only the macros use."""
    names = [(scalar.oid, scalar.name, scalar.display) for scalar in SCALARS]
    names += [(s.array, f"_{s.name}", f"{s.display}[]") for s in SCALARS if s.array]
    connection.execute("CREATE TABLE pg.type_names (oid BIGINT, name VARCHAR, display VARCHAR)")
    connection.executemany("INSERT INTO pg.type_names VALUES ($1, $2, $3)", names)
    connection.execute(
        "CREATE VIEW pg.classes AS SELECT c.oid, c.relname, n.nspname FROM pg.pg_class AS c "
        "JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace"
    )


def _views() -> Iterator[tuple[str, str]]:
    text = (files(__package__) / "views.sql").read_text()
    for schema, name, body in _VIEW.findall(text):
        yield f"{schema}.{name}", body


def _create_view(connection: duckdb.DuckDBPyConnection, table: CatalogTable, body: str) -> None:
    given = set(connection.sql(body).columns)
    columns = ", ".join(
        f"CAST({exp.column(name, quoted=True).sql() if name in given else 'NULL'} AS "
        f'{sql_type(kind)}) AS "{name}"'
        for name, kind in table.columns
    )
    connection.execute(f"CREATE VIEW {_name(table)} AS SELECT {columns} FROM ({body})")
