"""Builds the catalogs as a private in-memory DuckDB: tables, macros, views, and listings of our relations.

What is PostgreSQL's own stands there once. Our relations differ by world, caller and database: each such
listing has a number that its rows carry, and a cursor sees the rows of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
from sqlglot import exp

from engine.locking import locked
from sqlfront.catalog.relations import Relations
from sqlfront.catalog.rows import CatalogTable, Given, catalog_tables, given_catalogs, given_relations
from sqlfront.wire.types import SCALARS

SCHEMAS: Final = {"pg_catalog": "pg", "information_schema": "info"}
"""Our schema for each of PostgreSQL's; DuckDB has schemas of the same names of its own."""

LISTED: Final = ("pg_class", "pg_attribute", "pg_attrdef", "pg_type", "pg_description", "pg_namespace")
"""Tables of ``pg_catalog`` with rows of our relations."""

STATIC: Final = tuple(
    sorted(
        each.name.removesuffix(".csv")
        for each in (files(__package__) / "static").iterdir()
        if each.name.endswith(".csv")
    )
)
"""Tables with rows taken over from PostgreSQL, and two of our own: keywords and settings."""

FILLED: Final = frozenset((*LISTED, *STATIC))
"""Tables that have rows at all."""

_EVERYWHERE: Final = 0
_LISTINGS: Final = "CAST(string_split(getvariable('caller')['listings'], ',') AS BIGINT[])"
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
    "_float4": "FLOAT[]",
    "_float8": "DOUBLE[]",
} | dict.fromkeys(("oid", "int8", "xid", "regproc", "regtype"), "BIGINT")
_DEFAULTS: Final = {"BOOLEAN": "false"} | dict.fromkeys(("SMALLINT", "INTEGER", "BIGINT", "FLOAT"), "0")
_VIEW: Final = re.compile(r"^-- view (\w+)\.(\w+)\n(.*?);$", re.MULTILINE | re.DOTALL)
_HELPERS: Final = """
CREATE TABLE own.definitions (listing BIGINT, oid BIGINT, definition VARCHAR);
CREATE TABLE pg.displays (oid BIGINT, display VARCHAR);
CREATE TABLE pg.keywords (word VARCHAR, catcode VARCHAR, barelabel BOOLEAN, catdesc VARCHAR,
    baredesc VARCHAR);
CREATE TABLE pg.settings (name VARCHAR, setting VARCHAR, shown VARCHAR, unit VARCHAR, category VARCHAR,
    short_desc VARCHAR, extra_desc VARCHAR, context VARCHAR, vartype VARCHAR, min_val VARCHAR,
    max_val VARCHAR, enumvals VARCHAR[]);
"""
_READ: Final = (
    "(FORMAT csv, HEADER, NULLSTR '\\N', QUOTE '\"', ESCAPE '\"', DELIMITER ',', AUTO_DETECT false)"
)


def build() -> duckdb.DuckDBPyConnection:
    """Return a connection to catalogs that tell of PostgreSQL's own relations alone."""
    connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "512MB"})
    connection.execute("SET TimeZone = 'UTC'; SET lambda_syntax = 'DISABLE_SINGLE_ARROW'")
    views = dict(_views())
    tables = [table for name, table in catalog_tables().items() if name not in views]
    connection.execute("CREATE SCHEMA pg; CREATE SCHEMA info; CREATE SCHEMA own;" + _HELPERS)
    connection.execute(";".join(_table(table) for table in tables))
    _read_static_rows(connection)
    _insert(connection, given_catalogs(_EVERYWHERE))
    connection.execute((files(__package__) / "macros.sql").read_text())
    for name, body in views.items():
        connection.execute(_view(connection, catalog_tables()[name], body))
    locked(connection)
    return connection


def add_listing(connection: duckdb.DuckDBPyConnection, listing: int, relations: Relations) -> None:
    """Let cursors with this listing, a positive number not used before, see some relations."""
    _insert(connection, given_relations(listing, relations))


def remove_listing(connection: duckdb.DuckDBPyConnection, listing: int) -> None:
    """Forget a listing; answers under way still see it."""
    for table in (*LISTED, "definitions"):
        connection.execute(f"DELETE FROM own.{table} WHERE listing = ?", [listing])


