"""The table of devices answers the same however many are asked, and the newest commit wins."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from engine.journeys import device_table
from engine.lake import keyed


def states(names: list[str], known: str) -> pl.DataFrame:
    rows = [
        {
            "device": name,
            "known": known,
            "known_batch": 1,
            "known_time": 5,
            "runs": [{"start": 1, "end": 5, "person": known}],
        }
        for name in names
    ]
    return pl.DataFrame(rows, schema=device_table.STATES)


@pytest.mark.parametrize("asked", [1, 10, 100])
def test_few_and_many_devices(tmp_path: Path, asked: int) -> None:
    names = [f"device-{number}" for number in range(100)]
    version = device_table.overwrite(tmp_path / "devices", {0: states(names, "Ann"), 1: states(names, "Zoe")})
    version = device_table.commit(tmp_path / "devices", version, {0: states(names[:2], "Bob")})
    assert len(keyed.files(tmp_path / "devices", version)) == 2
    wanted = pl.Series([*names[:asked], "unknown"])
    found = device_table.read(tmp_path / "devices", version, 0, wanted)
    told = {name: "Bob" if name in names[:2] else "Ann" for name in names[:asked]}
    assert dict(found.select("device", "known").rows()) == told
    assert found.height == asked
    runs = device_table.read(tmp_path / "devices", version, 0, wanted, ("device", "runs"))
    assert runs.sort("device").equals(found.select("device", "runs").sort("device"))


def test_a_table_is_read_ahead_only_if_it_is_no_larger_than_what_asks(tmp_path: Path) -> None:
    table = tmp_path / "devices"
    version = device_table.overwrite(table, {0: states(["one", "two", "three"], "Ann")})
    early = device_table.known_before(table, version, 0, 5, events=3)
    late = device_table.known_before(table, version, 0, 5, events=2)
    unborn = device_table.known_before(table, version, 0, 0, events=3)
    for file in keyed.files(table, version):
        (table / file.path).unlink()
    asked = pl.Series(["two", "unknown", "one"])
    assert early(asked).to_list() == ["Ann", None, "Ann"]
    assert unborn(asked).to_list() == [None, None, None]
    with pytest.raises(FileNotFoundError):
        late(asked)
