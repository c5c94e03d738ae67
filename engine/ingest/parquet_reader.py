"""Reads Parquet files as blocks of typed columns, nested or flat with dotted names."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from engine.definitions.model import DatasetDefinition, FieldDefinition
from engine.ingest.block import Block
from engine.ingest.columns import check_distinct, check_needed, unknown_column
from engine.ingest.diagnostics import RECORD_LENGTH
from engine.ingest.formats import FormatOptions, SourceFile, told_as_input_error

_ROWS: Final = 1 << 16


def read_parquet(source: SourceFile, dataset: DatasetDefinition, options: FormatOptions) -> Iterator[Block]:
    """Yield the blocks of a file, in order.

    Raises:
        InputError: the file is not Parquet, or its columns do not fit the schema.
    """
    file = str(source.path)
    with told_as_input_error(source), parquet.ParquetFile(file) as stored:
        columns = _columns(file, stored.schema_arrow, dataset, options.ignore_unknown)
        yield from _blocks(file, stored, columns, source.path.stat().st_size)


def _blocks(file: str, stored: parquet.ParquetFile, columns: list[str], size: int) -> Iterator[Block]:
    done, total = 0, stored.metadata.num_rows
    for batch in stored.iter_batches(_ROWS, columns=columns):
        table = pa.Table.from_batches([batch])
        lines = np.arange(done + 1, done + 1 + len(table), dtype=np.int64)
        done += len(table)
        yield Block(file, table, lines, partial(_record_text, table), (), size * done // max(total, 1))


def _record_text(table: pa.Table, row: int) -> str:
    return json.dumps(table.slice(row, 1).to_pylist()[0], default=str)[:RECORD_LENGTH]


def _columns(file: str, schema: pa.Schema, dataset: DatasetDefinition, ignore_unknown: bool) -> list[str]:
    known = set(_known_paths(dataset.fields, ""))
    maps = {path for path, field in dataset.leaves().items() if field.type == "identity_map"}
    present = {column.name: _stored_paths(column, maps) for column in schema}
    every = [path for paths in present.values() for path in paths]
    unknown = [path for path in every if path not in known]
    if unknown and not ignore_unknown:
        raise unknown_column(file, unknown[0], dataset)
    check_distinct(file, every)
    check_needed(file, set(every), every, dataset)
    return [name for name, paths in present.items() if not known.isdisjoint(paths)]


def _known_paths(fields: Mapping[str, FieldDefinition], prefix: str) -> Iterator[str]:
    for name, field in fields.items():
        if field.type != "object":
            yield f"{prefix}{name}"
        yield from _known_paths(field.fields, f"{prefix}{name}.")


def _stored_paths(column: pa.Field, maps: Collection[str], prefix: str = "") -> list[str]:
    path, kind = f"{prefix}{column.name}", column.type
    found: list[str] = []
    if path in maps:
        return [path]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        found, kind = [path], kind.value_type
    if pa.types.is_struct(kind):
        return found + [inner for child in kind for inner in _stored_paths(child, maps, f"{path}.")]
    return found or [path]
