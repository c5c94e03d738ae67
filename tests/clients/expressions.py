"""Expressions asked of wayline and of PostgreSQL 15, and the list in docs/sql.md of where they differ.

`python -m tests.clients.expressions` writes the list anew; `differences.txt` says which there are, and why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg

from engine.world import Home
from sqlfront.front import open_front
from sqlfront.server import running
from sqlfront.users import add_user
from tests.postgres import PostgreSQL, running_postgresql

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "sql.md"
BEGIN, END = "<!-- differences -->", "<!-- end of differences -->"
ROW = """ FROM (SELECT timestamp '2024-03-05 14:07:09.5' AS ts, timestamptz '2024-03-05 14:07:09+00' AS tz,
    date '2024-03-05' AS d, 7 AS i, 1234.56::numeric(10,2) AS n, 2.5::float8 AS f, 'foobar' AS t, true AS b,
    interval '1 day 02:03:04' AS iv, CAST(NULL AS text) AS z) v"""


@dataclass(frozen=True)
class Outcome:
    """What an expression gives: its rows as text, and the column's type and name; or an error's code."""

    rows: tuple[str | None, ...] = ()
    type: int = 0
    name: str = ""
    sqlstate: str = ""

    def shown(self, types: dict[int, str]) -> str:
        """Return it for the list."""
        if self.sqlstate:
            return f"error {self.sqlstate}"
        rows = ", ".join("NULL" if row is None else f"`{row}`" for row in self.rows)
        return f"{rows} {types[self.type]}"


def expressions() -> list[str]:
    """Return all expressions."""
    return (HERE / "expressions.txt").read_text().splitlines()


def differences() -> dict[str, list[str]]:
    """Return reason → expressions that differ for it."""
    lines = (HERE / "differences.txt").read_text().splitlines()
    heads = [at for at, line in enumerate(lines) if line.startswith("# ")]
    return {lines[a][2:]: lines[a + 1 : b] for a, b in pairwise([*heads, len(lines)])}


@contextmanager
def wayline() -> Iterator[psycopg.Connection]:
    """A connection to a server of an empty home."""
    with tempfile.TemporaryDirectory(prefix="wayline-expressions-") as folder:
        home = Home.create(Path(folder) / "home")
        add_user(home.catalog, "ann", "secret")
        options = {"user": "ann", "password": "secret", "dbname": "wayline", "sslmode": "disable"}
        try:
            with (
                running(open_front(home)) as address,
                psycopg.connect(
                    host=address.host, port=address.port, autocommit=True, **options
                ) as connection,
            ):
                yield connection
        finally:
            home.close()


@contextmanager
def postgresql(server: PostgreSQL) -> Iterator[psycopg.Connection]:
    """A connection to PostgreSQL in the same time zone."""
    with server.connect(options="-c timezone=UTC") as connection:
        yield connection


def outcome(connection: psycopg.Connection, expression: str) -> Outcome:
    """Ask an expression over one row of each type."""
    try:
        answer = connection.execute(f"SELECT {expression}{ROW}".encode()).pgresult
    except psycopg.Error as error:
        return Outcome(sqlstate=error.sqlstate or "")
    assert answer is not None
    values = (answer.get_value(row, 0) for row in range(answer.ntuples))
    rows = tuple(None if value is None else value.decode() for value in values)
    return Outcome(rows, answer.ftype(0), (answer.fname(0) or b"").decode())


def listed(ours: psycopg.Connection, theirs: psycopg.Connection) -> str:
    """Return the list of differences as Markdown."""
    types = dict(theirs.execute("SELECT oid::int, typname::text FROM pg_type").fetchall())
    lines: list[str] = []
    for reason, members in differences().items():
        lines += [f"\n**{reason}**\n", "| expression | wayline | PostgreSQL 15 |", "|---|---|---|"]
        for member in members:
            pair = [outcome(connection, member).shown(types) for connection in (ours, theirs)]
            cells = [cell.replace("|", "\\|") for cell in (f"`{member}`", *pair)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def kept() -> str:
    """Return the list as docs/sql.md has it."""
    return PAGE.read_text().split(BEGIN)[1].split(END)[0]


def main() -> None:
    """Write the list into docs/sql.md."""
    with running_postgresql() as server, postgresql(server) as theirs, wayline() as ours:
        page = PAGE.read_text()
        PAGE.write_text(page.replace(BEGIN + kept() + END, BEGIN + listed(ours, theirs) + END))


if __name__ == "__main__":
    main()
