"""Files that versions need: the log followed commit by commit says the same as opening each version."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import HomeError
from engine.lake import delta
from engine.lake.log import live_files, log_path, needed_files

SCHEMA = pa.schema([("row", pa.int64())])


def make(table: Path, commits: list[tuple[int, list[int]]]) -> list[frozenset[str]]:
    """Commit additions and removals; return the live files of each version."""
    delta.create(table, SCHEMA, "row")
    live: list[frozenset[str]] = [frozenset()]
    for version, (adds, drops) in enumerate(commits):
        now = sorted(live[-1])
        removed = sorted({now[drop % len(now)] for drop in drops}) if now else []
        added = [f"base/{version}-{number}.parquet" for number in range(adds)]
        delta.commit(table, version, [delta.NewFile(path, 1, 1) for path in added], removed)
        live.append((live[-1] - set(removed)) | set(added))
    return live


@settings(max_examples=25, deadline=None)
@given(
    commits=st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 9), max_size=2)), max_size=6),
    data=st.data(),
)
def test_files_of_versions_are_those_of_each_of_them(
    commits: list[tuple[int, list[int]]], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        live = make(Path(folder), commits)
        wanted = data.draw(st.sets(st.integers(0, len(commits))))
        expected = frozenset().union(*(live[version] for version in wanted))
        assert needed_files(Path(folder), wanted) == expected


def test_a_log_without_its_oldest_commits_is_still_read(tmp_path: Path) -> None:
    live = make(tmp_path, [(2, []), (1, [0]), (1, []), (1, [1])])
    DeltaTable(tmp_path, version=2).create_checkpoint()
    for version in (0, 1, 2):
        log_path(tmp_path, version).unlink()
    assert needed_files(tmp_path, [2, 4]) == live[2] | live[4]
    with pytest.raises(HomeError, match=r"version 1 of .* cannot be read"):
        live_files(tmp_path, 1)
