"""Field types: how a schema's type name maps to Arrow, to DuckDB SQL and to JSON values.

One table so that every floor speaks of the same types; nested types are built from these.
"""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

SCALARS: Final[dict[str, pa.DataType]] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
"""Schema type name → Arrow type. Timestamps are microseconds in UTC."""

IDENTITY_MAP: Final = pa.list_(
    pa.struct([("namespace", pa.string()), ("id", pa.string()), ("primary", pa.bool_())])
)
"""Arrow type of an identity map: its identities in the order in which they were written."""

_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")

_SQL_NAMES: Final[dict[pa.DataType, str]] = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


def scalar_type(name: str) -> pa.DataType | None:
    """Return the Arrow type of a scalar schema type (``decimal(12,2)`` included), or None if unknown."""
    if name in SCALARS:
        return SCALARS[name]
    match = _DECIMAL.fullmatch(name)
    if match and 1 <= int(match[1]) <= 38 and int(match[2]) <= int(match[1]):
        return pa.decimal128(int(match[1]), int(match[2]))
    return None


def sql_type(arrow_type: pa.DataType) -> str:
    """Return the DuckDB spelling of an Arrow type, nested types included."""
    if pa.types.is_dictionary(arrow_type):
        return sql_type(arrow_type.value_type)
    if pa.types.is_decimal(arrow_type):
        return f"DECIMAL({arrow_type.precision},{arrow_type.scale})"
    if pa.types.is_list(arrow_type):
        return f"{sql_type(arrow_type.value_type)}[]"
    if pa.types.is_struct(arrow_type):
        inner = ", ".join(f'"{child.name}" {sql_type(child.type)}' for child in arrow_type)
        return f"STRUCT({inner})"
    if pa.types.is_large_string(arrow_type):
        return "VARCHAR"
    return _SQL_NAMES[arrow_type]


def is_number(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
