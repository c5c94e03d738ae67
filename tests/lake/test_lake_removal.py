"""Batches leave a dataset's table in one commit, and stay in older versions."""

from __future__ import annotations

import pytest
from deltalake import DeltaTable

from engine.errors import HomeError
from engine.lake.batch import BatchWriter
from engine.lake.removal import remove_batches, removed_batches
from engine.lake.table import commits, files, latest_version, removed_files
from tests.lake.test_lake_batches import WEB, rows, table, write

__all__ = ["table"]


def names(table, version):
    return [file.batch for file in files(table, version)]


def test_a_removal_is_one_commit_and_older_versions_keep_the_files(table):
    for number in (1, 2, 3):
        write(table, number, rows((f"d{number}", number)))
    assert remove_batches(table, 3, ["batch1", "batch3"], purge=True) == 4
    assert names(table, 4) == ["batch2"]
    assert names(table, 3) == ["batch1", "batch2", "batch3"]
    assert [file.batch for file in removed_files(table, 3, 4)] == ["batch1", "batch3"]
    assert len(list(table.glob("*.parquet"))) == 3
    [(version, information)] = commits(table, 3, 4)
    assert (version, removed_batches(information)) == (4, (("batch1", "batch3"), True))
    assert len(DeltaTable(table).to_pyarrow_table()) == 1


def test_a_batch_without_files_leaves_too(table):
    write(table, 1)
    assert remove_batches(table, 1, ["batch1"]) == 2
    [(_, information)] = commits(table, 1, 2)
    assert removed_batches(information) == (("batch1",), False)


def test_a_removal_on_a_stale_state_is_refused(table):
    write(table, 1, rows(("a", 1)))
    write(table, 2, rows(("a", 2)))
    with pytest.raises(HomeError, match="changed by another program"):
        remove_batches(table, 1, ["batch1"])
    assert latest_version(table) == 2


def test_a_replacement_adds_and_removes_in_one_commit(table):
    write(table, 1, rows(("a", 1)))
    with BatchWriter(table, WEB, "batch2", 2, ["device"]) as writer:
        writer.write(rows(("b", 2)))
        version = writer.commit({"records": "1"}, ["batch1"])
    assert (version, names(table, version)) == (2, ["batch2"])
    [(_, information)] = commits(table, 1, 2)
    assert (information["batch"], removed_batches(information)) == ("batch2", (("batch1",), False))


def test_other_commits_remove_nothing(table):
    write(table, 1, rows(("a", 1)))
    [(_, information)] = commits(table, 0, 1)
    assert removed_batches(information) == ((), False)
