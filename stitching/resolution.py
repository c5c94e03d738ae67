"""Which links are cut to keep persons apart, which identities leave graphs that are too large, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from stitching.components import admitted, evicted
from stitching.devices import grouped
from stitching.links import Links
from stitching.names import Codes
from stitching.nodes import Nodes, lexical

_Array: TypeAlias = np.ndarray[Any, Any]
_Flags: TypeAlias = npt.NDArray[np.bool_]

_WORD = 64


@dataclass(frozen=True)
class Ranked:
    """Links between nodes, and what decides between them.

    Attributes:
        nodes: N of them.
        links: L, each once.
        rank: int32[N], the priority of each node's namespace, the most personal lowest.
        seen: int64[N] µs, the time of each node's newest link.
        unique: bool[N], whether a graph holds one node of the namespace at most.
    """

    nodes: Nodes
    links: Links
    rank: Codes
    seen: npt.NDArray[np.int64]
    unique: _Flags


def kept(ranked: Ranked, component: Codes) -> _Flags:
    """Return bool[L], the links that stay; only components with two nodes of a unique namespace lose any.

    Args:
        ranked: the links.
        component: int32[N], a node of each raw component.
    """
    links = ranked.links
    disputed = np.flatnonzero(_collapsed(ranked, component)[component[links.ends]])
    stays = np.ones(links.ends.size, np.bool_)
    if disputed.size:
        order = disputed[_order(ranked, links[disputed], component)]
        stays[order] = admitted(links.ends[order], links.others[order], _holds(ranked))
    return stays


def _collapsed(ranked: Ranked, component: Codes) -> _Flags:
    """Return bool[N], by number of component: whether it holds two nodes of a unique namespace."""
    found = np.zeros(component.size, np.bool_)
    holders = np.flatnonzero(ranked.unique)
    space = ranked.nodes.space[holders]
    for one in np.unique(space):
        found |= np.bincount(component[holders[space == one]], minlength=component.size) > 1
    return found


def _order(ranked: Ranked, links: Links, component: Codes) -> _Array:
    """Return the order of admission: by component, the most personal first, then the newest."""
    ranks = int(ranked.rank.max()) + 1
    disputed = np.zeros(component.size, np.bool_)
    disputed[component[links.ends]] = True
    dense = np.cumsum(disputed) - 1
    group = (dense[component[links.ends]] * ranks + ranked.rank[links.others]).astype(np.int32)
    order = grouped(group, (dense[-1] + 1) * ranks, ~links.last).order
    alike = (group[order][1:] == group[order][:-1]) & (links.last[order][1:] == links.last[order][:-1])
    if alike.any():
        tied = np.flatnonzero(np.append(alike, False) | np.append(False, alike))
        ends, others = links.ends[order[tied]], links.others[order[tied]]
        places = lexical(ranked.nodes, np.concatenate([ends, others]))
        run = np.cumsum(~np.append(False, alike))[tied]
        order[tied] = order[tied[np.lexsort((places[others], places[ends], run))]]
    return order


def _holds(ranked: Ranked) -> npt.NDArray[np.uint64]:
    """Return uint64[N, W], a bit for each node of a unique namespace."""
    holders = np.flatnonzero(ranked.unique)
    present, bits = np.unique(ranked.nodes.space[holders], return_inverse=True)
    holds = np.zeros((len(ranked.nodes), 1 + present.size // _WORD), np.uint64)
    holds[holders, bits // _WORD] = np.uint64(1) << (bits % _WORD).astype(np.uint64)
    return holds


def evictions(ranked: Ranked, stays: _Flags, graph: Codes, class_: Codes, limit: int) -> _Flags:
    """Return bool[N], the nodes that leave graphs which are too large.

    Of those last seen at one time the least personal leaves first: others hang together by the most personal.

    Args:
        ranked: the links.
        stays: bool[L], those that are not cut.
        graph: int32[N], a node of what these hold together.
        class_: int32[N], the lowest leave first.
        limit: how many nodes a graph may have.
    """
    leaves = np.zeros(graph.size, np.bool_)
    large = np.flatnonzero((np.bincount(graph, minlength=1) > limit)[graph])
    if not large.size:
        return leaves
    places = lexical(ranked.nodes, large)
    keys = (places, -ranked.rank, ranked.seen, class_)
    order = large[np.lexsort(tuple(key[large] for key in keys))]
    turn = np.full(graph.size, -1, np.int32)
    turn[order] = np.arange(order.size, dtype=np.int32)
    ends, others = turn[ranked.links.ends[stays]], turn[ranked.links.others[stays]]
    leaves[order] = evicted(ends[ends >= 0], others[ends >= 0], order.size, limit)
    return leaves


def reasons(ranked: Ranked, cut: _Array, graph: Codes) -> pl.DataFrame:
    """Return whom links would have put together: ``because``, ``because_a``, ``because_b``; L rows, or nulls.

    Sides only grow, and a link between them stays cut, so what they hold in the end is a reason too.

    Args:
        ranked: the links.
        cut: places of those that were cut.
        graph: int32[N], a node of what the others hold together.
    """
    nodes, links = ranked.nodes, ranked.links
    holders = np.flatnonzero(ranked.unique)
    held = pl.DataFrame(
        {
            "rank": ranked.rank[holders],
            "space": nodes.space[holders],
            "side": graph[holders],
            "node": holders,
        }
    )
    ends = {"link": cut, "side_a": graph[links.ends[cut]], "side_b": graph[links.others[cut]]}
    found = (
        pl.DataFrame(ends)
        .join(held.rename({"side": "side_a", "node": "a"}), on="side_a")
        .join(held.select("space", side_b="side", b="node"), on=["side_b", "space"])
        .sort("rank", "space")
        .unique("link", keep="first")
    )
    one, other = (np.full(links.ends.size, -1, np.int32) for _ in range(2))
    one[found["link"]], other[found["link"]] = found["a"], found["b"]
    return pl.DataFrame(
        {
            "because": nodes.gather("namespace", one),
            "because_a": nodes.gather("value", one),
            "because_b": nodes.gather("value", other),
        }
    )
