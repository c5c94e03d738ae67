"""Arrow tables to Parquet, CSV and JSON lines files, written as they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError, did_you_mean

Format = Literal["parquet", "csv", "jsonl"]

_ROW_GROUP: Final = 128 * 1024


class FileWriter:
    """One growing file; rows are gathered until there is a row group's worth of them."""

    def __init__(self, path: Path, file_format: Format) -> None:
        self.path = path
        self.rows = 0
        self._format = file_format
        self._gathered: list[pa.Table] = []
        self._gathered_rows = 0
        self._handle: IO[bytes] = path.open("wb")
        self._parquet: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Append the table's rows; all tables of a file have the same columns."""
        self._gathered.append(plain(table))
        self._gathered_rows += table.num_rows
        if self._gathered_rows >= _ROW_GROUP:
            self._flush()

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
        if self._parquet is not None:
            self._parquet.close()
        self._handle.close()

    def _flush(self) -> None:
        if not self._gathered:
            return
        table = pa.concat_tables(self._gathered)
        _WRITERS[self._format](self, table)
        self.rows += table.num_rows
        self._gathered, self._gathered_rows = [], 0

    def _write_parquet(self, table: pa.Table) -> None:
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(
                self._handle,
                table.schema,
                compression="zstd",
                compression_level=1,
                store_schema=False,
            )
        self._parquet.write_table(table.combine_chunks(), row_group_size=max(table.num_rows, 1))

    def _write_csv(self, table: pa.Table) -> None:
        flat = [field.name for field in table.schema if not pa.types.is_list(field.type)]
        frame = _readable(table.select(flat))
        frame.write_csv(self._handle, include_header=self.rows == 0)

    def _write_jsonl(self, table: pa.Table) -> None:
        _readable(table).write_ndjson(self._handle)


_WRITERS: Final[dict[str, Callable[[FileWriter, pa.Table], None]]] = {
    "parquet": FileWriter._write_parquet,
    "csv": FileWriter._write_csv,
    "jsonl": FileWriter._write_jsonl,
}


def check_format(file_format: str) -> None:
    """Raise InputError unless the format is one that can be written."""
    if file_format not in _WRITERS:
        raise InputError(f"cannot write format {file_format!r}", hint=did_you_mean(file_format, _WRITERS))


def plain(table: pa.Table) -> pa.Table:
    """Return the table with dictionary columns as strings, as any reader of the file sees it."""
    fields = [
        pa.field(field.name, field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _readable(table: pa.Table) -> pl.DataFrame:
    """Return the table with timestamps as ISO 8601 text in UTC."""
    frame = pl.DataFrame(pl.from_arrow(table))
    times = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)]
    return frame.with_columns(pl.col(times).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
