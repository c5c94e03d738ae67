"""The identity graph: whose identities belong together, by what records showed, and what keeps persons apart.

A record links its identities to the one of highest priority. Links that would put two identities of a unique
namespace together are cut, the least personal and oldest first; graphs that are too large lose what is
least personal and longest unseen. All of it depends on the links alone, not on the order they came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.components import components
from stitching.devices import Timelines, grouped
from stitching.identity import BETWEEN
from stitching.links import Links, merged, rivals, stars
from stitching.names import Codes
from stitching.nodes import Nodes, lexical, nodes_of, smallest
from stitching.resolution import Ranked, evictions, kept, reasons

LINKS_PER_BATCH: Final = 50
"""How many links a batch may give an identity; the newest count."""

IDENTITIES_PER_RECORD: Final = 20
"""A record that shows more identities than this is no one person's."""

OUTSIDE: Final = frozenset({"non_people", "partner"})
"""Types of namespaces that never enter the graph."""

LINKS: Final = pl.Schema(
    {
        "namespace_a": pl.String,
        "value_a": pl.String,
        "namespace_b": pl.String,
        "value_b": pl.String,
        "first": pl.Int64,
        "last": pl.Int64,
        "records": pl.Int64,
    }
)
"""Links; ``first`` and ``last`` are the times in µs of the records that showed them, ``records`` how many."""

STATES: Final = pl.Enum(["kept", "cut", "evicted"])
"""What became of a link."""

_KEPT, _CUT, _EVICTED = range(3)
_LEAVES_FIRST: Final = ("partner", "cookie", "device")


@dataclass(frozen=True)
class Rules:
    """What keeps persons apart.

    Attributes:
        priority: namespaces, the most personal first; those not named come after all of them.
        unique: namespaces of which a graph holds at most one identity.
        types: the type of each namespace; one without counts as ``cross_device``.
        limit: the most identities of a graph.
    """

    priority: tuple[str, ...]
    unique: frozenset[str]
    types: Mapping[str, str] = field(default_factory=dict)
    limit: int = 50


@dataclass(frozen=True)
class Resolved:
    """The graphs of links.

    Attributes:
        nodes: ``namespace``, ``value``; ``component``, the name of all that any link leads to; ``graph``, the
            name of the graph it is in, or null; ``seen`` int64, the time of its newest link; ``evicted``,
            whether it left a graph that was too large. A name is the lexically smallest member,
            ``NAMESPACE:VALUE``.
        links: distinct links as ``LINKS``, ``a`` the one of higher priority, and ``state``: ``kept``, ``cut``
            or ``evicted`` (with one of its ends). A cut link says whom it would have put together:
            ``because`` a namespace, ``because_a`` and ``because_b`` its values on either side.
    """

    nodes: pl.DataFrame
    links: pl.DataFrame


def links_of(records: pl.DataFrame, rules: Rules, *, most: int = LINKS_PER_BATCH) -> pl.DataFrame:
    """Return the links (``LINKS``) that the records of one batch make, in no order.

    Args:
        records: ``record`` int64, ``time`` int64 µs, ``namespace`` and ``value`` strings, not null: the
            valid identities of each record, in any order; a record has one time.
        rules: what keeps persons apart.
        most: how many links of an identity count.
    """
    codes, nodes = nodes_of(records)
    by_record = _by_record(records["record"].to_numpy())
    ranks = np.where(nodes.among(_outside(rules)), -1, _ranks(nodes, rules)).astype(np.int32)
    shown = (by_record.offsets, by_record.order, codes, ranks, nodes.among(rules.unique))
    places = lexical(nodes, np.flatnonzero(rivals(*shown, IDENTITIES_PER_RECORD)))
    ends, others, owners = (np.empty(codes.size, np.int32) for _ in range(3))
    count = stars(*shown, IDENTITIES_PER_RECORD, places, ends, others, owners)
    times = records["time"].to_numpy()[by_record.firsts][owners[:count]]
    sights = Links(ends[:count], others[:count], times, times, np.ones(count, np.int64))
    return _texts(nodes, _newest(nodes, merged(sights, len(nodes)), most))


