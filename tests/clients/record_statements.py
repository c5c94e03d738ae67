"""Records what clients ask the catalogs: runs them on a PostgreSQL 15 that logs each statement.

    python -m tests.clients.record_statements [FOLDER OF A VIRTUAL ENVIRONMENT WITH pgcli]

writes `statements/<client>.json`: each statement once, with the values of its parameters, and the columns and the
number of rows that PostgreSQL answered; `oid of web` stands for the number of an object that differs between servers. `tests/sqlfront/test_recorded_statements.py` asks us the same.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi
import asyncpg
import psycopg
import psycopg.types.composite
import psycopg.types.enum
import psycopg.types.range
import pyodbc
import sqlalchemy as sa
from psycopg.types import TypeInfo

from tests.postgres import PostgreSQL, running_postgresql

FOLDER = Path(__file__).parent / "statements"
ABOUT_CATALOGS = re.compile(
    r"\bpg_|information_schema|::reg|current_|version\(|format_type|set_config", re.IGNORECASE
)
SCHEMA = """
CREATE TABLE web_raw (id text, received timestamptz, amount numeric(12, 2), tags text[]);
CREATE VIEW web AS SELECT received::timestamp AS timestamp, id AS channel, 1::float8 AS "commerce.order.total",
    1::bigint AS visits FROM web_raw;
