"""The identity graph against its oracle, and the laws that it obeys on any records."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stitching.graph import LINKS, Rules, links_of, resolve
from tests.oracle import graph as oracle

RECORDS = {"record": pl.Int64, "time": pl.Int64, "namespace": pl.String, "value": pl.String}
TYPES = {"C": "cross_device", "M": "email", "P": "phone", "D": "device", "E": "cookie", "N": "non_people"}
NAMESPACES = [*TYPES, "X"]
DEVICES = ("E", "D")


@dataclass(frozen=True)
class Case:
    records: list
    settings: oracle.Settings
    most: int

    @property
    def rules(self):
        return Rules(
            tuple(self.settings.priority), self.settings.unique, self.settings.types, self.settings.limit
        )

    @property
    def frame(self):
        rows = [
            (place, time, *identity)
            for place, (time, identities) in enumerate(self.records)
            for identity in identities
        ]
        return pl.DataFrame(rows, schema=RECORDS, orient="row")

    @property
    def links(self):
        return links_of(self.frame, self.rules, most=self.most)


def identities():
    values = st.sampled_from(["1", "2", "3", "é", ""])
    return st.tuples(st.sampled_from([*NAMESPACES, "C", "E", "E"]), values)


def records(size=12):
    times = st.integers(-2, 4) | st.sampled_from([-(2**62), 2**62])
    return st.lists(st.tuples(times, st.lists(identities(), max_size=4)), max_size=size)


@st.composite
def settings(draw):
    priority = draw(st.permutations(["C", "M", "P", "D", "E"]))
    kept = draw(st.integers(0, 5))
    unique = draw(st.frozensets(st.sampled_from(["C", "M", "X", "D"]), max_size=3))
    return oracle.Settings(priority[:kept], unique, TYPES, draw(st.sampled_from([2, 3, 4, 50])))


@st.composite
def cases(draw):
    return Case(draw(records()), draw(settings()), draw(st.sampled_from([1, 2, 50])))


def pairs_of(links):
    return {
        ((row["namespace_a"], row["value_a"]), (row["namespace_b"], row["value_b"])): oracle.Link(
            row["first"], row["last"], row["records"]
        )
        for row in links.iter_rows(named=True)
    }


def named(identity):
    return None if identity is None else ":".join(identity)


@given(cases())
def test_links_agree_with_the_oracle(case):
    assert case.links.schema == LINKS
    assert pairs_of(case.links) == oracle.links_of(case.records, case.settings, case.most)


@given(cases(), st.randoms())
def test_graphs_agree_with_the_oracle(case, random):
    links = case.links
    right = oracle.resolve(pairs_of(links).items(), case.settings)
    found = resolve(links, case.rules)
    nodes = {(row[0], row[1]): row[2:] for row in found.nodes.iter_rows()}
    assert nodes == {
        one: (named(right.component[one]), named(right.graph[one]), right.seen[one]) for one in right.seen
    }
    states = found.links["state"].to_list()
    assert dict(zip(pairs_of(found.links), states, strict=True)) == right.states
    assert pairs_of(found.links) == right.links