def unlinked(records: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Return the records that link nothing, and why: ``record``, ``reason``.

    Args:
        records: as for ``links_of``.
        rules: what keeps persons apart.
    """
    namespace = pl.col("namespace")
    inside = ~namespace.is_in(_outside(rules))
    unique = namespace.filter(inside & namespace.is_in(list(rules.unique)))
    distinct = records.select("record", "namespace", "value").unique()
    found = distinct.group_by("record").agg(
        size=inside.sum(), collapsed=unique.filter(unique.is_duplicated()).min()
    )
    few, many = pl.col("size") < 2, pl.col("size") > IDENTITIES_PER_RECORD
    reason = (
        pl.when(few)
        .then(pl.lit("fewer than two identities"))
        .when(many)
        .then(pl.format("{} identities, more than {}", "size", pl.lit(IDENTITIES_PER_RECORD)))
        .when(pl.col("collapsed").is_not_null())
        .then(pl.format("two identities of {}, which is unique", "collapsed"))
    )
    return found.select("record", reason=reason).drop_nulls("reason").sort("record")


def resolve(links: pl.DataFrame, rules: Rules) -> Resolved:
    """Return the graphs of links, all of the components that they make, in no order.

    Args:
        links: as ``LINKS``, in any order; several rows of a link, either way round, are one.
        rules: what keeps persons apart.
    """
    nodes, distinct = _numbered(links, rules)
    places, classes = _places(rules.priority), _leaving(rules)
    ranked = Ranked(
        nodes,
        distinct,
        nodes.of_spaces(places, len(places)),
        _seen(distinct, len(nodes)),
        nodes.among(rules.unique),
    )
    component = components(distinct.ends, distinct.others, len(nodes))
    stays = kept(ranked, component)
    together = components(distinct.ends[stays], distinct.others[stays], len(nodes))
    leaves = evictions(ranked, stays, together, nodes.of_spaces(classes, len(_LEAVES_FIRST)), rules.limit)
    left = stays & ~leaves[distinct.ends] & ~leaves[distinct.others]
    graph = components(distinct.ends[left], distinct.others[left], len(nodes))
    states = pl.Series("state", np.where(left, _KEPT, np.where(stays, _EVICTED, _CUT)).astype(np.uint8))
    because = reasons(ranked, np.flatnonzero(~stays), together)
    told = [_texts(nodes, distinct), states.cat.to(STATES).to_frame(), because]
    seen = pl.DataFrame({"seen": ranked.seen, "evicted": leaves})
    return Resolved(_named(nodes, component, graph).hstack(seen), pl.concat(told, how="horizontal"))


def lookup(nodes: pl.DataFrame, identities: pl.DataFrame, wanted: str) -> pl.Series:
    """Return for each identity the lexically first value of a namespace in its graph, or null.

    Args:
        nodes: ``namespace``, ``value``, ``graph``, as in ``Resolved.nodes``.
        identities: ``namespace``, ``value`` strings or null, N rows in any order, as often as they please.
        wanted: the namespace.

    Returns:
        N strings or nulls, in the order of the identities.
    """
    inside = nodes.filter(pl.col("graph").is_not_null())
    firsts = inside.filter(pl.col("namespace") == wanted).group_by("graph").agg(person=pl.col("value").min())
    asked = inside.filter(pl.col("namespace").is_in(identities["namespace"].unique().to_list()))
    known = asked.join(firsts, on="graph").select("namespace", "value", "person")
    found = identities.select("namespace", "value").join(
        known, on=["namespace", "value"], how="left", maintain_order="left"
    )
    return found["person"]


def _by_record(records: npt.NDArray[np.int64]) -> Timelines:
    """Return the rows of each record together."""
    order = np.argsort(records, kind="stable").astype(np.int32)
    fresh = np.ones(records.size, np.bool_)
    fresh[1:] = records[order[1:]] != records[order[:-1]]
    return Timelines(np.append(np.flatnonzero(fresh), records.size), order)


def _places(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _leaving(rules: Rules) -> dict[str, int]:
    """Return namespace → how soon its identities leave a graph that is too large."""
    return {name: _LEAVES_FIRST.index(kind) for name, kind in rules.types.items() if kind in _LEAVES_FIRST}


def _outside(rules: Rules) -> list[str]:
    return [name for name, kind in rules.types.items() if kind in OUTSIDE]


def _ranks(nodes: Nodes, rules: Rules) -> Codes:
    """Return int32[N], the priority of each node; namespaces that are not listed follow in lexical order."""
    places = _places(rules.priority)
    order = sorted(nodes.spaces, key=lambda space: (places.get(space, len(places)), space))
    return nodes.of_spaces(_places(order), 0)


def _newest(nodes: Nodes, links: Links, most: int) -> Links:
    """Keep the links that are among the newest of both of their ends."""
    size = np.bincount(links.ends, minlength=len(nodes)) + np.bincount(links.others, minlength=len(nodes))
    crowded = size > most
    rows = np.flatnonzero(crowded[links.ends] | crowded[links.others])
    if not rows.size:
        return links
    busy = links[rows]
    places = lexical(nodes, np.concatenate([busy.ends, busy.others]))
    order = np.lexsort((places[busy.others], places[busy.ends], ~busy.last))
    ends = np.concatenate([busy.ends[order], busy.others[order]])
    by_node = grouped(ends, len(nodes), np.tile(np.arange(order.size), 2))
    place = np.arange(ends.size) - np.repeat(by_node.offsets[:-1], np.diff(by_node.offsets))
    beyond = by_node.order[place >= most] % order.size
    stays = np.ones(links.ends.size, np.bool_)
    stays[rows[order[beyond]]] = False
    return links[stays]


def _numbered(links: pl.DataFrame, rules: Rules) -> tuple[Nodes, Links]:
    """Return the nodes of links, and these as numbers, each once and from its end of higher priority."""
    ends = [links.select(namespace=f"namespace_{end}", value=f"value_{end}") for end in ("a", "b")]
    codes, nodes = nodes_of(pl.concat(ends))
    one, other = codes[: links.height], codes[links.height :]
    ranks = _ranks(nodes, rules)
    ahead = ranks[one] < ranks[other]
    rivals_ = np.flatnonzero(ranks[one] == ranks[other])
    ahead[rivals_] = (ends[0]["value"].gather(rivals_) <= ends[1]["value"].gather(rivals_)).to_numpy()
    numbers = (links[name].to_numpy() for name in ("first", "last", "records"))
    sights = Links(np.where(ahead, one, other), np.where(ahead, other, one), *numbers)
    return nodes, merged(sights, len(nodes))


def _seen(links: Links, count: int) -> npt.NDArray[np.int64]:
    """Return int64[N], the time of the newest link of each node."""
    seen = np.full(count, np.iinfo(np.int64).min)
    for ends in (links.ends, links.others):
        np.maximum.at(seen, ends, links.last)
    return seen


def _texts(nodes: Nodes, links: Links) -> pl.DataFrame:
    """Return links as ``LINKS``."""
    ends = {
        f"{part}_{end}": nodes.gather(part, codes)
        for end, codes in (("a", links.ends), ("b", links.others))
        for part in ("namespace", "value")
    }
    return pl.DataFrame({**ends, "first": links.first, "last": links.last, "records": links.records})


def _names(nodes: Nodes, codes: Codes) -> pl.Series:
    """Return ``NAMESPACE:VALUE`` of nodes, null for negative numbers.

    No two have one name: a colon in a namespace is written otherwise.
    """
    chosen = np.zeros(len(nodes), np.bool_)
    chosen[codes[codes >= 0]] = True
    texts = nodes.texts.filter(pl.Series(chosen))
    namespace = pl.col("namespace").str.replace_all(":", BETWEEN, literal=True)
    names = texts.select(name=pl.concat_str(namespace, pl.lit(":"), "value"))["name"]
    places = pl.Series((np.cumsum(chosen) - 1)[codes])
    return names.gather(places.set(pl.Series(codes < 0), None))


def _named(nodes: Nodes, component: Codes, graph: Codes) -> pl.DataFrame:
    """Return nodes with the names of their components and graphs; a graph has two nodes or more."""
    alone = (np.bincount(graph, minlength=1) < 2)[graph]
    return nodes.texts.with_columns(
        component=_names(nodes, smallest(nodes, component)),
        graph=_names(nodes, np.where(alone, -1, smallest(nodes, graph))),
    )
