"""Results on their way into a report, as Parquet files that live no longer than the report runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp

from engine.folders import scratch


class TemporaryFiles:
    """Files of one statement; leaving the block, or letting go of the object, removes them."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0

    @property
    def any(self) -> bool:
        """Whether there are files."""
        return self._folder is not None

    def query(self, table: pa.Table) -> exp.Select:
        """Write a table and return a query that reads it."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(dir=scratch())
        self._count += 1
        path = Path(self._folder.name) / f"{self._count}.parquet"
        pq.write_table(table, path)
        function = exp.Anonymous(this="read_parquet", expressions=[exp.Literal.string(str(path))])
        return exp.select(exp.Star()).from_(function)

    def __enter__(self) -> TemporaryFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