def prepare_cursor(
    connection: duckdb.DuckDBPyConnection, caller: dict[str, str], listings: Sequence[int]
) -> duckdb.DuckDBPyConnection:
    """Return a cursor in which the catalogs answer a certain caller, of some listings."""
    cursor = connection.cursor()
    seen = ",".join(map(str, (_EVERYWHERE, *listings)))
    told = {**caller, "listing": str(listings[0]), "listings": seen}
    cursor.execute("SET VARIABLE caller = $1", [{"key": list(told), "value": list(told.values())}])
    cursor.execute("SET search_path = 'pg,main'")
    return cursor


def sql_type(type_name: str) -> str:
    """Return the DuckDB type in which values of a catalog type are kept."""
    if type_name in _SQL_TYPES:
        return _SQL_TYPES[type_name]
    return "VARCHAR[]" if type_name.startswith("_") else "VARCHAR"


def _name(table: CatalogTable) -> str:
    return f"{SCHEMAS[table.schema]}.{table.name}"


def _table(table: CatalogTable) -> str:
    """Return what makes a table; one with rows of ours is a view of the caller's and everybody's rows."""
    if table.name not in FILLED:
        columns = ", ".join(f'"{name}" {sql_type(kind)}' for name, kind in table.columns)
        return f"CREATE TABLE {_name(table)} ({columns}, tableoid BIGINT)"
    columns = ", ".join(f'"{name}" {sql_type(kind)} DEFAULT {_default(kind)}' for name, kind in table.columns)
    own = f"tableoid BIGINT DEFAULT {table.oid}"
    if table.name not in LISTED:
        return f"CREATE TABLE {_name(table)} ({columns}, {own})"
    return (
        f"CREATE TABLE own.{table.name} ({columns}, {own}, listing BIGINT DEFAULT {_EVERYWHERE}); "
        f"CREATE VIEW {_name(table)} AS SELECT * EXCLUDE (listing) FROM own.{table.name} "
        f"WHERE list_contains({_LISTINGS}, listing)"
    )


def _default(kind: str) -> str:
    return "''" if kind == "char" else _DEFAULTS.get(sql_type(kind), "NULL")


def _read_static_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Read the rows taken over from PostgreSQL, and say how types are written."""
    with ExitStack() as stack:
        folder = stack.enter_context(as_file(files(__package__) / "static"))
        for name in STATIC:
            schema, path = "own" if name in LISTED else "pg", folder / f"{name}.csv"
            connection.execute(f"COPY {schema}.{name} ({_header(path)}) FROM '{path}' {_READ}")
    displays = pa.table({"oid": [s.oid for s in SCALARS], "display": [s.display for s in SCALARS]})
    connection.register("given_displays", displays)
    connection.execute("INSERT INTO pg.displays FROM given_displays")
    connection.unregister("given_displays")


def _header(path: Path) -> str:
    with path.open() as file:
        return ", ".join(f'"{name}"' for name in file.readline().strip().split(","))


def _insert(connection: duckdb.DuckDBPyConnection, given: Given) -> None:
    cursor = connection.cursor()
    cursor.register("given_relations", given.relations)
    cursor.register("given_columns", given.columns)
    cursor.execute("BEGIN;" + (files(__package__) / "listing.sql").read_text() + "COMMIT")
    cursor.close()


def _views() -> Iterator[tuple[str, str]]:
    text = (files(__package__) / "views.sql").read_text()
    for schema, name, body in _VIEW.findall(text):
        yield f"{schema}.{name}", body


def _view(connection: duckdb.DuckDBPyConnection, table: CatalogTable, body: str) -> str:
    """Return what makes a view with all columns that PostgreSQL's has; those that it leaves out are NULL."""
    given = set(connection.sql(body).columns)
    columns = ", ".join(
        f"CAST({exp.column(name, quoted=True).sql() if name in given else 'NULL'} AS "
        f'{sql_type(kind)}) AS "{name}"'
        for name, kind in table.columns
    )
    return f"CREATE VIEW {_name(table)} AS SELECT {columns} FROM ({body})"
