"""Converts a block's raw columns to a dataset's schema: nested as declared, column by column.

A value that does not fit makes its record a reject; the other records go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engine.definitions.model import FieldDefinition
from engine.errors import InputError
from engine.ingest.diagnostics import NOT_CONVERTIBLE, REQUIRED_MISSING
from engine.ingest.identity_map import entries_of, listed
from engine.ingest.scalars import convert_scalar
from engine.types import IDENTITY_MAP

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Problem:
    """Records that are rejected for one cause: a mask of the rows."""

    code: str
    reason: str
    rows: Mask


def convert(
    raw: pa.Table, rows: int, fields: Mapping[str, FieldDefinition]
) -> tuple[pa.Table, list[Problem]]:
    """Return the typed columns, and the problems: conversions first, then what is missing.

    Args:
        raw: columns by field name or by dotted path; missing ones are NULL.
        rows: number of rows; a table without columns does not know it.
        fields: the dataset's fields.
    """
    problems: list[Problem] = []
    tree = _tree(raw)
    columns = [_field(name, field, tree.get(name), rows, problems) for name, field in fields.items()]
    # A value that does not convert is a cause of its own, not a missing value.
    problems.sort(key=lambda problem: problem.code)
    return pa.table(columns, names=list(fields)), problems


def _tree(raw: pa.Table) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for name in raw.column_names:
        *parents, last = name.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        column = raw[name].combine_chunks()
        node[last] = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return root


def _field(path: str, field: FieldDefinition, raw: Any, rows: int, problems: list[Problem]) -> pa.Array:
    bad = np.zeros(rows, np.bool_)
    if raw is None or (isinstance(raw, pa.Array) and pa.types.is_null(raw.type)):
        column = pa.nulls(rows, field.arrow())
    elif field.type == "object":
        column, bad = _object(path, field, raw, rows, problems)
    elif field.type == "array":
        column, bad = _array(path, field, raw, problems)
    elif field.type == "identity_map":
        column, bad = _identity_map(path, field, raw, problems)
    else:
        column, bad = _scalar(raw, field.arrow(), rows)
    _report(problems, NOT_CONVERTIBLE, f"{path}: not a valid {field.type}", bad)
    if field.required and column.null_count:
        missing = _mask(column.is_null()) & ~bad
        _report(problems, REQUIRED_MISSING, f"{path}: required, but without a value", missing)
    return column


def _object(
    path: str, field: FieldDefinition, raw: Any, rows: int, problems: list[Problem]
) -> tuple[pa.Array, Mask]:
    none = np.zeros(rows, np.bool_)
    if isinstance(raw, dict):
        columns = _children(path, field, raw, rows, problems)
        absent = np.logical_and.reduce([_mask(column.is_null()) for column in columns])
        return _struct(field, columns, absent), none
    if not pa.types.is_struct(raw.type):
        return pa.nulls(rows, field.arrow()), _mask(raw.is_valid())
    children = {child.name: pc.struct_field(raw, [child.name]) for child in raw.type}
    columns = _children(path, field, children, rows, problems)
    return _struct(field, columns, _mask(raw.is_null())), none


def _children(
    path: str, field: FieldDefinition, raw: Mapping[str, Any], rows: int, problems: list[Problem]
) -> list[pa.Array]:
    return [
        _field(f"{path}.{name}", child, raw.get(name), rows, problems) for name, child in field.fields.items()
    ]


def _struct(field: FieldDefinition, columns: list[pa.Array], absent: Mask) -> pa.Array:
    return pa.StructArray.from_arrays(columns, fields=list(field.arrow()), mask=pa.array(absent))


def _array(path: str, field: FieldDefinition, raw: Any, problems: list[Problem]) -> tuple[pa.Array, Mask]:
    rows = len(raw) if isinstance(raw, pa.Array) else 0
    if isinstance(raw, dict) or not _is_list(raw.type):
        return pa.nulls(rows, field.arrow()), _mask(raw.is_valid())
    elements = pc.list_flatten(raw)
    inner: list[Problem] = []
    element = FieldDefinition(type=field.items) if field.items else _element(field)
    values = _field(path, element, elements, len(elements), inner)
    _report_inner(problems, inner, pc.list_parent_indices(raw).to_numpy(), rows)
    return _list(raw, values), np.zeros(rows, np.bool_)


def _identity_map(
    path: str, field: FieldDefinition, raw: Any, problems: list[Problem]
) -> tuple[pa.Array, Mask]:
    if isinstance(raw, dict):
        # Columns with dotted names: a flat file's.
        raise InputError(f"{path} is an identity map, not several columns", hint="Give it as JSON text.")
    found, bad = entries_of(raw)
    parents, identities = [np.zeros(0, np.int64)], [pa.array([], IDENTITY_MAP.value_type)]
    for each in found:
        inner: list[Problem] = []
        columns = _children(path, _element(field), each.columns, len(each.parents), inner)
        columns[-1] = columns[-1].fill_null(False)
        parents.append(each.parents)
        identities.append(pa.StructArray.from_arrays(columns, fields=list(IDENTITY_MAP.value_type)))
        _report_inner(problems, inner, each.parents, len(raw))
    return listed(raw, np.concatenate(parents), pa.concat_arrays(identities)), bad


def _report_inner(
    problems: list[Problem], inner: list[Problem], parents: npt.NDArray[np.int64], rows: int
) -> None:
    """Report problems of the elements of lists for the rows that they belong to."""
    for problem in inner:
        mask = np.zeros(rows, np.bool_)
        mask[parents[problem.rows]] = True
        _report(problems, problem.code, problem.reason, mask)


def _element(field: FieldDefinition) -> FieldDefinition:
    return FieldDefinition(type="object", fields=field.elements)


def _list(raw: pa.Array, values: pa.Array) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(raw), 0).to_numpy()
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
    kind = pa.list_(values.type)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind, mask=raw.is_null())


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _scalar(raw: Any, target: pa.DataType, rows: int) -> tuple[pa.Array, Mask]:
    if isinstance(raw, dict) or pa.types.is_nested(raw.type) or pa.types.is_binary(raw.type):
        return pa.nulls(rows, target), _mask(raw.is_valid())
    return convert_scalar(raw, target)


def _mask(booleans: pa.Array) -> Mask:
    return np.asarray(booleans.to_numpy(zero_copy_only=False), np.bool_)


def _report(problems: list[Problem], code: str, reason: str, rows: Mask) -> None:
    if rows.any():
        problems.append(Problem(code, reason, rows))
