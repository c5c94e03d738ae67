"""The first records of a file as raw columns: what schema inference looks at."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import json as arrow_json
from pyarrow import parquet

from engine.ingest.csv_reader import open_csv, read_header
from engine.ingest.formats import FileKind, FormatOptions, SourceFile, told_as_input_error
from engine.ingest.json_reader import read_pieces

_ROWS: Final = 100_000


def read_sample(source: SourceFile, options: FormatOptions) -> pa.Table:
    """Return the first records: columns as text (CSV), or nested and typed (JSON, Parquet).

    Raises:
        InputError: the file cannot be read.
    """
    with told_as_input_error(source):
        if source.kind is FileKind.PARQUET:
            with parquet.ParquetFile(source.path) as stored:
                batch = next(stored.iter_batches(_ROWS), None)
                return stored.schema_arrow.empty_table() if batch is None else _table(batch)
        if source.kind is FileKind.JSON:
            data, _ = next(read_pieces(source))
            return arrow_json.read_json(pa.BufferReader(data))
        return _csv_sample(source, options)


def _csv_sample(source: SourceFile, options: FormatOptions) -> pa.Table:
    headers = list(options.header or read_header(source, options))

    def skip(row: arrow_csv.InvalidRow) -> str:
        return "skip"

    with pa.OSFile(str(source.path)) as handle:
        reader = open_csv(handle, source, headers, headers, options, skip)
        batch = next(iter(reader), None)
    if batch is None:
        return pa.schema([pa.field(name, pa.string()) for name in headers]).empty_table()
    return _table(batch)


def _table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])
