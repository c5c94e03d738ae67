"""The identity graph: whose identities belong together, by what records showed, and what keeps persons apart.

A record links its identities to the one of highest priority. Links that would put two identities of a unique
namespace together are cut, the least personal and oldest first; graphs that are too large lose what is
least personal and longest unseen. All of it depends on the links alone, not on the order they came in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.components import admitted, components, evicted
from stitching.names import Codes

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

_LEAVES_FIRST: Final = ("partner", "cookie", "device")
_WORD: Final = 64
_KEPT, _CUT, _EVICTED = range(3)

_Flags: TypeAlias = npt.NDArray[np.bool_]
_Array: TypeAlias = np.ndarray[Any, Any]


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
            name of the graph it is in, or null; ``seen`` int64, the time of its newest link. Names are
            those of the lexically smallest member, ``NAMESPACE:VALUE``. In lexical order.
        links: distinct links as ``LINKS``, ``a`` the one of higher priority, and ``state``: ``kept``, ``cut``
            or ``evicted`` (with one of its ends). A cut link says whom it would have put together:
            ``because`` a namespace, ``because_a`` and ``because_b`` its values on either side. In lexical
            order.
    """

    nodes: pl.DataFrame
    links: pl.DataFrame


def links_of(records: pl.DataFrame, rules: Rules, *, most: int = LINKS_PER_BATCH) -> pl.DataFrame:
    """Return the links (``LINKS``) that the records of one batch make.

    Args:
        records: ``record`` int64, ``time`` int64 µs, ``namespace`` and ``value`` strings, not null: the
            valid identities of each record, in any order.
        rules: what keeps persons apart.
        most: how many links of an identity count.
    """
    outside = [namespace for namespace, kind in rules.types.items() if kind in OUTSIDE]
    shown = (
        records.lazy()
        .filter(~pl.col("namespace").is_in(outside))
        .group_by("record", "namespace", "value")
        .agg(pl.col("time").max())
    )
    size, unique = pl.len().over("record"), pl.col("namespace").is_in(list(rules.unique))
    alike = pl.when(unique).then(pl.len().over("record", "namespace")).otherwise(1)
    admissible = shown.filter(size.is_between(2, IDENTITIES_PER_RECORD), (alike.max().over("record") == 1))
    stars = admissible.sort("record", _rank(pl.col("namespace"), rules), "namespace", "value").with_columns(
        namespace_a=pl.col("namespace").first().over("record"),
        value_a=pl.col("value").first().over("record"),
    )
    ends = stars.filter(
        (pl.col("namespace") != pl.col("namespace_a")) | (pl.col("value") != pl.col("value_a"))
    ).rename({"namespace": "namespace_b", "value": "value_b"})
    found = ends.group_by("namespace_a", "value_a", "namespace_b", "value_b").agg(
        first=pl.col("time").min(), last=pl.col("time").max(), records=pl.len().cast(pl.Int64)
    )
    return _newest(found.select(list(LINKS)).collect(), most)


def _rank(namespace: pl.Expr, rules: Rules) -> pl.Expr:
    ranks = {name: place for place, name in enumerate(rules.priority)}
    return namespace.replace_strict(ranks, default=len(ranks), return_dtype=pl.Int32)


def _newest(links: pl.DataFrame, most: int) -> pl.DataFrame:
    """Keep the links that are among the newest of both of their ends."""
    lexical = ["namespace_a", "value_a", "namespace_b", "value_b"]
    order = links.sort("last", *lexical, descending=[True] + 4 * [False]).with_row_index("link")
    ends = pl.concat(
        order.select("link", namespace=f"namespace_{end}", value=f"value_{end}") for end in ("a", "b")
    )
    place = pl.col("link").rank("ordinal").over("namespace", "value")
    beyond = ends.filter(place > most)
    return order.join(beyond, on="link", how="anti").sort(lexical).drop("link")


