"""Tables that stay open: each version is what a table opened for it alone says, whoever commits in between."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from engine.lake.opened import opened


def append(table, *numbers):
    write_deltalake(table, pa.table({"a": pa.array(numbers, pa.int64())}), mode="append")


def files(delta):
    return sorted(pa.table(delta.get_add_actions())["path"].to_pylist())


def seen(table, version=None):
    with opened(table, version) as delta:
        return delta.version(), files(delta)


def alone(table, version=None):
    delta = DeltaTable(table, version=version)
    return delta.version(), files(delta)


@pytest.fixture
def table(tmp_path):
    append(tmp_path / "t", 1)
    return tmp_path / "t"


def test_a_newer_version_is_seen(table):
    for number in range(3):
        assert seen(table) == alone(table)
        append(table, number)
    assert seen(table) == alone(table)
    assert seen(table, 1) == alone(table, 1)


def test_an_older_version_is_seen_beside_the_newest(table):
    append(table, 2)
    assert seen(table, 1) == alone(table, 1)
    append(table, 3)
    assert [seen(table, version) for version in (2, 0, 1, 2)] == [alone(table, v) for v in (2, 0, 1, 2)]


def test_files_that_went_and_columns_that_came_are_seen(table):
    assert seen(table)[0] == 0
    wider = pa.table({"a": [2], "b": ["x"]})
    write_deltalake(table, wider, mode="overwrite", schema_mode="overwrite")
    with opened(table) as delta:
        assert files(delta) == alone(table)[1]
        assert [field.name for field in delta.schema().fields] == ["a", "b"]
    DeltaTable(table).restore(0)
    assert seen(table) == alone(table)


def test_another_table_in_the_same_folder_is_another(table):
    append(table, 2)
    assert seen(table)[0] == 1
    shutil.rmtree(table)
    append(table, 7)
    assert seen(table) == alone(table)


def test_what_is_not_there_is_an_error(table, tmp_path):
    with pytest.raises(DeltaError), opened(table, 5):
        pass
    with pytest.raises(DeltaError), opened(tmp_path / "none"):
        pass
    append(tmp_path / "none", 1)
    assert seen(tmp_path / "none")[0] == 0


def test_one_may_look_at_an_older_version_while_the_table_is_lent(table):
    append(table, 2)
    with opened(table) as delta:
        assert seen(table, 0) == alone(table, 0)
        assert delta.version() == 1


def test_many_readers_see_what_is_there(table):
    def look(_):
        version, found = seen(table)
        return found == alone(table, version)[1]

    with ThreadPoolExecutor(4) as pool:
        looks = pool.map(look, range(40))
        for number in range(5):
            append(table, number)
        assert all(looks)
