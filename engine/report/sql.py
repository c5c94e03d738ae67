"""SQL over Arrow tables inside the report engine: DuckDBs for the process, one cursor per thread.

Users' expressions run here inside trees that the report engine builds. What may be called is checked
before; should something slip through, there is nothing to reach: files cannot be read, save results on
their way into a report and those of the folders that a look-up needs, and settings cannot be changed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa
from sqlglot import exp

from engine import memory
from engine.cancellation import Cancellation
from engine.folders import scratch
from engine.locking import locked

_lock = threading.Lock()


@lru_cache(maxsize=8)
def _database(folder: Path | None) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(":memory:", config=memory.duckdb_settings())
    database.execute("SET TimeZone = 'UTC'")
    database.execute("SET integer_division = true")
    locked(database, (scratch(),) if folder is None else (folder, scratch()))
    return database


class Statements:
    """Runs SELECTs over Arrow tables. Use one per thread.

    Args:
        cancellation: checked before each statement, interrupts a running one.
        relations: tables that every statement may join, by name.
        folder: whose files statements may read besides this process's own results.
    """

    def __init__(
        self, cancellation: Cancellation, relations: Mapping[str, pa.Table], folder: Path | None = None
    ) -> None:
        self._cancellation = cancellation
        self._relations = relations
        self._folder = folder

    @cached_property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """Made when first needed: many questions are added up without a statement."""
        with _lock:
            cursor = _database(self._folder).cursor()
        for name, table in self._relations.items():
            cursor.register(name, table)
        return cursor

    def check(self) -> None:
        """Raise CancelledError if the question was cancelled."""
        self._cancellation.check()

    def run(self, rows: pa.Table | pa.RecordBatchReader, select: exp.Query | str) -> pa.Table:
        """Run a SELECT over one table, or over batches as they come, which the statement calls ``rows``."""
        return self.run_named("rows", rows, select)

    def run_named(
        self, name: str, table: pa.Table | pa.RecordBatchReader, select: exp.Query | str
    ) -> pa.Table:
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
