"""Copied fields: what journeys hold, what is read of the lake, and how files are completed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.applying import apply
from engine.definitions.model import Definitions
from engine.journeys import lacking, store
from engine.journeys.backfill import backfill, lagging
from engine.journeys.columns import SYSTEM, journey_schema
from engine.journeys.copies import live
from engine.journeys.lacking import held, lake_of, locate, values_at
from engine.journeys.runs import polars_columns
from engine.lake import rows as lake_rows
from engine.lake.leaves import leaf_column
from engine.recovery import recover
from engine.world import Home
from tests.journeys.support import commit_batch, definitions, ingest_rows, journeys, new_home

START = datetime(2024, 1, 1, tzinfo=UTC)
STRINGS = pa.dictionary(pa.int32(), pa.string())


def using(*fields: str, **more: Any) -> Definitions:
    dimensions = {f"d{place}": field for place, field in enumerate(fields)}
    return definitions(data_views={"main": {"connection": "shop", "dimensions": dimensions}}, **more)


def event(number: int, **more: Any) -> dict[str, Any]:
    at = START + timedelta(hours=number)
    return {"id": f"e{number}", "at": at, "device": f"d{number % 7}", "channel": f"c{number}"} | more


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = new_home(tmp_path, using("channel"))
    ingest_rows(home, "web", [event(number, revenue=number / 2) for number in range(50)])
    return home


def files_of(home: Home) -> store.Files:
    return store.files(home.journeys_path("shop"), home.current().journeys["shop"])


def columns_of(home: Home) -> set[frozenset[str]]:
    files = files_of(home)
    return {held(files.table, file.path) for file in (*files.base, *files.level0)}


def complete(home: Home, **options: Any) -> int | None:
    world = home.current()
    schema, lake = journey_schema(world.definitions, "shop"), lake_of(home, world.definitions, "shop")
    with home.lease() as lease:
        version = backfill(files_of(home), schema, lake, **options)
        if version is not None:
            lease.publish("compact shop", journeys={"shop": version})
    return version


def revenues(home: Home) -> set[tuple[str, float]]:
    return {row[1:] for rows in journeys(home, ["channel", "revenue"]) for row in rows}


def test_files_hold_identities_and_what_views_use(home: Home) -> None:
    assert columns_of(home) == {frozenset([*SYSTEM, "channel", "device", "login.customer"])}
    apply(home, using("channel", "items.sku"))
    names = set(journey_schema(home.current().definitions, "shop").names)
    assert names == {*SYSTEM, "channel", "device", "login.customer", "items"}


def test_a_field_that_a_view_starts_to_use_is_there_at_once_and_copied_later(home: Home) -> None:
    expected = {(f"c{number}", number / 2) for number in range(50)}
    assert revenues(home) == expected
    before = files_of(home)
    assert apply(home, using("channel", "revenue")).rebuilt == ()
    assert files_of(home).base == before.base
    assert revenues(home) == expected
    assert complete(home) is not None
    assert all("revenue" in names for names in columns_of(home))
    assert revenues(home) == expected
    assert complete(home) is None


def test_backfill_goes_file_by_file(home: Home) -> None:
    apply(home, using("channel", "revenue"))
    due = len(lagging(files_of(home), journey_schema(home.current().definitions, "shop")))
    steps = 0
    while complete(home, most=1) is not None:
        steps += 1
    assert steps == due > 1


def test_a_field_that_no_view_uses_stays_until_files_are_rewritten(home: Home) -> None:
    names = columns_of(home)
    apply(home, using())
    assert columns_of(home) == names and complete(home) is None
    ingest_rows(home, "web", [event(60)])
    assert ("c60", None) in revenues(home)


def test_only_what_is_asked_is_read_of_the_lake(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def leaf(file: str, path: str, kind: pa.DataType) -> pa.Array | None:
        read.append(path)
        return leaf_column(file, path, kind)

    monkeypatch.setattr(lacking, "leaf_column", leaf)
    journeys(home, ["channel"])
    assert read == []
    journeys(home, ["channel", "revenue"])
    assert set(read) == {"revenue"}
    journeys(home, ["revenue"])
    assert len(read) == 1


def test_objects_are_not_decoded_whole_for_journeys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"ts": "timestamp", "id": "string", "who": "string"} | {f"c{n}": "string" for n in range(9)}
    given = {
        "datasets": {
            "web": {
                "timestamp": "o.ts",
                "event_id": "o.id",
                "fields": {"o": {"type": "object", "fields": fields}},
            }
        },
        "connections": {"shop": {"datasets": {"web": {"person_id": "o.who"}}}},
        "data_views": {"main": {"connection": "shop", "dimensions": {"d": "o.c3"}}},
    }
    home = new_home(tmp_path, Definitions.model_validate(given))
    read: list[set[str]] = []
    original = lake_rows.leaf_frame
    monkeypatch.setattr(
        lake_rows, "leaf_frame", lambda file, kinds: read.append(set(kinds)) or original(file, kinds)
    )
    row = {"ts": START, "id": "1", "who": "Ann"} | {f"c{n}": f"v{n}" for n in range(9)}
    with home.lease() as lease:
        commit_batch(home, "web", [{"o": row}, {"o": row | {"id": "2", "c3": None}}], order_by="o.ts")
        recover(lease)
    assert read == [{"o.ts", "o.id", "o.who"}, {"o.ts", "o.id", "o.c3"}]
    assert [row[1:] for row in journeys(home, ["o.c3", "o.c8"])[0]] == [("v3", "v8"), (None, "v8")]


def test_a_merge_refuses_to_write_nulls_for_a_lacking_column(home: Home) -> None:
    columns = polars_columns(journey_schema(using("channel", "revenue"), "shop"))
    with pytest.raises(pl.exceptions.PolarsError):
        live(files_of(home), columns, ["revenue"]).collect()


def test_values_at_rows_of_several_batches_in_any_order(home: Home) -> None:
    ingest_rows(home, "web", [event(number) for number in range(100, 120)])
    lake = lake_of(home, home.current().definitions, "shop")
    rows = np.array([(2 << 32) + 19, (1 << 32) + 7, (9 << 32) + 1, (2 << 32), (1 << 32) + 50], np.int64)
    found = locate(lake, np.zeros(5, np.int16), rows)
    assert values_at(found, "channel", STRINGS).to_pylist() == ["c119", "c7", None, "c100", None]
    assert values_at(found, "channel", pa.string()).to_pylist() == ["c119", "c7", None, "c100", None]
    assert values_at(found, "nowhere.else", pa.int64()).to_pylist() == [None] * 5
    assert len(values_at(found, "channel", STRINGS).dictionary) == 3
    none = locate(lake, np.empty(0, np.int16), np.empty(0, np.int64))
    assert len(values_at(none, "channel", STRINGS)) == 0


def test_leaves_of_a_lake_file_in_several_row_groups(tmp_path: Path) -> None:
    path = str(tmp_path / "f.parquet")
    pages = [{"name": "a", "tags": ["x"]}, None, {"name": None, "tags": []}, {"name": "a", "tags": None}]
    items = [[{"sku": "s"}], [], None, [None]]
    pq.write_table(pa.table({"page": pages, "items": items}), path, row_group_size=2)
    for kind in (pa.string(), STRINGS):
        column = leaf_column(path, "page.name", kind)
        assert column is not None and column.type == kind
        assert column.to_pylist() == ["a", None, None, "a"]
    tags = leaf_column(path, "page.tags", pa.list_(pa.string()))
    assert tags is not None and tags.to_pylist() == [["x"], None, [], None]
    grown = pa.list_(pa.struct([("size", pa.int64()), ("sku", pa.string())]))
    column = leaf_column(path, "items", grown)
    assert column is not None and column.to_pylist() == [[{"size": None, "sku": "s"}], [], None, [None]]
    assert leaf_column(path, "page.url", pa.string()) is None
    assert leaf_column(path, "page.name.deeper", pa.string()) is None
