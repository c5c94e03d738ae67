"""Union-find over links as numbers: what belongs together, without putting together what must stay apart.

Nodes are numbered in lexical order, and a component's root is its smallest node, which so names it.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

from stitching.names import Codes

_Masks: TypeAlias = npt.NDArray[np.uint64]
_Flags: TypeAlias = npt.NDArray[np.bool_]

_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)


@nb.njit(nogil=True, inline="always")
def _root(parents: Codes, node: int) -> int:
    """Return a node's root; halve its path."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@nb.njit(nb.int32[::1](_CODES, _CODES, nb.int64), nogil=True, cache=True)
def components(ends: Codes, others: Codes, count: int) -> Codes:
    """Return int32[N], the smallest node that links lead to from each node; O((N + L) log N) at worst.

    Args:
        ends: int32[L], one node of each link.
        others: int32[L], the other.
        count: N.
    """
    parents = np.arange(count).astype(np.int32)
    for link in range(ends.size):
        one, other = _root(parents, ends[link]), _root(parents, others[link])
        parents[max(one, other)] = min(one, other)
    # Parents are smaller than their children, so one pass reaches every root.
    for node in range(count):
        parents[node] = parents[parents[node]]
    return parents


@nb.njit(nb.boolean[::1](_CODES, _CODES, nb.uint64[:, ::1]), nogil=True, cache=True)
def admitted(ends: Codes, others: Codes, holds: _Masks) -> _Flags:
    """Return bool[L], the links that put no two identities of a unique namespace together.

    Two different components never share a node, so where both hold a namespace they hold two identities.
    O(N + L log N).

    Args:
        ends: int32[L], one node of each link; earlier links go first.
        others: int32[L], the other.
        holds: uint64[N, W], a bit per unique namespace, that of the node set; afterwards what its component
            holds, if it is a root.
    """
    parents = np.arange(holds.shape[0]).astype(np.int32)
    kept = np.ones(ends.size, np.bool_)
    for link in range(ends.size):
        one, other = _root(parents, ends[link]), _root(parents, others[link])
        if one == other:
            continue
        one, other = min(one, other), max(one, other)
        for word in range(holds.shape[1]):
            kept[link] &= holds[one, word] & holds[other, word] == 0
        if kept[link]:
            parents[other] = one
            for word in range(holds.shape[1]):
                holds[one, word] |= holds[other, word]
    return kept


@nb.njit(nb.boolean[::1](_CODES, _CODES, nb.int64, nb.int64), nogil=True, cache=True)
def evicted(ends: Codes, others: Codes, count: int, limit: int) -> _Flags:
    """Return bool[N], who leaves when every component that is too large loses its first node until it is not.

    That are the nodes which, with all later ones, hang together with more than the limit: whoever is before
    such a node hangs together with as many and leaves before it. O(N + L log N).

    Args:
        ends: int32[L], one node of each link, numbered in the order of leaving.
        others: int32[L], the other.
        count: N.
        limit: how many nodes a component may have.
    """
    starts = np.zeros(count + 1, np.int32)
    for link in range(ends.size):
        starts[min(ends[link], others[link]) + 1] += 1
    starts = np.cumsum(starts).astype(np.int32)
    places, later = starts[:-1].copy(), np.empty(ends.size, np.int32)
    for link in range(ends.size):
        first = min(ends[link], others[link])
        later[places[first]] = max(ends[link], others[link])
        places[first] += 1
    parents, sizes = np.arange(count).astype(np.int32), np.ones(count, np.int32)
    leaves = np.zeros(count, np.bool_)
    for node in range(count - 1, -1, -1):
        for other in later[starts[node] : starts[node + 1]]:
            root = _root(parents, other)
            if root != node:
                parents[root] = node
                sizes[node] += sizes[root]
        leaves[node] = sizes[node] > limit
    return leaves
