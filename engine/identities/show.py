"""The graph of one identity as a person wants to see it: now, and after each batch that changed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

import polars as pl

from engine.definitions.identity import Identity
from engine.definitions.model import Definitions
from engine.errors import UnknownNameError, UnsupportedError, did_you_mean
from engine.identities import evidence, graphs, table
from engine.identities.evidence import ENDS, EVIDENCE
from engine.world import Home, World
from stitching.graph import Rules
from stitching.identity import BETWEEN, joined

_ALIKE: Final = 10_000
"""How many values are compared when one is not known."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Node:
    """An identity of a graph.

    Attributes:
        type: of its namespace.
        seen: when a record last linked it.
    """

    namespace: str
    value: str
    type: str
    seen: datetime


@dataclass(frozen=True)
class Sight:
    """What one batch says of a link.

    Attributes:
        records: how many of its records show it.
    """

    dataset: str
    batch: int
    first: datetime
    last: datetime
    records: int


@dataclass(frozen=True)
class Link:
    """Two identities that records show together, the one of higher priority first.

    Attributes:
        state: ``kept``, ``cut``, or ``evicted`` with one of its ends.
        reason: why it does not count; None if it does.
        sights: the batches that say so, in the order of datasets and numbers.
    """

    a: Identity
    b: Identity
    state: str
    reason: str | None
    sights: tuple[Sight, ...]

    @property
    def first(self) -> datetime:
        """When records first showed it."""
        return min(sight.first for sight in self.sights)

    @property
    def last(self) -> datetime:
        """When records last showed it."""
        return max(sight.last for sight in self.sights)


@dataclass(frozen=True)
class Graph:
    """The graph of an identity.

    Attributes:
        identity: the one that was asked for.
        nodes: the graph's identities, the highest priority first; the identity alone if it is in none.
        links: links between them that count.
        cut: links of theirs that do not.
    """

    identity: Identity
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    cut: tuple[Link, ...]


@dataclass(frozen=True)
class Moment:
    """What a graph was once a batch had come.

    Attributes:
        at: when the batch came.
    """

    dataset: str
    batch: int
    at: datetime
    graph: Graph


def graph_of(home: Home, world: World, identity: Identity) -> Graph:
    """Return the graph of an identity in a world.

    Raises:
        UnsupportedError: the home has no identity graph.
        UnknownNameError: no record links the identity.
    """
    links = _component(home, world, identity)
    return _graph(identity, links, evidence.graph_rules(world.definitions))


def history(home: Home, world: World, identity: Identity) -> tuple[Moment, ...]:
    """Return what the graph of an identity was after each batch that changed it, oldest first.

    It is made of the batches that the world shows, with the rules of the world: what was reverted since
    never was.

    Raises:
        UnsupportedError, UnknownNameError: as of ``graph_of``.
    """
    known = _component(home, world, identity).select(list(EVIDENCE))
    rules, moments = evidence.graph_rules(world.definitions), list[Moment]()
    arrivals = _arrivals(home, known)
    order = pl.DataFrame(list(arrivals), {"dataset": pl.String, "batch": pl.Int64}, orient="row")
    for count, ((dataset, batch), at) in enumerate(arrivals.items(), start=1):
        so_far = known.join(order.head(count), on=["dataset", "batch"], how="semi")
        if so_far.filter(_mentions([identity])).height:
            graph = _graph(identity, graphs.drawn(so_far, rules), rules)
            if not moments or moments[-1].graph != graph:
                moments.append(Moment(dataset, batch, at, graph))
    return tuple(moments)


def _arrivals(home: Home, known: pl.DataFrame) -> Mapping[tuple[str, int], datetime]:
    """Return when the batches of evidence came, in that order."""
    told = {(dataset, batch) for dataset, batch in known.select("dataset", "batch").unique().iter_rows()}
    records = [record for name in sorted(known["dataset"].unique()) for record in home.catalog.batches(name)]
    came = sorted(records, key=lambda record: (record.started_at, record.dataset, record.number))
    places = {(record.dataset, record.number): record.started_at for record in came}
    return {place: at for place, at in places.items() if place in told}


