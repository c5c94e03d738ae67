"""The rows of a dataset's files as Polars reads them: nested as declared, whatever the files hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import polars as pl
import pyarrow as pa

from engine.definitions.model import DatasetDefinition
from engine.lake.schema import physical_schema
from engine.lake.table import LakeFile


def lake_rows(files: Sequence[LakeFile], dataset: DatasetDefinition) -> pl.LazyFrame:
    """Return the rows of lake files, nested as declared; fields that a file lacks are NULL."""
    schema = _polars_schema(physical_schema(dataset.arrow()))
    if not files:
        return pl.LazyFrame(schema=schema)
    return pl.scan_parquet(
        [file.path for file in files],
        schema=schema,
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=pl.ScanCastOptions(missing_struct_fields="insert", extra_struct_fields="ignore"),
        glob=False,
    )


def in_microseconds(moment: pl.Expr) -> pl.Expr:
    """Return a date or a time in microseconds since 1970 UTC."""
    return moment.cast(pl.Datetime("us", "UTC")).cast(pl.Int64)


@lru_cache(maxsize=64)
def _polars_schema(schema: pa.Schema) -> pl.Schema:
    return pl.Schema(schema)
