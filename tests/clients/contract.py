"""What every SQL client must be able to do against a served home, and what each answers if all is well.

A client is a small program in ``programs``: it is told the server and the statements by its environment, does
the steps its own way and prints what it got, one line a step. Here stand the statements, the answers that all
must give, and, for each client, the steps that it has no way to do.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PROGRAMS: Final = Path(__file__).parent / "programs"
ROOT: Final = Path(__file__).parents[2]
SECONDS: Final = 240

STATEMENTS: Final = {
    "who": "SELECT current_user AS who",
    "values": (
        "SELECT true AS b, -7::int4 AS i, 1099511627776::int8 AS l, 0.5::float8 AS f, 12.5::numeric(8, 1) AS n, "
        "'hé \"x\" \\ y' AS t, DATE '2024-02-29' AS d, TIMESTAMP '2024-02-29 01:02:03' AS ts, NULL::text AS z"
    ),
    "question": "SELECT channel, SUM(occurrences) AS events FROM shop GROUP BY channel ORDER BY channel",
    "parameters": (
        "SELECT {1}::text AS t, {2}::int8 AS i, {3}::float8 AS f, {4}::bool AS b, {5}::date AS d, {6}::text AS z"
    ),
    "bound": "SELECT SUM(occurrences) AS events FROM shop WHERE channel = {1} AND daterangeday >= {2}",
    "pages": "SELECT i FROM generate_series(1, 1000) AS s(i)",
    "slow": "SELECT count(*) AS n FROM generate_series(1, 1000000) AS a(i), generate_series(1, 1000000) AS b(j)",
    "wrong": "SELECT missing FROM shop",
    "one": "SELECT 1 AS one",
}
"""Statements by name; ``{n}`` stands for the client's own marker of parameter n."""

BOUND: Final = ("email", "2026-02-01")
VALUES: Final = 'true|-7|1099511627776|0.5|12.5|hé "x" \\ y|2024-02-29|2024-02-29 01:02:03|NULL'
PARAMETERS: Final = "hé|42|0.5|true|2024-02-29|NULL"

STEPS: Final = {
    "connect": "with TLS and SCRAM; a wrong password is refused",
    "list": "the tables and views of schema public",
    "describe": "columns and their types",
    "text": "values and a question about a data view, as text",
    "binary": "the same in binary",
    "parameters": "text, numbers, booleans, dates and NULL as parameters",
    "paging": "a cursor or portal read page by page",
    "cancel": "a running statement is cancelled, and the session goes on",
    "error": "an unknown column is told with its code, and the session goes on",
    "reconnect": "connections one after the other",
}


def expected(question: str, bound: str) -> dict[str, str]:
    """Return the answer of each step, from the home's own answers to ``question`` and ``bound``."""
    return {
        "connect": "analyst, refused",
        "list": "calls crm products shop web",
        "describe": "customer_id text, segment text, country text, since date",
        "text": f"{VALUES} / {question}",
        "binary": f"{VALUES} / {question}",
        "parameters": f"{PARAMETERS} / {bound}",
        "paging": "1000 500500",
        "cancel": "57014 1",
        "error": "42703 1",
        "reconnect": "1 1 1",
    }


@dataclass(frozen=True, eq=False)
class Client:
    """One client of the matrix.

    Attributes:
        name: as in the table.
        command: what runs its program.
        needs_system: whether it takes more than Python packages of the ``dev`` extra.
        without: step → why the client has no way to do it.
        also: steps of its own → what its program prints for them.
    """

    name: str
    command: Callable[[], list[str]]
    needs_system: bool = False
    without: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def steps(self) -> list[str]:
        """The steps that its program does."""
        return [step for step in STEPS if step not in self.without] + list(self.also)


def python(program: str, *arguments: str) -> Callable[[], list[str]]:
    """Return what runs a program with this Python."""
    return lambda: [sys.executable, "-m", f"tests.clients.programs.{program}", *arguments]


def java(program: str) -> Callable[[], list[str]]:
    """Return what runs a program of one file with the driver from Debian."""
    return lambda: ["java", "-cp", "/usr/share/java/postgresql.jar", str(PROGRAMS / program)]


