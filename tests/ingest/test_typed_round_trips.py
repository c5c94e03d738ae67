"""Whatever typed records are written as CSV, JSON lines or Parquet come back as they were."""

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from engine.definitions.model import DatasetDefinition

FLAT = {
    "id": "string",
    "ts": "timestamp",
    "day": "date",
    "flag": "boolean",
    "tiny": "byte",
    "small": "short",
    "whole": "integer",
    "count": "long",
    "ratio": "double",
    "price": "decimal(12,2)",
    "web": {
        "type": "object",
        "fields": {"page": "string", "inner": {"type": "object", "fields": {"n": "long"}}},
    },
}
DEEP = FLAT | {
    "tags": {"type": "array", "items": "string"},
    "times": {"type": "array", "items": "timestamp"},
    "items": {
        "type": "array",
        "fields": {
            "sku": "string",
            "price": "decimal(12,2)",
            "options": {"type": "array", "items": "long"},
            "at": {"type": "object", "fields": {"day": "date"}},
        },
    },
}


def definition(fields) -> DatasetDefinition:
    return DatasetDefinition.model_validate({"timestamp": "ts", "event_id": "id", "fields": fields})


def values(field) -> st.SearchStrategy:
    if field.type == "object":
        return st.fixed_dictionaries({n: optional(f) for n, f in field.fields.items()})
    if field.type == "array":
        inner = definition(FLAT).fields["id"].model_copy(update={"type": field.items})
        element = values(inner) if field.items else values(field.model_copy(update={"type": "object"}))
        return st.lists(st.none() | element, max_size=3)
    return SCALARS[field.type]


def optional(field) -> st.SearchStrategy:
    return st.none() | values(field)


def integers(bits: int) -> st.SearchStrategy:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


SCALARS = {
    "string": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    "timestamp": st.datetimes(timezones=st.just(UTC)),
    "date": st.dates(),
    "boolean": st.booleans(),
    "byte": integers(8),
    "short": integers(16),
    "integer": integers(32),
    "long": integers(64),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "decimal(12,2)": st.decimals(
        min_value=Decimal("-9999999999.99"), max_value=Decimal("9999999999.99"), places=2
    ),
}


def records(fields) -> st.SearchStrategy:
    one = st.fixed_dictionaries({n: optional(f) for n, f in definition(fields).fields.items()})
    return st.lists(one, min_size=1, max_size=6)


def without_blanks(value):
    if isinstance(value, dict):
        return {name: without_blanks(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_blanks(inner) for inner in value]
    return None if value == "" else value


def as_text(value):
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value)


def flattened(record, prefix=""):
    cells = {}
    for name, field in record.items():
        if isinstance(field, dict):
            cells |= flattened(field, f"{prefix}{name}.")
        else:
            cells[f"{prefix}{name}"] = field
    return cells


def only_values(value):
    """An object of which no child has a value is no value: a flat file cannot tell them apart."""
    if not isinstance(value, dict):
        return value
    inner = {name: only_values(child) for name, child in value.items()}
    return inner if any(child is not None for child in inner.values()) else None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@settings(max_examples=60, deadline=None)
@given(records(DEEP))
def test_json_lines(folder, read_file, given_records):
    path = folder / "records.jsonl"
    lines = [json.dumps(record, default=as_text) for record in given_records]
    path.write_text("\n".join(lines))
    rows, diagnostics = read_file(path, definition(DEEP))
    assert diagnostics.reasons == {}
    assert rows == [without_blanks(record) for record in given_records]


@settings(max_examples=30, deadline=None)
@given(records(DEEP))
def test_json_lines_that_are_read_one_by_one(folder, read_file, given_records):
    path = folder / "mixed.jsonl"
    lines = [json.dumps(record, default=as_text) for record in given_records]
    path.write_text("\n".join([*lines, "not json", ""]))
    rows, diagnostics = read_file(path, definition(DEEP))
    assert diagnostics.reasons == {("INGEST-1401-400", "not valid JSON"): 1}
    assert rows == [without_blanks(record) for record in given_records]


@settings(max_examples=60, deadline=None)
@given(records(DEEP))
def test_parquet(folder, read_file, given_records):
    path = folder / "records.parquet"
    schema = definition(DEEP).arrow()
    parquet.write_table(pa.Table.from_pylist(given_records, schema), path)
    rows, diagnostics = read_file(path, definition(DEEP))
    assert diagnostics.reasons == {}
    assert rows == [without_blanks(record) for record in given_records]


@settings(max_examples=60, deadline=None)
@given(records(FLAT))
def test_csv(folder, read_file, given_records):
    path = folder / "records.csv"
    headers = list(definition(FLAT).leaves())
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headers)
        for record in given_records:
            cells = flattened(record)
            values = [cells.get(header) for header in headers]
            writer.writerow([None if cell is None else as_text(cell) for cell in values])
    rows, diagnostics = read_file(path, definition(FLAT))
    assert diagnostics.reasons == {}
    assert rows == [only_values(without_blanks(record)) or blank() for record in given_records]


def blank() -> dict:
    return dict.fromkeys(FLAT)
