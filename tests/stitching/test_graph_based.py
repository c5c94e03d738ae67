"""Graph-based stitching against its oracle, and the worked examples as far as they need no engine."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stitching import field_based, graph_based
from tests.oracle import graph_based as oracle

EVENTS = {"row": pl.Int64, "device": pl.String, "namespace": pl.String, "time": pl.Int64}
VALUES = [(space, value) for space in ("ECID", "IDFA", "Email") for value in ("1", "2", "ä")]


def frame(events):
    return pl.DataFrame(events, schema=EVENTS)


def devices(*values: str | None, namespace: str = "ECID"):
    return [
        {"row": row, "device": value, "namespace": namespace, "time": 0} for row, value in enumerate(values)
    ]


class Asked:
    """Looks values up in graphs, and remembers what it was asked for."""

    def __init__(self, graphs: Collection[oracle.Graph], wanted: str) -> None:
        self.graphs, self.wanted = graphs, wanted
        self.questions: list[tuple[str, list[str]]] = []

    def __call__(self, namespace: str, values: pl.Series) -> pl.Series:
        self.questions.append((namespace, values.to_list()))
        found = [oracle.look_up(self.graphs, namespace, value, self.wanted) for value in values]
        return pl.Series(found, dtype=pl.String)


def stitched(events, graphs, wanted):
    rows = graph_based.stitch(frame(events), Asked(graphs, wanted))
    assert rows["row"].to_list() == [event["row"] for event in events]
    return {row: (person, known) for row, person, known in rows.iter_rows()}


@st.composite
def worlds(draw: st.DrawFn):
    """Draw disjoint graphs and events of their devices and others, some of them blank."""
    place = st.integers(0, 3)
    owners = draw(st.lists(place, min_size=len(VALUES), max_size=len(VALUES)))
    # The last group is of identities that are in no graph.
    graphs = [
        {node for node, owner in zip(VALUES, owners, strict=True) if owner == graph} for graph in range(3)
    ]
    event = st.fixed_dictionaries(
        {
            "device": st.none() | st.sampled_from(["1", "2", "ä", "9"]),
            "namespace": st.none() | st.sampled_from(["ECID", "ECID", "IDFA", "Email"]),
            "time": st.integers(0, 2),
        }
    )
    events = [{"row": row} | found for row, found in enumerate(draw(st.lists(event, max_size=12)))]
    return graphs, events


@given(worlds(), st.sampled_from(["Email", "IDFA", "CRMID"]))
def test_graph_based_agrees_with_the_oracle(world, wanted):
    graphs, events = world
    assert stitched(events, graphs, wanted) == oracle.stitch(events, graphs, wanted)


@given(worlds())
def test_each_device_of_a_namespace_is_asked_for_once(world):
    graphs, events = world
    asked = Asked(graphs, "Email")
    graph_based.stitch(frame(events), asked)
    pairs = [(namespace, value) for namespace, values in asked.questions for value in values]
    told = {(event["namespace"], event["device"]) for event in events if None not in event.values()}
    assert sorted(pairs) == sorted(told)
    assert len({namespace for namespace, _ in asked.questions}) == len(asked.questions)


@given(worlds())
def test_one_namespace_for_all_is_the_same_as_naming_it_on_each_event(world):
    graphs, events = world
    one = [event | {"namespace": "ECID"} for event in events]
    codes = field_based.coded(frame(one).with_columns(person=pl.lit(None, pl.String)))
    short, long = (
        graph_based.restitch(codes, given, Asked(graphs, "Email"))
        for given in ("ECID", frame(one)["namespace"])
    )
    assert short.tolist() == long.tolist()


def test_several_ids_of_the_wanted_namespace_the_lexically_first():
    graph = {("ECID", "246"), ("Email", "bob.ab@gmail.com"), ("Email", "a.b@yahoo.co.uk"), ("CRMID", "1")}
    assert stitched(devices("246"), [graph], "Email") == {0: ("a.b@yahoo.co.uk", True)}


EX_ST_4 = {
    "05-12 11:00": ("246", [], "246"),
    "05-12 14:00": ("246", [{("ECID", "246"), ("Email", "bob.a@gmail.com")}], "bob.a@gmail.com"),
    "05-12 17:00": ("3579", [{("ECID", "246"), ("Email", "bob.a@gmail.com")}], "3579"),
    "05-12 19:00": ("3579", [{("ECID", "3579"), ("Email", "ted.w@gmail.com")}], "ted.w@gmail.com"),
    "05-13 16:30": (
        "246",
        [{("ECID", "246"), ("Email", "a.b@yahoo.co.uk"), ("Email", "bob.ab@gmail.com")}],
        "a.b@yahoo.co.uk",
    ),
}
"""time → device, the graphs at arrival, whom the event belongs to."""


@pytest.mark.parametrize("time", EX_ST_4)
def test_ex_st_4_each_state_of_the_graph(time):
    device, graphs, person = EX_ST_4[time]
    assert stitched(devices(device), graphs, "Email") == {0: (person, person != device)}


def test_a_blank_device_is_nobodys():
    assert stitched(devices(None), [{("ECID", "1"), ("Email", "a")}], "Email") == {0: (None, False)}


def test_a_device_that_is_called_like_a_person_is_known_where_the_graph_says_so():
    graph = {("ECID", "x"), ("Email", "x")}
    assert stitched(devices("x", "y"), [graph], "Email") == {0: ("x", True), 1: ("y", False)}
