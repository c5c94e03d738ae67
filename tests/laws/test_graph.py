"""The identity graph against its oracle, and the laws that it obeys on any records."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl
from hypothesis import given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from stitching.graph import LINKS, Rules, links_of, lookup, resolve, unlinked
from tests.oracle import graph as oracle

RECORDS = {"record": pl.Int64, "time": pl.Int64, "namespace": pl.String, "value": pl.String}
TYPES = {"C": "cross_device", "M": "email", "P": "phone", "D": "device", "E": "cookie", "N": "non_people"}
NAMESPACES = [*TYPES, "X"]
few = with_settings(max_examples=40)
PARTS = ("namespace", "value")
SETTINGS = oracle.Settings(["C", "E"], frozenset("C"), TYPES, 50)


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
    unique = draw(st.frozensets(st.sampled_from(["C", "M", "X", "D", "N"]), max_size=3))
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


def answers(found):
    """What is said of each identity, and of each pair."""
    nodes = {(row[0], row[1]): row[2:] for row in found.nodes.iter_rows()}
    return nodes, dict(zip(pairs_of(found.links), found.links["state"], strict=True))


def sights(batches, settings):
    """The links of all batches, one row for each sight."""
    rules = Case([], settings, 50).rules
    return pl.concat([links_of(Case(batch, settings, 50).frame, rules) for batch in batches])


def turned(links):
    """The same links, told the other way round."""
    other = {f"{part}_{end}": f"{part}_{back}" for part in PARTS for end, back in ("ab", "ba")}
    return links.rename(other).select(list(LINKS))


@given(cases())
def test_graphs_agree_with_the_oracle(case):
    right = oracle.resolve(pairs_of(case.links).items(), case.settings)
    found = resolve(case.links, case.rules)
    nodes, states = answers(found)
    assert nodes == {
        one: (named(right.component[one]), named(right.graph[one]), right.seen[one], one in right.evicted)
        for one in right.seen
    }
    assert states == right.states
    assert pairs_of(found.links) == right.links


@few
@given(cases())
def test_records_link_nothing_for_a_reason(case):
    found = dict(unlinked(case.frame, case.rules).iter_rows())
    for place, (_, identities) in enumerate(case.records):
        linked = bool(oracle.star(identities, case.settings))
        assert (place in found) == (bool(identities) and not linked)


@few
@given(st.lists(records(4), max_size=4), settings(), st.randoms())
def test_neither_the_order_of_records_nor_the_batches_they_came_in_matter(batches, chosen, random):
    together = [record for batch in batches for record in batch]
    case = Case(random.sample(together, len(together)), chosen, 50)
    expected = resolve(case.links, case.rules)
    several = sights([*batches, []], chosen)
    found = resolve(several.sample(fraction=1, shuffle=True, seed=random.randrange(99)), case.rules)
    assert answers(found) == answers(expected)
    assert pairs_of(found.links) == pairs_of(expected.links)


@few
@given(cases())
def test_a_link_told_the_other_way_round_or_twice_is_the_same_link(case):
    twice = pl.concat([case.links, turned(case.links)])
    assert answers(resolve(twice, case.rules)) == answers(resolve(case.links, case.rules))


@few
@given(cases())
def test_what_was_merged_resolves_to_itself(case):
    found = resolve(case.links, case.rules)
    again = resolve(found.links.select(list(LINKS)), case.rules)
    assert again.nodes.equals(found.nodes)
    assert again.links.equals(found.links)


@few
@given(records(), records(4), settings())
def test_records_change_only_the_components_that_they_touch(before, more, chosen):
    case = Case(before, chosen, 50)
    links, added = case.links, Case(more, chosen, 50).links
    first, then = resolve(links, case.rules), resolve(pl.concat([links, added]), case.rules)
    touched = {end for pair in pairs_of(added) for end in pair}
    components = {first[0] for one, first in answers(then)[0].items() if one in touched}
    nodes, after = answers(first)[0], answers(then)[0]
    for one, said in after.items():
        assert said[0] in components or nodes[one] == said


@few
@given(cases())
def test_a_component_resolves_alone_as_among_others(case):
    whole = resolve(case.links, case.rules)
    component = whole.links.join(
        whole.nodes.rename({"namespace": "namespace_a", "value": "value_a"}), on=["namespace_a", "value_a"]
    )["component"]
    for name in component.unique():
        alone = resolve(whole.links.filter(component == name).select(list(LINKS)), case.rules)
        assert alone.nodes.equals(whole.nodes.filter(pl.col("component") == name))
        assert alone.links.equals(whole.links.filter(component == name))


@few
@given(cases())
def test_graphs_are_small_connected_parts_without_two_of_a_unique_namespace(case):
    found = resolve(case.links, case.rules)
    nodes, states = answers(found)
    graphs = {}
    for one, (_, graph, *_) in nodes.items():
        graphs.setdefault(graph, set()).add(one)
    graphs.pop(None, None)
    kept = [pair for pair, state in states.items() if state == "kept"]
    inside = {one for graph in graphs.values() for one in graph}
    assert {frozenset(graph) for graph in oracle.groups(inside, kept)} == set(map(frozenset, graphs.values()))
    for name, graph in graphs.items():
        assert 2 <= len(graph) <= case.settings.limit
        assert name == named(min(graph))
        unique = [namespace for namespace, _ in graph if namespace in case.settings.unique]
        assert len(unique) == len(set(unique))


@few
@given(cases())
def test_a_cut_link_names_two_that_must_stay_apart(case):
    found = resolve(case.links, case.rules)
    for row in found.links.iter_rows(named=True):
        if row["state"] == "cut":
            assert row["because"] in case.settings.unique
            assert row["because_a"] != row["because_b"]
        else:
            assert row["because"] is row["because_a"] is row["because_b"] is None


@given(cases(), st.lists(identities(), max_size=6), st.sampled_from(NAMESPACES))
def test_lookups_agree_with_the_oracle(case, asked, wanted):
    right = oracle.resolve(pairs_of(case.links).items(), case.settings)
    frame = pl.DataFrame(asked, schema={"namespace": pl.String, "value": pl.String}, orient="row")
    found = lookup(resolve(case.links, case.rules).nodes, frame, wanted)
    assert found.to_list() == [oracle.lookup(right, one, wanted) for one in asked]


def test_records_of_too_many_identities_link_nothing():
    case = Case([(0, [("E", str(value)) for value in range(20)])], SETTINGS, 50)
    assert case.links.height == 19
    too_many = [(0, [("E", str(value)) for value in range(21)])]
    assert replace(case, records=too_many).links.is_empty()
    assert unlinked(replace(case, records=too_many).frame, case.rules)["reason"].to_list() == [
        "21 identities, more than 20"
    ]
    with_a_stranger = [("N", "0"), *(("E", str(value)) for value in range(20))]
    assert replace(case, records=[(0, with_a_stranger)]).links.height == 19


def test_a_batch_gives_an_identity_its_newest_links():
    shown = [(time, [("C", "c"), ("E", str(time))]) for time in range(60)]
    assert Case(shown, SETTINGS, 50).links["first"].sort().to_list() == list(range(10, 60))


def test_more_unique_namespaces_than_a_word_has_bits():
    many = [f"U{place}" for place in range(130)]
    chosen = oracle.Settings([], frozenset(many), {}, 50)
    shown = [(time, [(namespace, end), ("E", "1")]) for time, namespace in enumerate(many) for end in "xy"]
    case = Case(shown, chosen, 1000)
    right = oracle.resolve(pairs_of(case.links).items(), replace(chosen, limit=1000))
    found = resolve(case.links, Rules((), frozenset(many), {}, 1000))
    assert answers(found)[1] == right.states
    assert found.links["state"].value_counts().height == 2


def test_names_with_colons_are_names_of_their_own():
    records = [(0, [("a:b", "c"), ("z", "1")]), (0, [("a", "b:c"), ("z", "2")])]
    found = resolve(Case(records, SETTINGS, 50).links, Rules(("Z",), frozenset(), {}))
    assert found.nodes["graph"].n_unique() == 2


def test_a_public_device_is_its_last_visitors():
    count = 5_000
    shown = [(time, [("C", f"c{time:05}"), ("E", "kiosk")]) for time in range(count)]
    case = Case(shown, SETTINGS, count)
    found = resolve(case.links, case.rules)
    assert found.nodes.drop_nulls("graph")["value"].sort().to_list() == [f"c{count - 1:05}", "kiosk"]
    assert found.links["state"].value_counts().sort("state").rows() == [("kept", 1), ("cut", count - 1)]
