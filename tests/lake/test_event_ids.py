"""Hashes of event ids beside lake files: they find every row, and survive being lost or torn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lake import event_ids
from engine.lake.hashes import text_hashes

IDS = ["a", None, "b", "", "a", "ä", "c" * 40]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "00000001-abc-00000.parquet"
    pl.DataFrame({"outer": [{"id": name} for name in IDS], "id": range(len(IDS))}).write_parquet(path)
    return path


def places(file: Path, *names: str, field: str = "outer.id") -> list[int]:
    wanted = np.unique(text_hashes(pl.Series(names, dtype=pl.String)))
    return sorted(event_ids.find(file, field, wanted).tolist())


def kept(file: Path) -> Path:
    return file.parent / "_eventids" / f"{file.stem}.hashes"


def test_rows_are_found_by_their_ids(file: Path) -> None:
    for asked, found in ((["a"], [0, 4]), (["ä", "b", "x"], [2, 5]), (["", "y"], []), ([], [])):
        assert places(file, *asked) == found
    many = [f"n{number}" for number in range(50)]
    assert places(file, "a", "c" * 40, *many) == [0, 4, 6]


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 24, b"x" * 1000])
def test_what_is_torn_or_missing_is_made_again(file: Path, damage: bytes) -> None:
    assert places(file, "b") == [2]
    kept(file).write_bytes(damage)
    assert places(file, "b") == [2]
    event_ids.remove(file)
    assert not kept(file).exists()
    assert places(file, "b") == [2]


def test_hashes_of_another_field_do_not_count(file: Path) -> None:
    assert places(file, "b") == [2]
    assert places(file, "3", field="id") == [3]
    assert places(file, "b", field="absent") == []
    assert places(file, "b") == [2]


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(), max_size=20))
def test_hashes_are_of_the_bytes_alone(texts: list[str]) -> None:
    found = text_hashes(pl.Series(["other", *texts], dtype=pl.String).slice(1))
    expected = [_hash(text.encode()) for text in texts]
    assert found.tolist() == expected


def _hash(content: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in content:
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ (value >> 33)) * factor % (1 << 64)
    return value ^ (value >> 33)