def resolve(links: pl.DataFrame, rules: Rules) -> Resolved:
    """Return the graphs of links, all of the components that they make.

    Args:
        links: as ``LINKS``, in any order; several rows of a link, either way round, are one.
        rules: what keeps persons apart.
    """
    nodes, merged = _numbered(links, rules)
    ends, others = merged["a"].to_numpy(), merged["b"].to_numpy()
    component = components(ends, others, nodes.height)
    kept = _kept(nodes, merged, component, rules)
    together = components(ends[kept], others[kept], nodes.height)
    leaves = _leaving(nodes, ends[kept], others[kept], together, rules)
    left = kept & ~leaves[ends] & ~leaves[others]
    graph = components(ends[left], others[left], nodes.height)
    states = np.where(left, _KEPT, np.where(kept, _EVICTED, _CUT)).astype(np.uint8)
    return Resolved(
        _named(nodes, component, graph),
        _explained(nodes, merged.with_columns(state=pl.Series(states)), together, rules),
    )


def _numbered(links: pl.DataFrame, rules: Rules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the nodes in lexical order with rank and time, and distinct links between their numbers."""
    ends = [links.select(namespace=f"namespace_{end}", value=f"value_{end}") for end in ("a", "b")]
    nodes = pl.concat(ends).unique().sort("namespace", "value").with_row_index("node")
    nodes = nodes.with_columns(pl.col("node").cast(pl.Int32), rank=_rank(pl.col("namespace"), rules))
    one, other = (
        end.join(nodes, on=["namespace", "value"], how="left", maintain_order="left") for end in ends
    )
    swapped = (one["rank"] > other["rank"]) | ((one["rank"] == other["rank"]) & (one["node"] > other["node"]))
    low = one["node"].zip_with(~swapped, other["node"])
    high = other["node"].zip_with(~swapped, one["node"])
    merged = (
        links.select("first", "last", "records", a=low, b=high)
        .group_by("a", "b")
        .agg(pl.col("first").min(), pl.col("last").max(), pl.col("records").sum())
        .sort("a", "b")
    )
    seen = (
        pl.concat([merged.select("last", node=end) for end in ("a", "b")])
        .group_by("node")
        .agg(seen=pl.col("last").max())
    )
    return nodes.join(seen, on="node", how="left", maintain_order="left"), merged


def _kept(nodes: pl.DataFrame, merged: pl.DataFrame, component: Codes, rules: Rules) -> _Flags:
    """Return the links that stay; only components that hold two identities of a unique namespace lose any."""
    holders = nodes.select("namespace", component=pl.Series(component)).filter(
        pl.col("namespace").is_in(list(rules.unique))
    )
    collapsed = holders.filter(holders.is_duplicated())["component"].unique()
    ends, others = merged["a"].to_numpy(), merged["b"].to_numpy()
    disputed = np.flatnonzero(np.isin(component[ends], collapsed.to_numpy()))
    kept = np.ones(merged.height, np.bool_)
    if disputed.size:
        rank, last = nodes["rank"].to_numpy()[others], merged["last"].to_numpy()
        keys = (others, ends, ~last, rank)
        order = disputed[np.lexsort(tuple(key[disputed] for key in keys))]
        kept[order] = admitted(ends[order], others[order], _holds(nodes, rules))
    return kept


def _holds(nodes: pl.DataFrame, rules: Rules) -> npt.NDArray[np.uint64]:
    """Return uint64[N, W], each node's bit if its namespace is unique."""
    bits = {name: bit for bit, name in enumerate(sorted(rules.unique))}
    found = nodes["namespace"].replace_strict(bits, default=-1, return_dtype=pl.Int64).to_numpy()
    holds = np.zeros((nodes.height, 1 + len(bits) // _WORD), np.uint64)
    rows = np.flatnonzero(found >= 0)
    holds[rows, found[rows] // _WORD] = np.uint64(1) << (found[rows] % _WORD).astype(np.uint64)
    return holds


def _leaving(nodes: pl.DataFrame, ends: Codes, others: Codes, together: Codes, rules: Rules) -> _Flags:
    """Return the nodes that leave graphs which are too large.

    Of those seen last at one time, the one that holds the others together should be the last to go.
    """
    leaves = np.zeros(nodes.height, np.bool_)
    large = np.flatnonzero((np.bincount(together, minlength=1) > rules.limit)[together])
    if not large.size:
        return leaves
    classes = {name: _LEAVES_FIRST.index(kind) for name, kind in rules.types.items() if kind in _LEAVES_FIRST}
    kinds = nodes["namespace"].replace_strict(classes, default=len(_LEAVES_FIRST), return_dtype=pl.Int32)
    keys = (-nodes["rank"].to_numpy(), nodes["seen"].to_numpy(), kinds.to_numpy())
    order = large[np.lexsort((large, *(key[large] for key in keys)))]
    places = np.full(nodes.height, -1, np.int32)
    places[order] = np.arange(order.size, dtype=np.int32)
    inside = places[ends] >= 0
    leaves[order] = evicted(places[ends[inside]], places[others[inside]], order.size, rules.limit)
    return leaves


def _named(nodes: pl.DataFrame, component: Codes, graph: Codes) -> pl.DataFrame:
    """Return nodes with the names of their components and graphs; a graph has two nodes or more."""
    names = nodes.select(name=pl.format("{}:{}", "namespace", "value"))["name"]
    alone = (np.bincount(graph, minlength=1) < 2)[graph]
    inside = pl.Series(graph).set(pl.Series(alone), None)
    return nodes.select(
        "namespace",
        "value",
        component=names.gather(component),
        graph=names.gather(inside),
        seen="seen",
    )


def _explained(nodes: pl.DataFrame, merged: pl.DataFrame, together: Codes, rules: Rules) -> pl.DataFrame:
    """Return links with texts, and for those that were cut whom they would have put together."""
    links = merged.join(
        _reasons(nodes, merged, together, rules), on=["a", "b"], how="left", maintain_order="left"
    )
    ends = {
        f"{part}_{end}": nodes[part].gather(links[end])
        for end in ("a", "b")
        for part in ("namespace", "value")
    }
    state = links["state"].replace_strict(dict(enumerate(STATES.categories)), return_dtype=STATES)
    return links.select(
        **ends,
        first="first",
        last="last",
        records="records",
        state=state,
        because="because",
        because_a="because_a",
        because_b="because_b",
    )


def _reasons(nodes: pl.DataFrame, merged: pl.DataFrame, together: Codes, rules: Rules) -> pl.DataFrame:
    """Return cut links with the most personal namespace that both of their sides hold an identity of.

    Sides only grow, and a link between them stays cut, so what they hold in the end is a reason too.
    """
    holders = (
        nodes.select("namespace", "value", "rank", side=pl.Series(together))
        .filter(pl.col("namespace").is_in(list(rules.unique)))
        .rename({"namespace": "because"})
    )
    cut = merged.filter(pl.col("state") == _CUT).select("a", "b")
    sides = {f"side_{end}": pl.Series(together).gather(cut[end]) for end in ("a", "b")}
    return (
        cut.with_columns(**sides)
        .join(holders.rename({"side": "side_a", "value": "because_a"}), on="side_a")
        .join(holders.select("because", side_b="side", because_b="value"), on=["side_b", "because"])
        .sort("rank", "because")
        .unique(["a", "b"], keep="first", maintain_order=True)
        .select("a", "b", "because", "because_a", "because_b")
    )


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
    known = inside.join(firsts, on="graph").select("namespace", "value", "person")
    found = identities.select("namespace", "value").join(
        known, on=["namespace", "value"], how="left", maintain_order="left"
    )
    return found["person"]
