"""Identity maps as files hold them, turned into one list of identities a record.

Files hold an object of namespaces (JSON, also as the text of a flat file), a map (Parquet), or the list
itself. Whatever the form, identities come sorted by namespace, those of one namespace as written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask: TypeAlias = npt.NDArray[np.bool_]
Rows: TypeAlias = npt.NDArray[np.int64]

TEXTS: Final = pa.list_(pa.struct([(name, pa.string()) for name in ("namespace", "id", "primary")]))
"""Type of identity maps whose values are text, not converted yet."""


@dataclass(frozen=True)
class Entries:
    """M identities of a column's maps, not converted yet.

    Attributes:
        parents: int64[M], the row of each.
        columns: ``namespace``, ``id`` and ``primary`` by name, as far as they are there.
    """

    parents: Rows
    columns: dict[str, pa.Array]


def entries_of(raw: pa.Array) -> tuple[list[Entries], Mask]:
    """Return the identities of a column, and a mask of the rows that hold something else.

    Args:
        raw: objects by namespace, maps, lists of identities, or JSON texts.
    """
    if _is_text(raw.type):
        texts = raw.to_pylist()
        maps = [_decoded(text) for text in texts]
        bad = np.array(
            [bool(text) and found is None for text, found in zip(texts, maps, strict=True)], np.bool_
        )
        return [_listed(pa.array(maps, TEXTS))], bad
    if not _may_be_map(raw.type):
        return [], np.asarray(raw.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    if pa.types.is_struct(raw.type):
        return [_named(raw, child.name) for child in raw.type], np.zeros(len(raw), np.bool_)
    return [_mapped(raw) if pa.types.is_map(raw.type) else _listed(raw)], np.zeros(len(raw), np.bool_)


def is_identity_map(kind: pa.DataType) -> bool:
    """Return whether a type is clearly one of identity maps: lists of ids by namespace, or with it."""
    if not _may_be_map(kind):
        return False
    if pa.types.is_map(kind):
        return _has_ids(kind.item_type)
    if pa.types.is_struct(kind):
        return kind.num_fields > 0 and all(_has_ids(child.type) for child in kind)
    return _has_ids(kind) and kind.value_type.get_field_index("namespace") >= 0


def is_identity_text(text: str) -> bool:
    """Return whether a text is an identity map that holds an identity."""
    return bool(text.startswith("{") and _decoded(text))


def read_entries(value: Any) -> list[dict[str, Any]] | None:
    """Return the identities of a decoded JSON value, as objects with a namespace; None if it is no map."""
    if isinstance(value, dict):
        lists = {name: inner for name, inner in value.items() if inner is not None}
        if not all(isinstance(inner, list) for inner in lists.values()):
            return None
        pairs = [(name, entry) for name, inner in lists.items() for entry in inner if entry is not None]
    elif isinstance(value, list):
        told = [entry for entry in value if entry is not None]
        pairs = [(entry.get("namespace") if isinstance(entry, dict) else None, entry) for entry in told]
    else:
        return None
    if not all(isinstance(entry, dict) for _, entry in pairs):
        return None
    return [{**entry, "namespace": name} for name, entry in pairs]


def listed(rows: pa.Array, parents: Rows, identities: pa.StructArray) -> pa.Array:
    """Return the identities of each row as a list.

    Args:
        rows: N values, null where the record has no map.
        parents: int64[M], the row of each identity.
        identities: M objects; those of a row and namespace in the order in which they were written.
    """
    spaces = pc.rank(pc.struct_field(identities, ["namespace"]), tiebreaker="dense").to_numpy()
    order = np.lexsort((spaces, parents))
    counts = np.bincount(parents, minlength=len(rows))
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    taken, kind = identities.take(pa.array(order)), pa.list_(identities.type)
    return pa.ListArray.from_arrays(pa.array(offsets), taken, type=kind, mask=rows.is_null())


def _named(raw: pa.Array, namespace: str) -> Entries:
    inner = pc.struct_field(raw, [namespace])
    found = Entries(np.zeros(0, np.int64), {}) if pa.types.is_null(inner.type) else _listed(inner)
    spaces = pa.repeat(pa.scalar(namespace), len(found.parents))
    return Entries(found.parents, {**found.columns, "namespace": spaces})


def _mapped(raw: pa.MapArray) -> Entries:
    pairs = pa.struct([("key", raw.type.key_type), ("value", raw.type.item_type)])
    outer = raw.cast(pa.list_(pairs))
    flat = pc.list_flatten(outer)
    found = _listed(pc.struct_field(flat, ["value"]))
    spaces = pc.struct_field(flat, ["key"]).take(pa.array(found.parents))
    return Entries(_parents(outer)[found.parents], {**found.columns, "namespace": spaces})


def _listed(raw: pa.Array) -> Entries:
    flat = pc.list_flatten(raw)
    if pa.types.is_null(flat.type):
        return Entries(np.zeros(0, np.int64), {})
    there = flat.is_valid()
    parents, flat = _parents(raw)[there.to_numpy(zero_copy_only=False)], flat.filter(there)
    names = [child.name for child in flat.type if child.name in ("namespace", "id", "primary")]
    return Entries(parents, {name: pc.struct_field(flat, [name]) for name in names})


def _parents(raw: pa.Array) -> Rows:
    return np.asarray(pc.list_parent_indices(raw).to_numpy(), np.int64)


def _decoded(text: str | None) -> list[dict[str, str | None]] | None:
    """Return the identities of a JSON text; None if it is no map, or one of its values is no text."""
    try:
        found = read_entries(json.loads(text)) if text else None
    except (ValueError, RecursionError):
        return None
    if found is None:
        return None
    told = [{name: _text(entry.get(name)) for name in ("namespace", "id", "primary")} for entry in found]
    return None if any("" in entry.values() for entry in told) else told


def _text(value: Any) -> str | None:
    """Return a JSON scalar as text; blank if it is something else."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else ""


def _may_be_map(kind: pa.DataType) -> bool:
    if pa.types.is_map(kind):
        return _is_list_of_objects(kind.item_type)
    if pa.types.is_struct(kind):
        return all(pa.types.is_null(child.type) or _is_list_of_objects(child.type) for child in kind)
    return _is_list_of_objects(kind)


def _is_list_of_objects(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    return bool(pa.types.is_struct(kind.value_type) or pa.types.is_null(kind.value_type))


def _has_ids(kind: pa.DataType) -> bool:
    entry = kind.value_type if _is_list_of_objects(kind) else kind
    return bool(pa.types.is_struct(entry)) and entry.get_field_index("id") >= 0


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
