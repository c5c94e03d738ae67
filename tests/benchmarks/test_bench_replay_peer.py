"""The replay's peer finds the same persons as a slow walk over each device, in every formulation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.peer_replay import persons_of_file, restitch, write_peer
from benchmarks.peer_tables import peer_sql
from stitching.graph import LINKS, Rules, lookup, resolve

FORMULATIONS = ("replay_windows", "replay_asof")
NOBODY = (None, "Undefined", " ", "00-0")
WINDOW = 10
"""Events at this time or later are restitched."""

Event = tuple[str, int, str | None]
"""Device, time, customer."""

events = st.tuples(
    st.sampled_from(["d1", "d2", "d3", "00-0"]),
    st.integers(0, 20),
    st.sampled_from([None, None, "ann", "bob", "cleo", "Undefined", " "]),
)


def _table(rows: list[Event], first: int) -> pa.Table:
    return pa.table(
        {
            "_event_id": pa.array([f"e{first + place}" for place in range(len(rows))], pa.string()),
            "_person": pa.array([device for device, _, _ in rows], pa.string()).dictionary_encode(),
            "_namespace": pa.array(["device"] * len(rows), pa.string()),
            "_time": pa.array([time for _, time, _ in rows], pa.int64()),
            "device_id": pa.array([device for device, _, _ in rows], pa.string()).dictionary_encode(),
            "customer_id": pa.array([customer for _, _, customer in rows], pa.string()),
        }
    )


def _customer(rows: list[Event], event: Event) -> str | None:
    """Return who an event belongs to; only those before it may be older than the window."""
    device, time, customer = event
    if device in NOBODY:
        return None if customer in NOBODY else customer
    named = [(when, who) for where, when, who in rows if where == device and who not in NOBODY]
    before = [(-when, who) for when, who in named if when <= time]
    after = [(when, who) for when, who in named if when > time]
    own = None if customer in NOBODY else customer
    return own or min(before or after, default=(0, None))[1]


def _rows(table: pa.Table, *columns: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


@given(st.lists(events, min_size=1, max_size=30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_formulation_finds_the_persons(tmp_path: Path, rows: list[Event]) -> None:
    window = [row for row in rows if row[1] >= WINDOW] or [("d1", WINDOW, None)]
    earlier = [row for row in rows if row[1] < WINDOW]
    wanted = [
        (f"e{place}", customer or event[0], "customer" if customer else "device")
        for place, event in enumerate(window)
        for customer in [_customer([*earlier, *window], event)]
    ]
    peer = write_peer([_table(window, 0)], _table([*earlier, *window], 0), WINDOW, tmp_path)
    for formulation in FORMULATIONS:
        target = tmp_path / f"{formulation}.parquet"
        restitch(peer, formulation, target)
        found = pq.read_table(target)
        assert sorted(_rows(found, "_event_id", "_person", "_namespace")) == sorted(wanted)
        order = _rows(found, "_person", "_time")
        assert order == sorted(order)
    peer.database.close()


@given(st.lists(events, min_size=1, max_size=30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_graph_of_the_peer_is_ours(tmp_path: Path, rows: list[Event]) -> None:
    named = [row for row in rows if row[0] not in NOBODY and row[2] not in NOBODY]
    links = [("customer", who, "device", where, when, when, 1) for where, when, who in named]
    rules = Rules(("customer", "device"), frozenset({"customer"}), {"device": "cookie"})
    graphs = resolve(pl.DataFrame(links, LINKS, orient="row"), rules)
    devices = pl.DataFrame({"namespace": "device", "value": [device for device, _, _ in rows]})
    owners = lookup(graphs.nodes, devices, "customer").to_list()
    wanted = [
        (f"e{place}", owner or rows[place][0], "customer" if owner else "device")
        for place, owner in enumerate(owners)
    ]
    table = _table(rows, 0)
    peer = write_peer([table.drop_columns("customer_id")], table, 0, tmp_path)
    target = tmp_path / "joined.parquet"
    restitch(peer, "replay_joined", target)
    found = pq.read_table(target)
    assert sorted(_rows(found, "_event_id", "_person", "_namespace")) == sorted(wanted)
    order = _rows(found, "_person", "_time")
    assert order == sorted(order)
    peer.database.close()


def _sum_of(rows: list[tuple[str, str]]) -> Any:
    database = duckdb.connect()
    database.execute("CREATE TABLE told (_event_id VARCHAR, _person VARCHAR)")
    database.executemany("INSERT INTO told VALUES (?, ?)", rows)
    return database.execute(peer_sql("replay_persons", {"rows": "told"})).fetchall()


def test_the_checksum_knows_who_has_what_and_no_order() -> None:
    one, two = ("e1", "ann"), ("e2", "bob")
    assert _sum_of([one, two]) == _sum_of([two, one])
    assert _sum_of([one, two])[0][0] != _sum_of([("e1", "bob"), ("e2", "ann")])[0][0]


@pytest.mark.parametrize("formulation", [*FORMULATIONS, "replay_joined"])
def test_all_columns_are_rewritten(tmp_path: Path, formulation: str) -> None:
    table = _table([("d1", 11, None), ("d1", 12, "ann")], 0)
    items = pa.array([[{"sku": "a", "quantity": 2}], None])
    peer = write_peer([table.append_column("items", items)], table, WINDOW, tmp_path)
    target = tmp_path / "it's rewritten.parquet"
    restitch(peer, formulation, target)
    found = pq.read_table(target)
    assert found.column_names == [*table.column_names, "items"]
    assert found["items"].to_pylist() == [[{"sku": "a", "quantity": 2}], None]
    assert persons_of_file(target)[0][1] == 2
