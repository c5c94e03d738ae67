"""SQL over Arrow tables inside the report engine: one DuckDB for the process, one cursor per thread.

Users' statements never run here; what runs are trees that the report engine builds.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property, lru_cache

import duckdb
import pyarrow as pa
from sqlglot import exp

from engine import memory
from engine.cancellation import Cancellation

_lock = threading.Lock()


@lru_cache(maxsize=1)
def _database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(":memory:", config=memory.duckdb_settings())
    database.execute("SET TimeZone = 'UTC'")
    database.execute("SET integer_division = true")
    database.execute("SET python_enable_replacements = false")
    return database


class Statements:
    """Runs SELECTs over Arrow tables. Use one per thread.

    Args:
        cancellation: checked before each statement, interrupts a running one.
        relations: tables that every statement may join, by name.
    """

    def __init__(self, cancellation: Cancellation, relations: Mapping[str, pa.Table]) -> None:
        self._cancellation = cancellation
        self._relations = relations

    @cached_property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Made when first needed: many questions are added up without a statement."""
        with _lock:
            cursor = _database().cursor()
        for name, table in self._relations.items():
            cursor.register(name, table)
        return cursor

    def check(self) -> None:
        """Raise CancelledError if the question was cancelled."""
        self._cancellation.check()

    def run(self, rows: pa.Table, select: exp.Query | str) -> pa.Table:
        """Run a SELECT over one table, which the statement calls ``rows``."""
        return self.run_named("rows", rows, select)

    def run_named(self, name: str, table: pa.Table, select: exp.Query | str) -> pa.Table:
        """Run a SELECT over one table under a name of its own."""
        self._cursor.register(name, table)
        try:
            return self.fetch(select)
        finally:
            self._cursor.unregister(name)

    def fetch(self, query: exp.Query | str) -> pa.Table:
        """Run a query over the relations alone."""
        text = query if isinstance(query, str) else query.sql("duckdb")
        with self._cancellation.interrupting(self._cursor.interrupt):
            return self._cursor.sql(text).to_arrow_table()