def node(program: str) -> Callable[[], list[str]]:
    """Return what runs a program with Node.js."""
    return lambda: ["node", str(Path(__file__).parent / "node" / program)]


def apart(program: str) -> Callable[[], list[str]]:
    """Return what runs a program with the Python of the clients that bring pins of their own."""
    return lambda: [str(ROOT / ".venv-clients" / "bin" / "python"), "-m", f"tests.clients.programs.{program}"]


CLIENTS: Final = (
    Client(
        "psql",
        python("psql_client"),
        needs_system=True,
        without={"binary": "reads text only"},
        also={"\\copy": "i 1000 500500"},
    ),
    Client("psycopg 3", python("psycopg_3")),
    Client("psycopg 2", python("psycopg_2"), without={"binary": "reads text only"}),
    Client("asyncpg", python("asyncpg_client"), without={"text": "reads binary only"}),
    Client(
        "pg8000",
        python("pg8000_client"),
        without={"binary": "reads text only", "cancel": "has no call for it"},
    ),
    Client(
        "SQLAlchemy",
        python("sqlalchemy_client"),
        without={"binary": "leaves the format to its drivers"},
        also={
            "reflection of every schema": (
                "public found, system found, information_schema found, pg_catalog found"
            )
        },
    ),
    Client("pgJDBC", java("Jdbc.java"), needs_system=True),
    Client("psqlodbc", python("odbc"), needs_system=True, without={"binary": "reads text only"}),
    Client("node-postgres", node("node_postgres.mjs"), needs_system=True),
    Client("postgres.js", node("postgres_js.mjs"), needs_system=True, without={"binary": "reads text only"}),
    *(
        Client(
            f"Npgsql {version} (its messages)",
            python("npgsql", version),
            without={"text": "reads binary only"},
            also={"types in one message": "1, enough"},
        )
        for version in ("4.0.10", "9")
    ),
    Client("ADBC", python("adbc"), without={"text": "reads binary only"}),
    Client(
        "Polars",
        python("polars_client"),
        without={"text": "reads binary only", "cancel": "has no call for it"},
    ),
    Client(
        "connectorx",
        python("connectorx_client"),
        without={"parameters": "has none", "cancel": "has no call for it"},
    ),
    Client(
        "pgcli",
        apart("pgcli_client"),
        needs_system=True,
        without={
            "binary": "reads text only",
            "parameters": "has none",
            "paging": "fetches whole results",
        },
        also={
            "completions": (
                "schemas found, tables found, columns found, types found, databases found, functions found"
            )
        },
    ),
    Client(
        "dbt-postgres",
        apart("dbt_client"),
        needs_system=True,
        without={
            "binary": "reads text only",
            "parameters": "has none",
            "paging": "fetches whole results",
            "cancel": "has no call for it",
        },
        also={"ephemeral models": "8", "test": "pass"},
    ),
    Client(
        "jupysql",
        apart("jupysql_client"),
        needs_system=True,
        without={"binary": "leaves the format to its driver", "paging": "fetches whole results"},
    ),
)
"""The clients, in the order of the table."""


@dataclass(frozen=True)
class Outcome:
    """What a program printed: values by step, errors by step, and what else it said."""

    version: str
    values: Mapping[str, str]
    errors: Mapping[str, str]
    said: str


def run(client: Client, environment: Mapping[str, str]) -> Outcome:
    """Run a client's program to its end and return what it printed."""
    command = client.command()
    if shutil.which(command[0]) is None:
        return Outcome("", {}, {}, f"{command[0]} is not installed: make clients installs it")
    with subprocess.Popen(
        command, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            printed, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            printed = process.communicate()[0] + f"\nkilled after {SECONDS} seconds"
    lines = [line.split("\t", 2) for line in printed.splitlines() if line.count("\t") >= 2]
    told = {kind: {step: text for each, step, text in lines if each == kind} for kind in ("ok", "error")}
    version = next((text for kind, _, text in lines if kind == "version"), "")
    return Outcome(version, told["ok"], told["error"], printed)
