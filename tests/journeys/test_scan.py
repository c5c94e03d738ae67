"""Scans: chunks, types, hints, and what the cache keeps."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from engine.errors import UnknownColumnError
from engine.journeys import cache, chunks
from engine.journeys.columns import leaf_columns
from engine.journeys.scan import scan
from engine.world import Home
from tests.journeys.support import definitions, ingest_rows, journeys, new_home

START = datetime(2024, 1, 1, tzinfo=UTC)
MONTH = 31 * 86_400_000_000


def event(number: int, days: float, **more: Any) -> dict[str, Any]:
    at = START + timedelta(days=days)
    return {"id": f"e{number}", "at": at, "device": f"d{number % 40}"} | more


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return new_home(tmp_path, definitions(buckets=4))


def many(rows: int) -> pa.Table:
    numbers = np.arange(rows)
    frame = pl.DataFrame(
        {
            "id": pl.Series(numbers).cast(pl.String),
            "at": pl.Series(1_704_067_200_000_000 + numbers * 10_000_000).cast(pl.Datetime("us", "UTC")),
            "device": pl.Series(numbers % 1000 + 1).cast(pl.String),
            "login": [{"customer": None}] * rows,
            "channel": pl.Series(numbers % 7).cast(pl.String),
            "revenue": numbers * 0.5,
            "items": pl.Series(
                [None] * rows,
                dtype=pl.List(pl.Struct({"sku": pl.String, "price": pl.Decimal(12, 2)})),
            ),
        },
        schema_overrides={"login": pl.Struct({"customer": pl.String})},
    )
    schema = definitions().datasets["web"].arrow()
    return frame.to_arrow().cast(schema)


def test_types_and_nested_values(home: Home) -> None:
    items = [{"sku": "a", "price": Decimal("1.50")}, {"sku": None, "price": None}]
    ingest_rows(home, "web", [event(1, 0, items=items, revenue=2.5), event(2, 1, channel="paid")])
    world = home.current()
    kinds = leaf_columns(world.definitions, "shop")
    assert kinds["login.customer"] == pa.string() and kinds["topic"] == pa.string()
    (chunk,) = scan(home, "shop", world.journeys["shop"], list(kinds))
    for name, kind in kinds.items():
        wanted = pa.dictionary(pa.int32(), pa.string()) if kind == pa.string() else kind
        assert chunk.columns[name].type == wanted, name
    assert items in chunk.columns["items"].to_pylist()
    assert chunk.offsets.dtype == chunk.times.dtype == np.int64


def test_unknown_column_is_named_with_a_hint(home: Home) -> None:
    with pytest.raises(UnknownColumnError, match="chanel") as raised:
        list(scan(home, "shop", home.current().journeys["shop"], ["chanel"]))
    assert raised.value.hint == 'Did you mean "channel"?'


def test_an_empty_connection_has_no_chunks(home: Home) -> None:
    assert list(scan(home, "shop", home.current().journeys["shop"], ["channel"])) == []


def test_range_is_a_hint_that_skips_files(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.journeys.runs.FILE_ROWS", 1)
    ingest_rows(home, "web", [event(number, number) for number in range(90)])
    version = home.current().journeys["shop"]
    start = int(START.timestamp() * 1_000_000)
    everything = [time for chunk in scan(home, "shop", version, []) for time in chunk.times]
    january = [time for chunk in scan(home, "shop", version, [], end=start + MONTH) for time in chunk.times]
    march = [
        time for chunk in scan(home, "shop", version, [], start=start + 2 * MONTH) for time in chunk.times
    ]
    assert len(everything) == 90 and len(january) == 31 and len(march) < 35
    assert sorted(january) == [time for time in sorted(everything) if time < start + MONTH]
    assert set(march) >= {time for time in everything if time >= start + 2 * MONTH}


def test_many_rows_come_in_chunks_that_share_no_person(home: Home) -> None:
    ingest_rows(home, "web", many(chunks.SPLIT_ROWS))
    found = list(scan(home, "shop", home.current().journeys["shop"], ["_person", "channel", "revenue"]))
    assert len(found) == 2
    persons = [set(chunk.columns["_person"].to_pylist()) for chunk in found]
    assert not persons[0] & persons[1]
    assert sum(chunk.persons for chunk in found) == 1000
    for chunk in found:
        inside = np.diff(chunk.times) >= 0
        inside[chunk.offsets[1:-1] - 1] = True
        assert inside.all()
        dictionary = chunk.columns["channel"].dictionary.to_pylist()
        assert len(dictionary) == len(set(dictionary)) == 7


def test_scanning_again_reads_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest_rows(home, "web", [event(number, number) for number in range(30)])
    world = home.current()
    first = journeys(home, ["channel", "_person"], world)
    monkeypatch.setattr(chunks, "_read", lambda *_: pytest.fail("read a file"))
    assert journeys(home, ["channel", "_person"], world) == first


def test_the_bases_columns_survive_an_append(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest_rows(home, "web", [event(number, number) for number in range(60)])
    journeys(home, ["channel", "_person"])
    ingest_rows(home, "web", [event(100, 3.5, channel="mail")])
    read: list[str] = []
    original = chunks._read
    monkeypatch.setattr(
        chunks,
        "_read",
        lambda table, path, *rest: read.append(path) or original(table, path, *rest),
    )
    rows = [row for rows in journeys(home, ["channel", "_person"]) for row in rows]
    assert len(rows) == 61 and ("mail" in {row[1] for row in rows})
    # Of the run, the wanted columns and the keys; of the base nothing: it lies in the cache.
    assert {path.split("/")[0] for path in read} == {"level0"}
    assert len(read) == 5


def test_threads_share_one_decoding(home: Home) -> None:
    ingest_rows(home, "web", many(20_000))
    cache.columns.clear()
    version = home.current().journeys["shop"]
    barrier = threading.Barrier(8)

    def work(_: int) -> list[int]:
        barrier.wait()
        return [id(chunk.columns["channel"]) for chunk in scan(home, "shop", version, ["channel"])]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    assert all(ids == found[0] for ids in found)


def test_cache_keeps_to_its_budget_and_forgets_what_failed() -> None:
    small = cache.Cache(budget=lambda: 10)
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    for name in ("a", "b", "a", "c", "a"):
        assert small.get(name, lambda name=name: make(name), lambda _: 4) == name
    assert made == ["a", "b", "c"]
    small.get("huge", lambda: make("huge"), lambda _: 100)
    assert small.get("a", lambda: make("a"), lambda _: 4) == "a"
    assert made[-1] == "huge", "what is too large pushes nothing out"
    with pytest.raises(ZeroDivisionError):
        small.get("broken", lambda: 1 // 0, lambda _: 4)
    assert small.get("broken", lambda: 1, lambda _: 4) == 1
