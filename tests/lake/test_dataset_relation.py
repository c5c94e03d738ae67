"""A dataset as DuckDB sees it: its schema's columns at one version, whatever its files hold."""

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest

from engine.definitions.model import DatasetDefinition, Definitions
from engine.errors import UnknownNameError
from engine.lake.batch import BatchWriter
from engine.lake.relation import relation
from engine.lake.table import create, evolve
from engine.world import Home

OLD = {
    "ts": "timestamp",
    "web": {"type": "object", "fields": {"page": "string"}},
    "items": {"type": "array", "fields": {"sku": "string"}},
}
NEW = {
    "ts": "timestamp",
    'q"uote': "long",
    "web": {"type": "object", "fields": {"title": "string", "page": "string"}},
    "items": {"type": "array", "fields": {"sku": "string", "price": "double"}},
}


def dataset(fields) -> DatasetDefinition:
    return DatasetDefinition.model_validate({"timestamp": "ts", "fields": fields})


def publish(home, fields, version):
    with home.lease() as lease:
        defined = Definitions(datasets={"web": dataset(fields)})
        return lease.publish("x", definitions=defined, datasets={"web": version})


def write(home, fields, number, record):
    definition = dataset(fields)
    with BatchWriter(home.dataset_path("web"), definition, f"b{number}", number, ["ts"]) as writer:
        writer.write(pa.RecordBatch.from_pylist([record], definition.arrow()))
        return writer.commit({})


def ask(home, world) -> tuple[list[str], list[str], list[tuple]]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        found = database.sql(relation(home, world, "web").sql("duckdb"))
        kinds = [str(kind) for kind in found.types]
        return found.columns, kinds, found.project("* EXCLUDE ts").fetchall()


@pytest.fixture
def home(tmp_path):
    home = Home.create(tmp_path)
    create(home.dataset_path("web"), dataset(OLD).arrow(), timestamp="ts")
    yield home
    home.close()


def test_an_empty_dataset_is_empty_and_typed(home):
    columns, kinds, found = ask(home, publish(home, OLD, 0))
    assert columns == ["ts", "web", "items"]
    assert kinds == ["TIMESTAMP WITH TIME ZONE", "STRUCT(page VARCHAR)", "STRUCT(sku VARCHAR)[]"]
    assert found == []


def test_older_files_give_null_for_newer_fields_and_worlds_keep_their_version(home):
    now = datetime(2024, 1, 1, tzinfo=UTC)
    first = write(home, OLD, 1, {"ts": now, "web": {"page": "/"}, "items": [{"sku": "s"}]})
    before = publish(home, OLD, first)
    grown = {name: field for name, field in NEW.items() if name != 'q"uote'} | {"more": "long"}
    evolved = evolve(home.dataset_path("web"), dataset(grown).arrow())
    only_old_files = publish(home, grown, evolved)
    columns, _, found = ask(home, only_old_files)
    assert columns == ["ts", "web", "items", "more"]
    assert found == [({"title": None, "page": "/"}, [{"sku": "s", "price": None}], None)]
    record = {"ts": now, "more": 1, "web": {"title": "t", "page": "/a"}, "items": []}
    after = publish(home, grown, write(home, grown, 2, record))
    assert sorted(ask(home, after)[2], key=str) == sorted(
        [found[0], ({"title": "t", "page": "/a"}, [], 1)], key=str
    )
    assert ask(home, before)[2] == [({"page": "/"}, [{"sku": "s"}])]


def test_names_are_quoted_not_pasted(home):
    text = relation(home, publish(home, NEW, 0), "web").sql("duckdb")
    assert '"q""uote"' in text
    with duckdb.connect() as database:
        assert database.sql(text).columns[1] == 'q"uote'


def test_an_unknown_dataset_is_named_with_a_suggestion(home):
    world = publish(home, OLD, 0)
    with pytest.raises(UnknownNameError) as caught:
        relation(home, world, "wep")
    assert caught.value.hint == 'Did you mean "web"?'