def _component(home: Home, world: World, identity: Identity) -> pl.DataFrame:
    """Return the links (``table.LINKS``) of all that an identity is linked to, over cut links too."""
    if world.identities is None:
        raise UnsupportedError(
            "this home has no identity graph", hint="Give its definitions identities: and apply them."
        )
    path, version = home.identities_path(), world.identities
    asked = pl.DataFrame([identity], ["namespace", "value"], orient="row")
    known = table.identities(path, version, asked)
    if not known.height:
        raise _unknown(home, world.definitions, version, identity)
    return table.links(path, version, known["component"])


def _unknown(home: Home, definitions: Definitions, version: int, identity: Identity) -> UnknownNameError:
    namespace, value = identity
    message = f"no record links {namespace}:{value} to another identity"
    values = table.values(home.identities_path(), version, namespace)
    if not len(values):
        return UnknownNameError(message, hint=did_you_mean(namespace, definitions.namespace_types()))
    alike = values.filter(values.str.to_lowercase().str.starts_with(value[:2].lower()))
    return UnknownNameError(message, hint=did_you_mean(value, (alike if len(alike) else values).head(_ALIKE)))


def _graph(identity: Identity, links: pl.DataFrame, rules: Rules) -> Graph:
    """Pick the graph of an identity from its component."""
    own = links.filter(_mentions([identity]))["graph"].drop_nulls()
    inside = links.filter(pl.col("graph") == own[0]) if len(own) else links.clear()
    members = [*evidence.identities_of(inside).iter_rows()] or [identity]
    around = links.filter(_mentions(members))
    return Graph(
        identity,
        tuple(sorted(_nodes(around, members, rules), key=lambda node: _standing(node, rules))),
        tuple(_links(inside, rules)),
        tuple(_links(around.filter(pl.col("state") != "kept"), rules)),
    )


def _mentions(identities: Iterable[Identity]) -> pl.Expr:
    """Return the condition that one end of a link is among identities."""
    wanted = pl.Series([BETWEEN.join(identity) for identity in identities], dtype=pl.String).implode()
    one, other = (joined(pl.col(f"namespace_{end}"), pl.col(f"value_{end}")).is_in(wanted) for end in "ab")
    return one | other


def _nodes(links: pl.DataFrame, members: Iterable[Identity], rules: Rules) -> Iterator[Node]:
    ends = [links.select("last", namespace=f"namespace_{end}", value=f"value_{end}") for end in "ab"]
    seen = {
        (namespace, value): last
        for namespace, value, last in pl.concat(ends)
        .group_by("namespace", "value")
        .agg(pl.col("last").max())
        .iter_rows()
    }
    for namespace, value in members:
        kind = rules.types.get(namespace, "cross_device")
        yield Node(namespace, value, kind, _moment(seen[namespace, value]))


def _standing(node: Node, rules: Rules) -> tuple[int, str, str]:
    ranks = {namespace: place for place, namespace in enumerate(rules.priority)}
    return ranks.get(node.namespace, len(ranks)), node.namespace, node.value


def _links(links: pl.DataFrame, rules: Rules) -> Iterator[Link]:
    """Yield the links of evidence (``table.LINKS``) in lexical order."""
    ordered = links.sort(*ENDS, "dataset", "batch")
    for _, rows in groupby(ordered.iter_rows(named=True), lambda row: tuple(row[end] for end in ENDS)):
        told = [*rows]
        one, sights = told[0], tuple(map(_sight, told))
        a, b = ((one[f"namespace_{end}"], one[f"value_{end}"]) for end in "ab")
        yield Link(a, b, one["state"], _reason(one, rules), sights)


def _sight(row: Mapping[str, Any]) -> Sight:
    first, last = _moment(row["first"]), _moment(row["last"])
    return Sight(row["dataset"], row["batch"], first, last, row["records"])


def _reason(row: Mapping[str, Any], rules: Rules) -> str | None:
    if row["state"] == "evicted":
        return f"one of them left a graph of more than {rules.limit}"
    if row["state"] == "cut":
        space = row["because"]
        return f"would put {space}:{row['because_a']} and {space}:{row['because_b']} together"
    return None


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
