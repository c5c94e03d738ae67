"""Which lake rows carry an identity: in a labelled field, an identity map, or inside an array."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

import polars as pl

from engine.definitions.model import DatasetDefinition, FieldDefinition
from engine.lake.rows import leaf

Wanted: TypeAlias = Mapping[str, Collection[str]]
"""Namespace → values, exactly as they are written."""


def carries(dataset: DatasetDefinition, wanted: Wanted, further: Mapping[str, str]) -> pl.Expr | None:
    """Return the condition under which a nested row carries one of some identities; None if none can.

    Unlike the identity graph it takes every value as it stands, placeholders and malformed ones too.

    Args:
        dataset: the dataset.
        wanted: the identities.
        further: dotted path → namespace of scalar fields that identify somebody without being labelled.
    """
    found = [
        condition
        for path, field in dataset.leaves().items()
        for condition in _conditions(leaf(path), field, wanted, further.get(path))
    ]
    return pl.any_horizontal(found) if found else None


def namespaces(dataset: DatasetDefinition) -> set[str]:
    """Return the codes that label a field of a dataset, also inside of arrays."""
    return {code for field in dataset.leaves().values() for code in _codes(field)}


def _conditions(
    value: pl.Expr, field: FieldDefinition, wanted: Wanted, namespace: str | None = None
) -> Iterator[pl.Expr]:
    """Yield conditions, never null, on a value of a field."""
    code = field.identity or namespace
    if field.is_list:
        yield from (_any(value, condition) for condition in _inside(field, wanted))
    elif field.fields:
        for name, child in field.fields.items():
            yield from _conditions(value.struct.field(name), child, wanted)
    elif code is not None and code in wanted:
        yield value.cast(pl.String).is_in(sorted(wanted[code])).fill_null(False)


def _inside(field: FieldDefinition, wanted: Wanted) -> Iterator[pl.Expr]:
    """Yield conditions on the elements of a list."""
    element = pl.element()
    if field.type == "identity_map":
        for code, values in wanted.items():
            named = element.struct.field("namespace") == code
            yield (named & element.struct.field("id").is_in(sorted(values))).fill_null(False)
    elif field.items is not None:
        if field.identity is not None and field.identity in wanted:
            yield element.cast(pl.String).is_in(sorted(wanted[field.identity])).fill_null(False)
    else:
        for name, child in field.elements.items():
            yield from _conditions(element.struct.field(name), child, wanted)


def _any(value: pl.Expr, condition: pl.Expr) -> pl.Expr:
    return value.list.eval(condition).list.any().fill_null(False)


def _codes(field: FieldDefinition) -> Iterator[str]:
    if field.identity:
        yield field.identity
    for child in field.fields.values():
        yield from _codes(child)
