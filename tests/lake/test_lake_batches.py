"""Batches in real Delta tables: all or nothing, sorted, and without traces of identities."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyarrow import parquet

from engine.definitions.model import DatasetDefinition
from engine.lake import batch as lake_batch
from engine.lake.batch import BatchWriter
from engine.lake.schema import ROW
from engine.lake.table import added_files, commits, create, evolve, files, latest_version

WEB = DatasetDefinition.model_validate(
    {
        "timestamp": "at.time",
        "fields": {
            "device": {"type": "string", "identity": "ecid"},
            "at": {"type": "object", "fields": {"time": "timestamp"}},
            "price": "decimal(12,2)",
        },
    }
)
START = datetime(2024, 1, 1, tzinfo=UTC)


def rows(*moments: tuple[str, int | None]) -> pa.RecordBatch:
    records = [
        {
            "device": device,
            "at": {"time": None if second is None else START + timedelta(seconds=second)},
            "price": None,
        }
        for device, second in moments
    ]
    return pa.RecordBatch.from_pylist(records, schema=WEB.arrow())


def write(table, number: int, *batches: pa.RecordBatch) -> int:
    with BatchWriter(table, WEB, f"batch{number}", number, ["device", "at.time"]) as writer:
        for one in batches:
            writer.write(one)
        return writer.commit({"records": str(writer.rows)})


def microseconds(second: int) -> int:
    return int(START.timestamp() + second) * 1_000_000


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "web"
    create(path, WEB.arrow(), timestamp="at.time")
    return path


def test_a_batch_is_one_commit_with_its_files_in_order(table, monkeypatch):
    monkeypatch.setattr(lake_batch, "_ROWS_PER_FILE", 2)
    version = write(table, 1, rows(("b", 5), ("a", 9)), rows(("a", 1), ("c", None)))
    assert version == 1
    assert [(f.rows, f.batch, f.min_time, f.max_time) for f in files(table, 1)] == [
        (2, "batch1", microseconds(5), microseconds(9)),
        (2, "batch1", microseconds(1), microseconds(1)),
    ]
    write(table, 2, rows(("x", 1)))
    assert [f.batch for f in added_files(table, 1, 2)] == ["batch2"]
    assert [f.batch for f in added_files(table, 0, 2)] == ["batch1", "batch1", "batch2"]
    assert files(table, 0) == ()


def test_files_are_sorted_and_rows_numbered_by_batch_and_ordinal(table):
    write(table, 3, rows(("b", 1), ("a", 9), ("a", None)), rows(("a", 2)))
    (file,) = files(table, 1)
    stored = parquet.read_table(file.path)
    assert stored["device"].to_pylist() == ["a", "a", "a", "b"]
    assert [row - (3 << 32) for row in stored[ROW].to_pylist()] == [2, 3, 1, 0]


def test_the_log_names_the_batch_and_no_identity(table):
    write(table, 1, rows(("secret-device", 1)))
    (found,) = commits(table, 0, 1)
    assert found[0] == 1
    assert (found[1]["batch"], found[1]["records"]) == ("batch1", "1")
    log = "".join(path.read_text() for path in (table / "_delta_log").glob("*.json"))
    assert "secret-device" not in log
    assert DeltaTable(table).transaction_version("wayline-batch-batch1") == 1
    statistics = [
        json.loads(json.loads(line)["add"]["stats"]) for line in log.splitlines() if line.startswith('{"add"')
    ]
    assert statistics == [
        {
            "numRecords": 1,
            "minValues": {"at": {"time": "2024-01-01T00:00:01.000000Z"}},
            "maxValues": {"at": {"time": "2024-01-01T00:00:01.000000Z"}},
        }
    ]


def test_parquet_files_have_statistics_on_the_time_alone(table):
    write(table, 1, rows(("a", 1)))
    group = parquet.read_metadata(files(table, 1)[0].path).row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    assert {c.path_in_schema: c.is_stats_set for c in columns} == {
        "device": False, "at.time": True, "price": False, ROW: False,
    }  # fmt: skip
    assert columns[0].compression == "ZSTD"
    assert columns[0].has_dictionary_page


def test_a_writer_that_fails_leaves_nothing(table, monkeypatch):
    monkeypatch.setattr(lake_batch, "_ROWS_PER_FILE", 1)
    writer = BatchWriter(table, WEB, "batch1", 1, ["device"])
    with pytest.raises(ZeroDivisionError), writer:
        writer.write(rows(("a", 1)))
        assert list(table.glob("*.parquet"))
        raise ZeroDivisionError
    assert not list(table.glob("*.parquet"))
    assert latest_version(table) == 0


def test_a_commit_that_only_seemed_to_fail_keeps_its_files(table, monkeypatch):
    commit = DeltaTable.create_write_transaction

    def commit_and_fail(*arguments, **options):
        commit(*arguments, **options)
        raise OSError("no answer")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", commit_and_fail)
    with pytest.raises(OSError, match="no answer"):
        write(table, 1, rows(("a", 1)))
    assert DeltaTable(table).to_pyarrow_table().num_rows == 1


def test_a_table_made_anew_is_not_mistaken_for_the_one_before(table):
    evolve(table, WEB.arrow().append(pa.field("more", pa.int64())))
    assert files(table, 1) == ()
    shutil.rmtree(table)
    create(table, WEB.arrow(), timestamp="at.time")
    write(table, 1, rows(("a", 1)))
    assert len(files(table, 1)) == 1


def test_a_batch_without_rows_is_a_commit_without_files(table):
    assert write(table, 1) == 1
    assert files(table, 1) == ()


def test_any_delta_reader_sees_the_batch(table):
    write(table, 1, rows(("a", 1), ("b", None)))
    seen = DeltaTable(table).to_pyarrow_table()
    assert sorted(seen["device"].to_pylist()) == ["a", "b"]


def test_creating_again_changes_nothing(table):
    write(table, 1, rows(("a", 1)))
    assert create(table, WEB.arrow(), timestamp="at.time") == 1


def test_a_table_gains_fields_at_every_depth_once(table):
    grown = DatasetDefinition.model_validate(
        {
            "timestamp": "at.time",
            "fields": {
                "more": "long",
                "at": {"type": "object", "fields": {"zone": "string", "time": "timestamp"}},
                "device": "string",
                "price": "decimal(12,2)",
            },
        }
    )
    assert evolve(table, grown.arrow()) == 1
    assert evolve(table, grown.arrow()) == 1
    stored = pa.schema(DeltaTable(table).schema().to_arrow())
    assert {child.name for child in stored.field("at").type} == {"time", "zone"}
    assert stored.names == ["device", "at", "price", ROW, "more"]


def test_dates_and_early_years_can_be_event_times(tmp_path):
    days = DatasetDefinition.model_validate({"timestamp": "day", "fields": {"day": "date"}})
    create(tmp_path / "days", days.arrow(), timestamp="day")
    with BatchWriter(tmp_path / "days", days, "b1", 1, ["day"]) as writer:
        first, last = datetime(1, 1, 1).date(), datetime(9999, 12, 31).date()
        writer.write(pa.RecordBatch.from_pylist([{"day": last}, {"day": first}], days.arrow()))
        writer.commit({})
    (file,) = files(tmp_path / "days", 1)
    epoch = datetime(1970, 1, 1).date()
    assert file.min_time == (first - epoch).days * 86_400_000_000
    assert file.max_time == (last - epoch).days * 86_400_000_000
