"""Writes what the catalogs take over from PostgreSQL 15: its relations, and rows that no relation of ours changes.

    python -m tests.clients.generate_catalog

starts a PostgreSQL 15 and rewrites `relations.json` and `static/*.csv` in `sqlfront/catalog`. Only what we have
is taken over: types, functions that a statement may call, and operators and casts of types that have values here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import psycopg

from sqlfront.catalog import allowed
from sqlfront.catalog.relations import INFORMATION_SCHEMA
from sqlfront.wire.types import SCALARS
from tests.postgres import running_postgresql

FOLDER: Final = Path(allowed.__file__).parent
NULL: Final = r"\N"
LEFT_OUT: Final = frozenset(("aclitem[]", "pg_node_tree", "anyarray"))

CHOSEN: Final = """
CREATE TEMP TABLE types AS SELECT t.oid FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem
WHERE t.typrelid = 0 AND coalesce(e.typrelid, 0) = 0;
CREATE TEMP TABLE valued AS SELECT t.oid FROM pg_type t
WHERE t.typname = ANY(%(types)s) OR t.typname IN ('anyarray', 'anyelement', 'anycompatible', 'anycompatiblearray');
CREATE TEMP TABLE operators AS SELECT o.oid, oprcode::oid AS code FROM pg_operator o
WHERE oprright IN (SELECT oid FROM valued) AND (oprleft = 0 OR oprleft IN (SELECT oid FROM valued))
  AND oprresult IN (SELECT oid FROM valued);
CREATE TEMP TABLE casts AS SELECT oid, castfunc FROM pg_cast
WHERE castsource IN (SELECT oid FROM valued) AND casttarget IN (SELECT oid FROM valued);
CREATE TEMP TABLE functions AS SELECT p.oid FROM pg_proc p
WHERE proname = ANY(%(functions)s) OR oid IN (SELECT code FROM operators UNION SELECT castfunc FROM casts)
   OR oid IN (SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend, typmodin, typmodout, typanalyze,
                                  typsubscript]::oid[]) FROM pg_type WHERE oid IN (SELECT oid FROM types));
CREATE TEMP TABLE opclasses AS SELECT oid, opcfamily FROM pg_opclass
WHERE opcmethod IN (403, 405) AND opcintype IN (SELECT oid FROM valued);
CREATE TEMP TABLE described AS
SELECT 'pg_type'::regclass::oid AS class, oid FROM types UNION ALL SELECT 'pg_operator'::regclass, oid FROM operators
UNION ALL SELECT 'pg_cast'::regclass, oid FROM casts UNION ALL SELECT 'pg_proc'::regclass, oid FROM functions
UNION ALL SELECT 'pg_am'::regclass, unnest(ARRAY[2, 403, 405]) UNION ALL
SELECT 'pg_language'::regclass, unnest(ARRAY[12, 13, 14]) UNION ALL SELECT 'pg_collation'::regclass, unnest(ARRAY[100, 950, 951]);
"""

ROWS: Final = {
    "pg_type": "oid IN (SELECT oid FROM types)",
    "pg_proc": "oid IN (SELECT oid FROM functions)",
    "pg_operator": "oid IN (SELECT oid FROM operators)",
    "pg_cast": "oid IN (SELECT oid FROM casts)",
    "pg_opclass": "oid IN (SELECT oid FROM opclasses)",
    "pg_opfamily": "oid IN (SELECT opcfamily FROM opclasses)",
    "pg_aggregate": "aggfnoid IN (SELECT oid FROM functions)",
    "pg_range": "true",
    "pg_language": "lanname <> 'plpgsql'",
    "pg_collation": "oid IN (100, 950, 951)",
    "pg_am": "oid IN (2, 403, 405)",
    "pg_tablespace": "true",
    "pg_timezone_abbrevs": "true",
    "pg_description": "(classoid, objoid) IN (SELECT class, oid FROM described)",
}
"""Table of ``pg_catalog`` → condition on the rows that are taken over."""

KEYWORDS: Final = "SELECT word, catcode, barelabel, catdesc, baredesc FROM pg_get_keywords() ORDER BY word"
SETTINGS: Final = """
SELECT name, boot_val AS setting, current_setting(name) AS shown, unit, category, short_desc, extra_desc, context, vartype, min_val, max_val, enumvals
FROM pg_settings
WHERE name NOT LIKE '%%\\_file' AND name NOT LIKE '%%director%%' AND name NOT LIKE '%%\\_command'
  AND name NOT LIKE '%%\\_librar%%' AND name NOT LIKE 'unix%%' AND name NOT IN ('port', 'listen_addresses')
  AND category NOT LIKE 'Developer%%' AND (setting = boot_val OR setting IS NULL AND boot_val IS NULL)
