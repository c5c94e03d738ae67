"""Graph-based stitching against its oracle, and the worked examples as far as they need no engine."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stitching import graph_based
from tests.oracle import graph_based as oracle

EVENTS = {"row": pl.Int64, "device": pl.String, "person": pl.String, "time": pl.Int64}
NODES = [(space, value) for space in ("ECID", "IDFA", "Email") for value in ("1", "2", "ä")]


class Asked:
    """Looks devices up in graphs, and remembers what it was asked for."""

    def __init__(self, graphs: Collection[oracle.Graph], wanted: str) -> None:
        self.graphs, self.wanted = graphs, wanted
        self.devices: list[str] = []

    def __call__(self, devices: pl.Series) -> pl.Series:
        self.devices += devices.to_list()
        found = [oracle.look_up(self.graphs, "ECID", device, self.wanted) for device in devices]
        return pl.Series(found, dtype=pl.String)


def events(*devices: str | None):
    return [{"row": row, "device": device, "person": None, "time": 0} for row, device in enumerate(devices)]


def stitched(events, graphs, wanted):
    asked = Asked(graphs, wanted)
    rows = graph_based.stitch(pl.DataFrame(events, schema=EVENTS), asked)
    assert rows["row"].to_list() == [event["row"] for event in events]
    assert sorted(asked.devices) == sorted({event["device"] for event in events} - {None})
    return {row: (person, known) for row, person, known in rows.iter_rows()}


@st.composite
def worlds(draw: st.DrawFn):
    """Draw disjoint graphs, and events of devices in and outside of them, some of them blank."""
    owners = draw(st.lists(st.integers(0, 3), min_size=len(NODES), max_size=len(NODES)))
    # Identities of the last owner are in no graph.
    owned = list(zip(NODES, owners, strict=True))
    graphs = [{node for node, owner in owned if owner == graph} for graph in range(3)]
    event = st.fixed_dictionaries(
        {
            "device": st.none() | st.sampled_from(["1", "2", "ä", "9"]),
            "person": st.none() | st.sampled_from(["1", "Ann"]),
            "time": st.integers(0, 2),
        }
    )
    drawn = draw(st.lists(event, max_size=12))
    return graphs, [{"row": row} | found for row, found in enumerate(drawn)]


@given(worlds(), st.sampled_from(["Email", "IDFA", "CRMID"]))
def test_graph_based_agrees_with_the_oracle(world, wanted):
    graphs, drawn = world
    assert stitched(drawn, graphs, wanted) == oracle.stitch(drawn, graphs, "ECID", wanted)


def test_of_several_ids_the_lexically_first():
    graph = {("ECID", "246"), ("Email", "bob.ab@gmail.com"), ("Email", "a.b@yahoo.co.uk"), ("CRMID", "1")}
    assert stitched(events("246"), [graph], "Email") == {0: ("a.b@yahoo.co.uk", True)}


EX_ST_4 = {
    "05-12 11:00": ("246", set(), "246"),
    "05-12 14:00": ("246", {("ECID", "246"), ("Email", "bob.a@gmail.com")}, "bob.a@gmail.com"),
    "05-12 17:00": ("3579", {("ECID", "246"), ("Email", "bob.a@gmail.com")}, "3579"),
    "05-12 19:00": ("3579", {("ECID", "3579"), ("Email", "ted.w@gmail.com")}, "ted.w@gmail.com"),
    "05-13 16:30": (
        "246",
        {("ECID", "246"), ("Email", "a.b@yahoo.co.uk"), ("Email", "bob.ab@gmail.com")},
        "a.b@yahoo.co.uk",
    ),
}
"""time → device, a graph at arrival, whom the event belongs to."""


@pytest.mark.parametrize("time", EX_ST_4)
def test_ex_st_4_each_state_of_the_graph(time):
    device, graph, person = EX_ST_4[time]
    assert stitched(events(device), [graph], "Email") == {0: (person, person != device)}


def test_a_blank_device_is_nobodys():
    assert stitched(events(None), [{("ECID", "1"), ("Email", "a")}], "Email") == {0: (None, False)}


def test_a_person_called_like_the_device_is_known_where_the_graph_says_so():
    graph = {("ECID", "x"), ("Email", "x")}
    assert stitched(events("x", "y"), [graph], "Email") == {0: ("x", True), 1: ("y", False)}


def test_no_events():
    assert stitched([], [], "Email") == {}
