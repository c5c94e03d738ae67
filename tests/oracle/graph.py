"""The identity graph as its rules word it: one record, one link and one node at a time.

An identity is a tuple (namespace, value); a record is a pair of a time and its identities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Identity = tuple[str, str]
Record = tuple[int, Sequence[Identity]]
Pair = tuple[Identity, Identity]

_LEAVES_FIRST = ("partner", "cookie", "device")
_OUTSIDE = ("non_people", "partner")


@dataclass(frozen=True)
class Settings:
    priority: Sequence[str]
    unique: frozenset[str]
    types: Mapping[str, str]
    limit: int = 50


@dataclass
class Link:
    first: int
    last: int
    records: int


@dataclass
class Graphs:
    """Whom each identity belongs with: its raw component, its graph (None in none), each link's state."""

    component: dict[Identity, Identity]
    graph: dict[Identity, Identity | None]
    seen: dict[Identity, int]
    evicted: set[Identity]
    states: dict[Pair, str] = field(default_factory=dict)
    links: dict[Pair, Link] = field(default_factory=dict)


def links_of(records: Iterable[Record], settings: Settings, most: int = 50) -> dict[Pair, Link]:
    """Return the links that the records of one batch make."""
    links: dict[Pair, Link] = {}
    for time, identities in records:
        for pair in star(identities, settings):
            add(links, pair, Link(time, time, 1))
    return {
        pair: link for pair, link in links.items() if all(pair in newest(links, end, most) for end in pair)
    }


def star(identities: Iterable[Identity], settings: Settings) -> list[Pair]:
    """Return the links of one record."""
    known = {
        identity for identity in identities if settings.types.get(identity[0], "cross_device") not in _OUTSIDE
    }
    if not 2 <= len(known) <= 20:
        return []
    for namespace in settings.unique:
        if len([identity for identity in known if identity[0] == namespace]) > 1:
            return []
    best, *others = sorted(known, key=lambda identity: standing(identity, settings))
    return [(best, other) for other in others]


def standing(identity: Identity, settings: Settings) -> tuple[int, Identity]:
    """Return what identities are ordered by: priority of the namespace, namespace, value."""
    return rank(identity, settings), identity


def rank(identity: Identity, settings: Settings) -> int:
    namespaces = list(settings.priority)
    return namespaces.index(identity[0]) if identity[0] in namespaces else len(namespaces)


def newest(links: Mapping[Pair, Link], end: Identity, most: int) -> list[Pair]:
    """Return the newest links of one identity."""
    own = [pair for pair in links if end in pair]
    return sorted(own, key=lambda pair: (-links[pair].last, pair))[:most]


def add(links: dict[Pair, Link], pair: Pair, link: Link) -> None:
    """Put one more sight of a link to those there are."""
    before = links.get(pair)
    if before is None:
        links[pair] = link
    else:
        links[pair] = Link(
            min(before.first, link.first), max(before.last, link.last), before.records + link.records
        )


def resolve(sights: Iterable[tuple[Pair, Link]], settings: Settings) -> Graphs:
    """Return the graphs of all links, each of which may have been seen several times, either way round."""
    links: dict[Pair, Link] = {}
    for (one, other), link in sights:
        low, high = sorted((one, other), key=lambda identity: standing(identity, settings))
        add(links, (low, high), link)
    identities = {identity for pair in links for identity in pair}
    component = named(groups(identities, links))
    seen = {
        identity: max(link.last for pair, link in links.items() if identity in pair)
        for identity in identities
    }
    kept = resolved(identities, links, settings)
    evicted = evictions(groups(identities, kept), kept, seen, settings)
    left = [pair for pair in kept if not evicted & set(pair)]
    graph = {
        identity: name
        for group in groups(identities - evicted, left)
        if len(group) > 1
        for identity, name in named([group]).items()
    }
    states = {pair: "cut" if pair not in kept else "kept" if pair in left else "evicted" for pair in links}
    return Graphs(component, {one: graph.get(one) for one in identities}, seen, evicted, states, links)


def resolved(identities: Iterable[Identity], links: Mapping[Pair, Link], settings: Settings) -> list[Pair]:
    """Return the links that collapse no two identities of a unique namespace."""
    kept: list[Pair] = []
    for pair in sorted(links, key=lambda pair: (rank(pair[1], settings), -links[pair].last, pair)):
        group = next(group for group in groups(identities, [*kept, pair]) if pair[0] in group)
        collapses = any(
            len([identity for identity in group if identity[0] == namespace]) > 1
            for namespace in settings.unique
        )
        if not collapses:
            kept.append(pair)
    return kept


def evictions(
    graphs: Iterable[set[Identity]],
    kept: Sequence[Pair],
    seen: Mapping[Identity, int],
    settings: Settings,
) -> set[Identity]:
    """Return who must leave, one after the other, until no graph is too large."""
    evicted: set[Identity] = set()
    waiting = list(graphs)
    while waiting:
        graph = waiting.pop()
        if len(graph) <= settings.limit:
            continue
        leaves = min(graph, key=lambda one: (leaving(one, settings), seen[one], -rank(one, settings), one))
        evicted.add(leaves)
        rest = graph - {leaves}
        waiting += groups(rest, [pair for pair in kept if set(pair) <= rest])
    return evicted


def leaving(identity: Identity, settings: Settings) -> int:
    kind = settings.types.get(identity[0], "cross_device")
    return _LEAVES_FIRST.index(kind) if kind in _LEAVES_FIRST else len(_LEAVES_FIRST)


def groups(identities: Iterable[Identity], links: Iterable[Pair]) -> list[set[Identity]]:
    """Return the connected components."""
    group_of = {identity: {identity} for identity in identities}
    for one, other in links:
        if group_of[one] is not group_of[other]:
            both = group_of[one] | group_of[other]
            group_of.update(dict.fromkeys(both, both))
    return list({id(group): group for group in group_of.values()}.values())


def named(found: Iterable[set[Identity]]) -> dict[Identity, Identity]:
    return {identity: min(group) for group in found for identity in group}


def lookup(graphs: Graphs, identity: Identity, wanted: str) -> str | None:
    """Return the lexically first value of a namespace in the graph of an identity."""
    name = graphs.graph.get(identity)
    if name is None:
        return None
    values = [
        value for (namespace, value), own in graphs.graph.items() if own == name and namespace == wanted
    ]
    return min(values, default=None)
