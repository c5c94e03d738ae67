"""Rows found by a hash: the newest commit of a key counts, also where two keys share a hash."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.lake import delta, keyed

SCHEMA = pa.schema([("hash", pa.int64()), ("key", pa.string()), ("value", pa.int64())])
KEY = ("key",)


def rows(*values: tuple[str, int]) -> pl.DataFrame:
    # Every key has the same hash, which is the worst that chance can do.
    return pl.DataFrame([(1, *value) for value in values], pl.Schema(SCHEMA), orient="row")


def commit(table: Path, version: int, *values: tuple[str, int]) -> int:
    written, taken = keyed.taken_in(table, keyed.files(table, version), rows(*values), KEY, version + 1)
    file = keyed.write(table, "", version + 1, written, ["hash"])
    return delta.commit(table, version, [file], [each.path for each in taken])


def told(table: Path, version: int, asked: pl.Series | None = None) -> list[tuple[str, int]]:
    found = keyed.find(table, keyed.files(table, version), KEY, ["key", "value"], asked=asked)
    return sorted(found.rows())


@pytest.mark.parametrize("asked", [None, pl.Series([1])])
def test_keys_of_one_hash_do_not_hide_each_other(tmp_path: Path, asked: pl.Series | None) -> None:
    version = delta.create(tmp_path, SCHEMA, "hash")
    version = commit(tmp_path, version, ("a", 1), ("b", 1), ("c", 1), ("c", 2))
    version = commit(tmp_path, version, ("b", 2), ("b", 3))
    version = commit(tmp_path, version, ("a", 3))
    assert told(tmp_path, version, asked) == [("a", 3), ("b", 2), ("b", 3), ("c", 1), ("c", 2)]
    version = commit(tmp_path, version, *(("d", number) for number in range(9)))
    assert len(keyed.files(tmp_path, version)) == 1
    expected = [("a", 3), ("b", 2), ("b", 3), ("c", 1), ("c", 2), *(("d", number) for number in range(9))]
    assert told(tmp_path, version, asked) == expected


def test_folders_are_apart(tmp_path: Path) -> None:
    version = delta.create(tmp_path, SCHEMA, "hash")
    written = [keyed.write(tmp_path, folder, version + 1, rows(("a", 1)), ["hash"]) for folder in ("x", "y")]
    version = delta.commit(tmp_path, version, written)
    assert [file.path.split("/")[0] for file in keyed.files(tmp_path, version, "y")] == ["y"]


TEXTS = st.none() | st.sampled_from(["a", "b", "c", "d"])


@st.composite
def commits(draw: st.DrawFn) -> list[dict[str, list[str | None]]]:
    """Draw what each of some commits says of texts: nothing, once or several times, at most one answer."""
    answered = st.tuples(st.integers(0, 2), st.none() | st.sampled_from(["x", "y"])).map(
        lambda told: [*[None] * told[0], told[1]]
    )
    return draw(st.lists(st.dictionaries(st.sampled_from("abc"), answered), max_size=4))


@given(commits(), st.lists(TEXTS, max_size=8))
def test_answers_are_those_of_the_newest_commit(
    said: list[dict[str, list[str | None]]], asked: list[str | None]
) -> None:
    lines = [
        (text, answer, sequence)
        for sequence, commit_ in enumerate(said)
        for text, told_ in commit_.items()
        for answer in told_
    ]
    schema = {"text": pl.String, "answer": pl.String, keyed.SEQUENCE: pl.Int64}
    newest = {text: [*filter(None, told_)] for commit_ in said for text, told_ in commit_.items()}
    found = keyed.answers(pl.DataFrame(lines, schema, orient="row"), pl.Series(asked, dtype=pl.String))
    assert found.to_list() == [next(iter(newest.get(str(text), [])), None) for text in asked]
