"""A dataset's schema as its Delta table and Parquet files hold it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

ROW: Final = "_row"
"""System column of every dataset: ``batch number << 32 | ordinal of the row in its batch``."""


def physical_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema of a dataset's files: its own columns, then the row id."""
    return schema.append(pa.field(ROW, pa.int64()))


def string_columns(schema: pa.Schema) -> list[str]:
    """Return the Parquet paths of all string leaves (``items.list.element.sku``)."""
    return [path for path, leaf in _leaves(schema) if pa.types.is_string(leaf)]


def _leaves(fields: pa.Schema | pa.StructType, prefix: str = "") -> Iterator[tuple[str, pa.DataType]]:
    for field in fields:
        path, inner = f"{prefix}{field.name}", field.type
        if pa.types.is_list(inner):
            path, inner = f"{path}.list.element", inner.value_type
        if pa.types.is_struct(inner):
            yield from _leaves(inner, f"{path}.")
        else:
            yield path, inner