ORDER BY name
"""
RELATIONS: Final = """
SELECT n.nspname || '.' || c.relname, c.oid, c.relkind,
       string_agg(a.attname || ':' || coalesce(b.typname, t.typname), ' ' ORDER BY attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') AND a.attnum > 0
GROUP BY 1, 2, 3 ORDER BY 1
"""


def main() -> None:
    """Write everything anew."""
    with running_postgresql() as server, server.connect() as connection:
        types = [s.name for s in SCALARS] + [f"_{s.name}" for s in SCALARS if s.array]
        chosen = {"types": types, "functions": sorted(allowed.functions())}
        cursor = psycopg.ClientCursor(connection)
        cursor.execute(CHOSEN.replace("%%", "%"), chosen)
        write_relations(connection)
        for table, condition in ROWS.items():
            write_rows(
                connection,
                table,
                f"SELECT {columns(connection, table)} FROM {table} WHERE {condition} ORDER BY 1, 2",
            )
        write_rows(connection, "keywords", KEYWORDS)
        write_rows(
            connection,
            "settings",
            SETTINGS.replace("%%", "%").replace("enumvals\n", listed("enumvals", "text[]") + "\n"),
        )


def write_relations(connection: psycopg.Connection) -> None:
    """Write relations.json; those that are there already keep their places, which decide between equal names."""
    path = FOLDER / "relations.json"
    known = list(json.loads(path.read_text()))
    found = {
        name: {"oid": oid, "kind": kind, "columns": of}
        for name, oid, kind, of in connection.execute(RELATIONS)
    }
    order = sorted(found, key=lambda name: known.index(name) if name in known else len(known))
    lines = (f"  {json.dumps(name)}: {json.dumps(found[name])}" for name in order)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def columns(connection: psycopg.Connection, table: str) -> str:
    """Return the columns of a table as DuckDB reads them from CSV: numbers for objects, lists in brackets."""
    found = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        [table],
    )
    return ", ".join(listed(name, kind) for name, kind in found if kind not in LEFT_OUT)


def listed(name: str, kind: str) -> str:
    """Return a column of one type as DuckDB reads it."""
    if kind.endswith("[]"):
        return f"'[' || array_to_string({name}, ', ') || ']' AS {name}"
    if kind.endswith("vector"):
        return f"'[' || replace({name}::text, ' ', ', ') || ']' AS {name}"
    if name.endswith("namespace"):
        return f"CASE {name} WHEN 'information_schema'::regnamespace THEN {INFORMATION_SCHEMA} ELSE {name} END AS {name}"
    return f"{name}::oid" if kind.startswith("reg") else name


def write_rows(connection: psycopg.Connection, name: str, query: str) -> None:
    """Write a query's rows."""
    copied = f"COPY ({query}) TO STDOUT (FORMAT csv, HEADER, NULL '{NULL}')"
    with connection.cursor().copy(copied) as rows, (FOLDER / "static" / f"{name}.csv").open("wb") as file:
        for part in rows:
            file.write(part)


if __name__ == "__main__":
    main()
