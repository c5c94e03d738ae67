"""The peers' side: the rows of our journeys as native tables of DuckDB and ClickHouse (chdb).

Tables: ``by_person`` in journey order, with person (a number), ts, channel, revenue, orders, and
session_start (1 on the first event of a session), which only the floor reads; ``by_time`` in order of time.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from benchmarks.answers import Row

THREADS: Final = 2
SQL: Final = Path(__file__).parent / "peers"


def floor_table(tables: Iterable[pa.Table]) -> duckdb.DuckDBPyConnection:
    """Load the rows into DuckDB's memory, as ``by_person`` alone, and return the connection."""
    database = duckdb.connect(config={"threads": THREADS})
    database.execute(_sql("load_duckdb_rows"))
    for table in tables:
        database.register("arriving", table)
        database.execute("INSERT INTO rows SELECT * FROM arriving")
        database.unregister("arriving")
    database.execute(_sql("load_duckdb"))
    return database


def duckdb_tables(tables: Iterable[pa.Table]) -> duckdb.DuckDBPyConnection:
    """Load the rows into DuckDB's memory and return the connection; as ``floor_table``, and ``by_time``.

    Raises:
        ValueError: a person has two events at one instant, which the peers' SQL could not order.
    """
    database = floor_table(tables)
    ties = database.execute("SELECT count(*) - count(DISTINCT (person, ts)) FROM by_person").fetchall()
    if ties[0][0]:
        raise ValueError(f"{ties[0][0]} events share their person and time with another; use another seed")
    database.execute(_sql("load_duckdb_time"))
    return database


class ClickHouse:
    """A chdb session with the peers' rows, opened when it is first asked; one per process is allowed.

    Args:
        database: has the rows as ``by_person``.
        folder: for its files.
    """

    def __init__(self, database: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._session: Any = None

    def query(self, sql: str) -> list[Row]:
        """Return the statement's rows."""
        if self._session is None:
            self._session = _opened(self._database, self._folder)
        text = str(self._session.query(sql, "JSONCompactEachRow"))
        return [tuple(json.loads(line)) for line in text.splitlines()]

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.close()


def _opened(database: duckdb.DuckDBPyConnection, folder: Path) -> Any:
    chdb: Any = importlib.import_module("chdb.session")  # loads 500 MB, which only this peer should pay for
    rows = folder / "rows.parquet"
    database.execute("COPY (SELECT * FROM by_person) TO '" + str(rows).replace("'", "''") + "'")
    session = chdb.Session(str(folder / "chdb"))
    for statement in _sql("load_chdb").split(";"):
        if statement.strip():
            session.query(statement.replace("{rows}", str(rows)))
    rows.unlink()
    return session


def peer_sql(name: str, parameters: dict[str, Any] | None = None) -> str:
    """Return the SQL of a peer's measurement from ``peers/``; parameters are our own constants."""
    text = _sql(name)
    for key, value in (parameters or {}).items():
        text = text.replace("{" + key + "}", str(value))
    return text


def _sql(name: str) -> str:
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")
