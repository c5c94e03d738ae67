"""Links between numbered identities: which ones a record makes, and several sights of a link as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

from stitching.devices import grouped
from stitching.names import Codes

_Numbers: TypeAlias = npt.NDArray[np.int64]
_Flags: TypeAlias = npt.NDArray[np.bool_]
_Array: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Links:
    """L links.

    Attributes:
        ends: int32[L], the nodes of higher priority.
        others: int32[L], the nodes that these are linked to.
        first: int64[L] µs, the earliest record that showed the link.
        last: int64[L] µs, the latest one.
        records: int64[L], how many did.
    """

    ends: Codes
    others: Codes
    first: _Numbers
    last: _Numbers
    records: _Numbers

    def __getitem__(self, chosen: _Array) -> Links:
        return Links(
            self.ends[chosen],
            self.others[chosen],
            self.first[chosen],
            self.last[chosen],
            self.records[chosen],
        )


def merged(links: Links, count: int) -> Links:
    """Return each link once, however many sights of it there are.

    Args:
        links: all between nodes below ``count``.
        count: how many nodes there are.
    """
    if not links.ends.size:
        return links
    order = grouped(links.ends, count, links.others.astype(np.int64)).order
    ends, others = links.ends[order], links.others[order]
    fresh = np.ones(order.size, np.bool_)
    fresh[1:] = (ends[1:] != ends[:-1]) | (others[1:] != others[:-1])
    begins = np.flatnonzero(fresh)
    return Links(
        ends[begins],
        others[begins],
        np.minimum.reduceat(links.first[order], begins),
        np.maximum.reduceat(links.last[order], begins),
        np.add.reduceat(links.records[order], begins),
    )


_NUMBERS: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.boolean, 1, "C", readonly=True)


@nb.njit(nogil=True)
def _own(rows: _Array, nodes: Codes, ranks: Codes, unique: _Flags, own: Codes) -> int:
    """Gather the distinct nodes of a record; return how many, or 0 if they are no one person's."""
    found = 0
    for row in rows:
        node = nodes[row]
        if ranks[node] < 0:
            continue
        known = False
        for place in range(found):
            known |= own[place] == node
            if unique[node] and own[place] != node and ranks[own[place]] == ranks[node]:
                return 0
        if known:
            continue
        if found == own.size:
            return 0
        own[found] = node
        found += 1
    return found


@nb.njit(
    nb.boolean[::1](_NUMBERS, _CODES, _CODES, _CODES, _MASK, nb.int64),
    nogil=True,
    cache=True,
)
def rivals(offsets: _Numbers, rows: Codes, nodes: Codes, ranks: Codes, unique: _Flags, most: int) -> _Flags:
    """Return bool[M], the nodes that share the highest priority of a record; arguments as of ``stars``."""
    found, own = np.zeros(ranks.size, np.bool_), np.empty(most, np.int32)
    for record in range(offsets.size - 1):
        count = _own(rows[offsets[record] : offsets[record + 1]], nodes, ranks, unique, own)
        best, several = 0, False
        for place in range(1, count):
            ahead = ranks[own[place]] - ranks[own[best]]
            several = (several and ahead > 0) or ahead == 0
            best = place if ahead < 0 else best
        for place in range(count if several else 0):
            found[own[place]] |= ranks[own[place]] == ranks[own[best]]
    return found


@nb.njit(
    nb.int64(
        _NUMBERS, _CODES, _CODES, _CODES, _MASK, nb.int64, _CODES, nb.int32[::1], nb.int32[::1], nb.int32[::1]
    ),
    nogil=True,
    cache=True,
)
def stars(
    offsets: _Numbers,
    rows: Codes,
    nodes: Codes,
    ranks: Codes,
    unique: _Flags,
    most: int,
    places: Codes,
    ends: Codes,
    others: Codes,
    records: Codes,
) -> int:
    """Link each record's node of highest priority to its others; return how many links. O(N × ``most``).

    Args:
        offsets: int64[R + 1], the places of each record in the rows.
        rows: int32[N], by record.
        nodes: int32[N], the node of each row.
        ranks: int32[M], by node: one per namespace, the most personal lowest; negative outside the graph.
        unique: bool[M], by node: whether a record may have only one node of the namespace.
        most: a record of more nodes than this links nothing.
        places: int32[M], by node: the order of rivals.
        ends: int32[N], the first ones filled.
        others: int32[N], likewise.
        records: int32[N], the record of each link.
    """
    own, found = np.empty(most, np.int32), 0
    for record in range(offsets.size - 1):
        count = _own(rows[offsets[record] : offsets[record + 1]], nodes, ranks, unique, own)
        best = own[0]
        for place in range(1, count):
            node = own[place]
            if ranks[node] < ranks[best] or (ranks[node] == ranks[best] and places[node] < places[best]):
                best = node
        for place in range(count):
            if own[place] != best:
                ends[found], others[found], records[found] = best, own[place], record
                found += 1
    return found
