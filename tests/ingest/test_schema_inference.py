"""Guessed definitions: they say what the file holds, load as a project, and take the file."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from engine.definitions.project import load as load_project
from engine.errors import InputError
from engine.ingest.infer import infer
from engine.ingest.schema_text import schema_yaml

CSV = """\
event_id,created_at,Collector_Tstamp,device_id,zip,clicks,ratio,is_new,day,nothing,web.page title,a_ts
a,,2024-01-01 10:00:00.5,d1,01234,1,1.5,true,2024-01-01,,/x,1614806854099
a,2024-01-01,2024-01-01T11:00:00Z,d2,99999,2,2,FALSE,2024-01-02,,/y,1614806854100
"""


@pytest.fixture
def guessed(tmp_path):
    def run(path):
        inference = infer(path)
        project = tmp_path / "project.yaml"
        project.write_text(schema_yaml(inference))
        assert load_project(project).datasets == {inference.name: inference.definition}
        return inference

    return run


def kinds(inference):
    return {path: field.type for path, field in inference.definition.leaves().items()}


def test_csv(guessed, tmp_path, read_file):
    path = tmp_path / "Web events-1.csv"
    path.write_text(CSV)
    inference = guessed(path)
    assert inference.name == "web_events_1"
    assert kinds(inference) == {
        "event_id": "string",
        "created_at": "date",
        "Collector_Tstamp": "timestamp",
        "device_id": "string",
        "zip": "string",
        "clicks": "long",
        "ratio": "double",
        "is_new": "boolean",
        "day": "date",
        "nothing": "string",
        "web.page_title": "string",
        "a_ts": "timestamp",
    }
    definition = inference.definition
    assert (definition.timestamp, definition.event_id) == ("Collector_Tstamp", "event_id")
    assert definition.fields["device_id"].identity == "device"
    assert "nothing: string  # without a value in the sample" in schema_yaml(inference)
    rows, diagnostics = read_file(path, definition)
    assert len(rows) == 2
    assert not diagnostics.failed


def test_json_lines(guessed, tmp_path, read_file):
    record = {
        "_id": "a",
        "timestamp": "2024-01-01T00:00:00.123Z",
        "no": "1",
        "user_id": "u",
        "n": 1,
        "commerce": {"order": {"total": 1.5}},
        "items": [{"sku": "s", "price": 2}],
        "tags": ["x"],
        "empty": None,
    }
    path = tmp_path / "web.jsonl"
    path.write_text(json.dumps(record) + "\n")
    inference = guessed(path)
    assert kinds(inference) == {
        "_id": "string",
        "timestamp": "timestamp",
        "no": "long",
        "user_id": "string",
        "n": "long",
        "commerce.order.total": "double",
        "items": "array",
        "tags": "array",
        "empty": "string",
    }
    assert (inference.definition.timestamp, inference.definition.event_id) == ("timestamp", "_id")
    assert not read_file(path, inference.definition)[1].failed


def test_parquet_keeps_widths_and_decimals(guessed, tmp_path, read_file):
    path = tmp_path / "2024.parquet"
    columns = {
        "ts": pa.array([0], pa.timestamp("ms")),
        "small": pa.array([1], pa.int16()),
        "unsigned": pa.array([1], pa.uint32()),
        "price": pa.array([1], pa.decimal128(10, 2)),
        "flag": pa.array([True]),
        "day": pa.array([0], pa.date32()),
        "prices": pa.array([[1]], pa.list_(pa.decimal128(10, 2))),
    }
    parquet.write_table(pa.table(columns), path)
    inference = guessed(path)
    assert inference.name == "dataset_2024"
    assert kinds(inference) == {
        "ts": "timestamp",
        "small": "short",
        "unsigned": "long",
        "price": "decimal(10,2)",
        "flag": "boolean",
        "day": "date",
        "prices": "array",
    }
    assert not read_file(path, inference.definition)[1].failed


def test_without_a_time_it_is_a_lookup(guessed, tmp_path):
    path = tmp_path / "products.csv"
    path.write_text("name,product_id\nshoe,7\nshoe,8\n")
    definition = guessed(path).definition
    assert (definition.kind, definition.key) == ("lookup", "product_id")


@pytest.mark.parametrize("text", ["name\nx\nx\n", "\n"])
def test_what_cannot_be_guessed_is_said(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError):
        infer(path)
