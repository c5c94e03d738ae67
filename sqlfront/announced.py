"""Which types a client is told for the columns of an answer, beyond what Arrow's own types say.

DuckDB keeps a UUID apart from a text, and PostgreSQL a ``name`` or ``jsonb`` as well; Arrow has texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType
from sqlglot import exp

from sqlfront.cast_types import pg_type
from sqlfront.catalog import Relations, named, numbered
from sqlfront.query import ResultColumn
from sqlfront.wire.types import NamedType, named_type, pg_name
from sqlfront.zoned_times import ZONED_TIME

_FROM_DUCKDB: Final = {"UUID": "uuid", "JSON": "json"}
_BY_CAST: Final = frozenset(("name", "char", "varchar", "bpchar", "oid", "jsonb", "xid"))
"""Types that a value has only because it was cast to them last."""


def announced(schema: pa.Schema, kinds: Sequence[DuckDBPyType], tree: exp.Expr) -> tuple[pa.DataType, ...]:
    """Return the type of each column of an answer.

    Args:
        schema: of the answer.
        kinds: DuckDB's types of its columns.
        tree: the statement as it was written.
    """
    types = [_of_duckdb(kind, field.type) for kind, field in zip(kinds, schema, strict=True)]
    casts = _outermost_casts(tree)
    if len(casts) != len(types):
        return tuple(types)
    return tuple(_cast_to(name, kind) for name, kind in zip(casts, types, strict=True))


def with_composites(
    columns: Sequence[ResultColumn], tree: exp.Expr, listed: Callable[[], Sequence[Relations]]
) -> tuple[ResultColumn, ...]:
    """Return columns of an answer in which objects are of the composite types of the relations that it reads.

    Args:
        tree: the statement as it was written.
        listed: returns relations that clients know by name; asked only where there are objects.
    """
    if not any(map(_has_struct, (column.type for column in columns))):
        return tuple(columns)
    read = {table.name.lower() for table in tree.find_all(exp.Table)}
    known = [each for part in listed() for each in numbered(part) if each.owner.lower() in read]
    return tuple(replace(column, type=named(column.type, column.name, known)) for column in columns)


def _has_struct(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _has_struct(kind.value_type)
    return bool(pa.types.is_struct(kind))


def _of_duckdb(kind: Any, arrow_type: pa.DataType) -> pa.DataType:
    """Return a column's type with our names for what DuckDB knows and Arrow does not."""
    if str(kind) == ZONED_TIME:
        return named_type("timetz")
    name = _FROM_DUCKDB.get(str(kind))
    if name is not None:
        return NamedType(name, arrow_type)
    if pa.types.is_list(arrow_type):
        return pa.list_(_of_duckdb(kind.children[0][1], arrow_type.value_type))
    if pa.types.is_struct(arrow_type):
        inner = [
            _of_duckdb(child, field.type) for (_, child), field in zip(kind.children, arrow_type, strict=True)
        ]
        return pa.struct([field.with_type(new) for field, new in zip(arrow_type, inner, strict=True)])
    return arrow_type


def _outermost_casts(tree: exp.Expr) -> list[str]:
    """Return the type that each output is cast to last, empty for none; nothing where ``*`` hides them."""
    while isinstance(tree, (exp.Subquery, exp.SetOperation)):
        tree = tree.this
    outputs = tree.expressions if isinstance(tree, exp.Select) else []
    if any(output.is_star for output in outputs):
        return []
    return [_cast_of(output.unalias()) for output in outputs]


def _cast_of(output: exp.Expr) -> str:
    output = output.unnest()
    return pg_type(output) if isinstance(output, (exp.Cast, exp.TryCast)) else ""


def _cast_to(name: str, kind: pa.DataType) -> pa.DataType:
    if name.lstrip("_") not in _BY_CAST or name == pg_name(kind):
        return kind
    if name.startswith("_"):
        return pa.list_(_cast_to(name[1:], kind.value_type)) if pa.types.is_list(kind) else kind
    storage = kind.storage_type if isinstance(kind, NamedType) else kind
    return NamedType(name, storage) if _holds(name, storage) else kind


def _holds(name: str, storage: pa.DataType) -> bool:
    """Tell whether values are kept as the type's values are; an answer may have been planned otherwise."""
    is_number = name in ("oid", "xid")
    return bool(pa.types.is_integer(storage) if is_number else pa.types.is_string(storage))
