"""Guesses of what a column is, from its values and its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from engine.definitions.model import FieldDefinition
from engine.ingest.scalars import convert_scalar
from engine.types import SCALARS

_TIMES: Final = (
    "timestamp",
    "event_time",
    "event_timestamp",
    "occurred_at",
    "collector_tstamp",
    "ts",
    "time",
    "datetime",
    "created_at",
)
_EVENT_IDS: Final = ("event_id", "_id", "eventid", "hit_id", "message_id", "uuid")
_TIME_LIKE: Final = re.compile(r"(time|timestamp|ts|tstamp|date|datetime|_at)$", re.IGNORECASE)
_ID_LIKE: Final = re.compile(r"(id|uuid|guid|key|code|zip|phone)$", re.IGNORECASE)
_IDENTITIES: Final = (
    (
        re.compile(r"device_?id|visitor|cookie|anonymous|client_?id|(domain|network)_userid|^device$"),
        "device",
    ),
    (re.compile(r"e_?mail(_?address)?$"), "email"),
    (re.compile(r"(^|_)(user|customer|person|member|crm)_?id$|login"), "user"),
)
_EPOCH_MILLISECONDS: Final = (100_000_000_000, 10_000_000_000_000)
_LEADING_ZERO: Final = r"^\s*[+-]?0\d"


def guess_type(name: str, raw: pa.Array) -> str:
    """Return the type name that all values of a column fit; ``string`` if no other does.

    Args:
        name: the field's own name, which tells numbers that are ids or times.
        raw: at least one value that is not NULL.
    """
    kind = raw.type
    if pa.types.is_dictionary(kind):
        return guess_type(name, raw.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text_type(name, raw)
    if pa.types.is_integer(kind):
        return "timestamp" if _is_epoch(name, pl.Series(raw)) else _integer_type(kind)
    if pa.types.is_floating(kind):
        return "double"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    names = {"bool": "boolean", "timestamp": "timestamp", "date32[day]": "date"}
    return next((names[known] for known in names if str(kind).startswith(known)), "string")


def guess_identity(name: str) -> str | None:
    """Return the namespace that a field's name suggests, or None."""
    found = (namespace for pattern, namespace in _IDENTITIES if pattern.search(name.lower()))
    return next(found, None)


def guess_timestamp(leaves: Mapping[str, FieldDefinition], raw: Mapping[str, pa.Array]) -> str | None:
    """Return the path of the likely event time: a known name first, then a column without gaps."""
    moments = [path for path, field in leaves.items() if field.type == "timestamp"]
    complete = [path for path in moments if raw[path].null_count == 0]
    named = _named({path: leaves[path] for path in complete}, _TIMES)
    return next(iter([*named, *complete, *moments]), None)


def guess_event_id(leaves: Mapping[str, FieldDefinition], raw: Mapping[str, pa.Array]) -> str | None:
    """Return the path of the likely event id: a known name without gaps, else what a key is."""
    named = [path for path in _named(leaves, _EVENT_IDS) if raw[path].null_count == 0]
    return named[0] if named else guess_key(leaves, raw)


def guess_key(leaves: Mapping[str, FieldDefinition], raw: Mapping[str, pa.Array]) -> str | None:
    """Return the path of the likely key: named like an id, and all values are different."""
    texts = [path for path, field in leaves.items() if field.type == "string"]
    return next((path for path in texts if _ID_LIKE.search(path) and _is_unique(raw[path])), None)


def _named(leaves: Mapping[str, FieldDefinition], names: Sequence[str]) -> list[str]:
    found = [path for path in leaves if path.split(".")[-1].lower() in names]
    return sorted(found, key=lambda path: names.index(path.split(".")[-1].lower()))


def _text_type(name: str, raw: pa.Array) -> str:
    text = pl.Series(raw).drop_nulls()
    text = text.filter(text != "")
    if text.str.contains(_LEADING_ZERO).any() and not text.str.contains(r"[-:T.]").any():
        return "string"
    whole = _fits(text, "long")
    if whole and _is_epoch(name, text.cast(pl.Int64, strict=False)):
        return "timestamp"
    if _ID_LIKE.search(name) and (whole or _fits(text, "double")):
        return "string"
    if whole:
        return "long"
    kinds = ("boolean", "double", "date", "timestamp")
    return next((kind for kind in kinds if _fits(text, kind)), "string")


def _fits(text: pl.Series, kind: str) -> bool:
    _, lost = convert_scalar(text.to_arrow().cast(pa.string()), SCALARS[kind])
    return not lost.any()


def _is_epoch(name: str, numbers: pl.Series) -> bool:
    low, high = _EPOCH_MILLISECONDS
    return bool(_TIME_LIKE.search(name)) and bool(numbers.drop_nulls().is_between(low, high).all())


def _integer_type(kind: pa.DataType) -> str:
    bits = kind.bit_width * (1 if pa.types.is_signed_integer(kind) else 2)
    return {8: "byte", 16: "short", 32: "integer"}.get(bits, "long")


def _is_unique(values: pa.Array) -> bool:
    return len(values) > 0 and values.null_count == 0 and pc.count_distinct(values).as_py() == len(values)
