"""Files that no one should hand in: one line says what is wrong, and nothing is written."""

import pytest

from engine import flow
from engine.errors import InputError

FILES = {
    "deep.json": (b"[" * 100_000, "nested too deeply"),
    "long.csv": (b"id,ts,device\n1,2026-01-01," + b"x" * 20_000_000 + b"\n", "more than 8 MB"),
    "empty.csv": (b"", "empty"),
    "fake.parquet": (b"hello", "cannot be read"),
    "fake.csv.gz": (b"id,ts\n", "cannot be read"),
}


@pytest.mark.parametrize("name", FILES)
def test_refused_in_one_line(home, tmp_path, name):
    content, said = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    before = home.current().datasets
    with pytest.raises(InputError, match=said) as refused:
        flow.ingest(home, "web", [path])
    assert "\n" not in str(refused.value)
    assert home.current().datasets == before
