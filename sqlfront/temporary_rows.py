"""The rows of temporary tables: never changed, only replaced, so that a rollback takes the earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from sqlfront.problems import DatatypeError
from sqlfront.query import ResultColumn
from sqlfront.sqlstate import SqlError
from sqlfront.wire.codec import encode_values
from sqlfront.wire.parameters import decode_parameter
from sqlfront.wire.types import kept_type, pg_name

Tables = Mapping[str, pa.Table]
TEMPORARY_SCHEMA: Final = "pg_temp_1"
"""What each session calls the schema of its own temporary tables; nobody sees those of another."""
TEMPORARY_SCHEMAS: Final = ("pg_temp", TEMPORARY_SCHEMA)
"""What a client may call that schema."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""All temporary tables of a session together may take this much memory."""


def with_table(tables: Tables, name: str, table: pa.Table) -> Tables:
    """Return the tables with one put in, or in the place of another.

    Raises:
        SqlError: together they take more memory than a session may.
    """
    changed = {**tables, name: table}
    if sum(each.nbytes for each in changed.values()) > MOST_BYTES:
        raise SqlError(
            f"temporary tables take more than {MOST_BYTES >> 20} MB",
            "53200",
            hint="Drop those that are no longer needed.",
        )
    return changed


def table_of(
    names: Sequence[str], columns: Sequence[ResultColumn], batches: Sequence[pa.RecordBatch]
) -> pa.Table:
    """Return a question's rows as a table; names given go before the question's own.

    Raises:
        SqlError: there are more names than columns, or two columns of one name.
    """
    if len(names) > len(columns):
        raise SqlError("too many column names were specified", "42601")
    found = [*names, *(column.name for column in columns[len(names) :])]
    twice = next((name for at, name in enumerate(found) if name in found[:at]), None)
    if twice is not None:
        raise SqlError(f'column "{twice}" specified more than once', "42701")
    schema = pa.schema([(name, kept_type(c.type)) for name, c in zip(found, columns, strict=True)])
    renamed = [pa.RecordBatch.from_arrays(batch.columns, names=found).cast(schema) for batch in batches]
    return pa.Table.from_batches(renamed, schema)


def with_rows(
    table: pa.Table,
    names: Sequence[str],
    columns: Sequence[ResultColumn],
    batches: Sequence[pa.RecordBatch],
) -> pa.Table:
    """Return a table with a question's rows behind its own.

    Args:
        names: columns that the question fills, the others are NULL; none are the first ones.
    """
    names = names or table.column_names[: len(columns)]
    unknown = next((name for name in names if name not in table.column_names), None)
    if unknown is not None:
        raise SqlError(f'column "{unknown}" of the relation does not exist', "42703")
    if len(columns) != len(names):
        more = "expressions" if len(columns) > len(names) else "target columns"
        raise SqlError(f"INSERT has more {more} than the other way round", "42601")
    return pa.concat_tables([table, *(_placed(batch, table.schema, names, columns) for batch in batches)])


def _placed(
    batch: pa.RecordBatch, schema: pa.Schema, names: Sequence[str], columns: Sequence[ResultColumn]
) -> pa.Table:
    given = {
        name: _fitted(array, column, schema.field(name).type)
        for name, array, column in zip(names, batch.columns, columns, strict=True)
    }
    arrays = [given.get(field.name, pa.nulls(batch.num_rows, field.type)) for field in schema]
    return pa.table(arrays, schema=schema)


def _fitted(array: pa.Array, column: ResultColumn, kind: pa.DataType) -> pa.Array:
    """Return values in a column's type; texts are read as a client's would be."""
    try:
        if pa.types.is_string(array.type) and not pa.types.is_string(kind):
            texts = encode_values(array, column.type, False)
            return pa.array([decode_parameter(text, kind, False) for text in texts], kind)
        if pa.types.is_string(kind) and not pa.types.is_string(array.type):
            return pa.array(encode_values(array, column.type, False), pa.binary()).cast(kind)
        return array.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        raise DatatypeError(
            f'column "{column.name}" of type {pg_name(column.type)} does not fit {pg_name(kind)}',
            hint="Cast it to the column's type.",
        ) from None
