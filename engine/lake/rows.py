"""The rows of a dataset's files as Polars reads them: as declared, whatever the files hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import polars as pl
import pyarrow as pa

from engine.definitions.model import DatasetDefinition
from engine.lake.leaves import leaf_frame
from engine.lake.schema import ROW, physical_schema
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


def leaf(path: str) -> pl.Expr:
    """Return the expression that reads a dotted path from nested rows."""
    head, *rest = path.split(".")
    expression = pl.col(head)
    for name in rest:
        expression = expression.struct.field(name)
    return expression


def leaf_rows(
    dataset: DatasetDefinition, files: Sequence[LakeFile], paths: Sequence[str], ids: pl.DataFrame | None
) -> pl.DataFrame:
    """Read ``_row`` and leaf fields under their dotted paths; nothing else is decoded.

    Args:
        dataset: the dataset.
        files: its lake files.
        paths: dotted paths of leaf fields.
        ids: ``_row`` of the rows wanted; None takes all.
    """
    flat = [path for path in paths if "." not in path]
    if len(flat) == len(paths):
        return _only(lake_rows(files, dataset), ids).select(ROW, *flat).collect()
    # Polars would decode objects whole.
    kinds = {path: dataset.field(path).arrow() for path in paths if "." in path}
    frames = []
    for file in files:
        inner = leaf_frame(file.path, kinds)
        outer = lake_rows([file], dataset).select(ROW, *flat).collect()
        frames.append(_only(outer.hstack(inner).lazy(), ids).select(ROW, *paths).collect())
    return (
        pl.concat(frames)
        if frames
        else lake_rows([], dataset).select(ROW, *(leaf(path).alias(path) for path in paths)).collect()
    )


def _only(rows: pl.LazyFrame, ids: pl.DataFrame | None) -> pl.LazyFrame:
    return rows if ids is None else rows.join(ids.lazy(), on=ROW, how="semi", maintain_order="left")


def in_microseconds(moment: pl.Expr) -> pl.Expr:
    """Return a date or a time in microseconds since 1970 UTC."""
    return moment.cast(pl.Datetime("us", "UTC")).cast(pl.Int64)


@lru_cache(maxsize=64)
def _polars_schema(schema: pa.Schema) -> pl.Schema:
    return pl.Schema(schema)