COMMENT ON VIEW web IS 'All web events';
COMMENT ON COLUMN web.channel IS 'Where the person came from';
COMMENT ON COLUMN web."commerce.order.total" IS 'Order value'
"""
OIDS = """
SELECT 'oid of row type of ' || typname, oid FROM pg_type WHERE oid > 16000
UNION SELECT 'oid of ' || relname, oid FROM pg_class WHERE oid > 16000
"""
OURS = re.compile(r"\bFROM web_raw\b|'oid of |^\s*(?:CREATE|COMMENT)")
OWN = re.compile(r"\b1[6-9]\d\d\d\b")
PSQL = (
    (
        r"\\d|\\d+|\\d web|\\d+ web|\\d web_raw|\\d+ web_raw|\\dt|\\dt+|\\dv|\\dv+|\\dn|\\dn+|\\df|\\df+ sub*|\\do|\\do+ +|"
        r"\\dC|\\dT|\\dT+|\\dTS int4|\\dO|\\dOS|\\sv web|\\l|\\l+|\\du|\\du+|\\dg|\\dp|\\z web|\\ddp|\\drds|\\dconfig work*|"
        r"\\dx|\\dL|\\dLS|\\dA|\\dA+|\\dc|\\dAc btree int*|\\dAf btree int*|\\dAo btree|\\dAp btree|\\da sum|\\dF|\\dFd|\\dFp|"
        r"\\dFt|\\des|\\dew|\\det|\\deu|\\dP|\\dRp|\\dRs|\\dX|\\dy|\\db|\\db+|\\dD|\\dS pg_class|\\d pg_class|\\di|\\dm|\\ds|\\dE|"
        r"\\dd|\\sf substr(text, int4)|\\d information_schema.tables"
    )
    .replace("\\\\", "\\")
    .split("|")
)


def psql(server: PostgreSQL) -> None:
    subprocess.run(
        ["psql", "-X", server.dsn], input="\n".join(PSQL) + "\n", text=True, check=True, capture_output=True
    )


def sqlalchemy(server: PostgreSQL) -> None:
    engine = sa.create_engine(server.url("postgresql+psycopg"))
    inspector = sa.inspect(engine)
    for ask in (
        "table_names",
        "view_names",
        "materialized_view_names",
        "temp_table_names",
        "sequence_names",
        "enums",
    ):
        getattr(inspector, f"get_{ask}")()
    inspector.get_schema_names(), inspector.get_domains()
    for name in ("web", "web_raw"):
        for ask in (
            "columns",
            "pk_constraint",
            "foreign_keys",
            "indexes",
            "unique_constraints",
            "check_constraints",
            "table_comment",
            "table_options",
        ):
            getattr(inspector, f"get_{ask}")(name)
        inspector.has_table(name)
    inspector.get_view_definition("web")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for schema in (None, "information_schema"):
            sa.MetaData().reflect(engine, schema=schema, views=True)
    engine.dispose()


def psycopg3(server: PostgreSQL) -> None:
    with server.connect() as connection:
        TypeInfo.fetch(connection, "int4")
        psycopg.types.composite.CompositeInfo.fetch(connection, "web_raw")
        psycopg.types.enum.EnumInfo.fetch(connection, "nothing")
        psycopg.types.range.RangeInfo.fetch(connection, "int4range")


def asyncpg_(server: PostgreSQL) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(server.url())
        await connection.fetch("SELECT w FROM web_raw w")
        await connection.reset()
        await connection.close()

    asyncio.run(ask())


def adbc(server: PostgreSQL) -> None:
    with adbc_driver_postgresql.dbapi.connect(server.url()) as connection:
        connection.adbc_get_objects(depth="all").read_all()
        connection.adbc_get_table_types()
        connection.adbc_get_table_schema("web", db_schema_filter="public")


def psqlodbc(server: PostgreSQL) -> None:
    driver = "/usr/lib/x86_64-linux-gnu/odbc/psqlodbcw.so"
    connection = pyodbc.connect(
        f"DRIVER={driver};SERVER={server.host};PORT={server.port};UID=postgres;DATABASE=postgres",
        autocommit=True,
    )
    cursor = connection.cursor()
    cursor.tables().fetchall(), cursor.tables(schema="public", tableType="VIEW").fetchall()
    for name in ("web", "web_raw"):
        for ask in (cursor.columns, cursor.primaryKeys, cursor.foreignKeys, cursor.statistics):
            ask(name).fetchall()
    cursor.procedures().fetchall(), cursor.getTypeInfo().fetchall()
    connection.close()


def pgcli(server: PostgreSQL) -> None:
    script = "from pgcli.pgexecute import PGExecute as P\nfrom pgcli.completion_refresher import CompletionRefresher as C\n"
    script += f"e = P(dsn={server.dsn!r})\n"
    for ask in (
        "schemata",
        "databases",
        "full_databases",
        "search_path",
        "tables",
        "views",
        "datatypes",
        "functions",
        "table_columns",
        "view_columns",
        "foreignkeys",
    ):
        script += f"found = e.{ask}(); found if isinstance(found, list) else list(found)\n"
    script += "print(e.view_definition('web'))\n"
    subprocess.run([Path(sys.argv[1]) / "bin" / "python", "-c", script], check=True, capture_output=True)


def pgjdbc(server: PostgreSQL) -> None:
    calls = ['getTables(null, "public", "%", new String[] {"TABLE", "VIEW"})', 'getTables(null, null, "%", null)',
             'getColumns(null, "public", "web%", "%")', 'getPrimaryKeys(null, "public", "web_raw")',
             'getImportedKeys(null, "public", "web_raw")', 'getExportedKeys(null, "public", "web_raw")',
             'getCrossReference(null, "public", "web", null, "public", "web_raw")',
             'getIndexInfo(null, "public", "web_raw", false, true)', "getSchemas()", "getCatalogs()", "getTypeInfo()",
             "getTableTypes()", 'getFunctions(null, "public", "%")', 'getProcedures(null, "public", "%")',
             'getTablePrivileges(null, "public", "web")', 'getColumnPrivileges(null, "public", "web", "%")',
             'getBestRowIdentifier(null, "public", "web_raw", 0, true)', 'getVersionColumns(null, "public", "web")',
             'getUDTs(null, "public", "%", null)', 'getProcedureColumns(null, "public", "%", "%")',
             "getClientInfoProperties()"]  # fmt: skip
    body = "".join(f"all(data.{call});" for call in calls)
    source = f"""import java.sql.*;
    public class Meta {{
      static void all(ResultSet found) throws SQLException {{ while (found.next()) {{}} found.close(); }}
      public static void main(String[] arguments) throws SQLException {{
        Connection connection = DriverManager.getConnection("jdbc:postgresql://{server.host}:{server.port}/postgres?user=postgres");
        DatabaseMetaData data = connection.getMetaData(); {body} data.getSQLKeywords(); connection.close(); }} }}"""
    path = server.folder / "Meta.java"
    path.write_text(source)
    subprocess.run(["java", "-cp", "/usr/share/java/postgresql.jar", str(path)], check=True)


CLIENTS: dict[str, Callable[[PostgreSQL], None]] = {
    "psql": psql, "sqlalchemy": sqlalchemy, "psycopg": psycopg3, "asyncpg": asyncpg_, "adbc": adbc,
    "psqlodbc": psqlodbc, "pgcli": pgcli, "pgjdbc": pgjdbc,
}  # fmt: skip


def main() -> None:
    """Record every client."""
    settings = (
        "log_statement=all",
        "logging_collector=on",
        "log_destination=jsonlog",
        "log_filename=statements",
    )
    with running_postgresql(*settings) as server, server.connect() as connection:
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        log = next((server.folder / "data" / "log").glob("*.json"))
        for name, client in CLIENTS.items():
            before = log.stat().st_size
            client(server)
            time.sleep(1)
            oids = {str(oid): name for name, oid in connection.execute(OIDS)}
            asked = {json.dumps(each): each for each in statements(log, before)}
            answered = [found for each in asked.values() if (found := answer(server, each)) is not None]
            lines = named(",\n".join(map(json.dumps, answered)), oids)
            (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n")
            print(name, len(answered), file=sys.stderr)


def named(text: str, oids: dict[str, str]) -> str:
    """Return a text with names in the place of the numbers of our objects."""
    return OWN.sub(lambda oid: oids.get(oid[0], oid[0]), text)


def statements(log: Path, start: int) -> Iterator[dict[str, Any]]:
    """Yield the statements logged from a place on, with the values of their parameters."""
    with log.open() as file:
        file.seek(start)
        for line in file:
            entry = json.loads(line)
            _, found, sql = re.sub(r"^execute [^:]*: ", "statement: ", entry["message"]).partition(
                "statement: "
            )
            if found and ABOUT_CATALOGS.search(sql) and not OURS.search(sql):
                yield {"sql": sql.strip().rstrip(";"), "values": values(entry.get("detail", ""))}


def values(detail: str) -> list[str | None]:
    """Return the values in a line of the log such as ``parameters: $1 = '7', $2 = NULL``."""
    found = re.findall(r"\$\d+ = (NULL|'(?:[^']|'')*')", detail)
    return [None if each == "NULL" else each[1:-1].replace("''", "'") for each in found]


def answer(server: PostgreSQL, statement: dict[str, Any]) -> dict[str, Any] | None:
    """Return a statement with PostgreSQL's answer; None if it is not a question, or has to be known beforehand."""
    with server.connect() as connection:
        given = [None if each is None else each.encode() for each in statement["values"]]
        found = connection.pgconn.exec_params(statement["sql"].encode(), given)
        if found.status != psycopg.pq.ExecStatus.TUPLES_OK:
            print("left out:", statement["sql"][:100], found.error_message.decode()[:80], file=sys.stderr)
            return None
        names = [(found.fname(at) or b"").decode() for at in range(found.nfields)]
        columns = [f"{name}:{found.ftype(at)}" for at, name in enumerate(names)]
        return {**statement, "columns": columns, "rows": found.ntuples}


if __name__ == "__main__":
    os.environ["PGTZ"] = "UTC"
    main()
