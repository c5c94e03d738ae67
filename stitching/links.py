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

    def __getitem__(self, chosen: _Array | slice) -> Links:
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
    ends, others = np.empty_like(links.ends), np.empty_like(links.others)
    first, last, records = (np.empty_like(links.first) for _ in range(3))
    found = _merge(
        order,
        links.ends,
        links.others,
        links.first,
        links.last,
        links.records,
        ends,
        others,
        first,
        last,
        records,
    )
    return Links(ends, others, first, last, records)[:found]


_NUMBERS: Final = nb.types.Array(nb.int64, 1, "C", readonly=True)
_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.boolean, 1, "C", readonly=True)


@nb.njit(
    nb.int64(
        _CODES,
        _CODES,
        _CODES,
        _NUMBERS,
        _NUMBERS,
        _NUMBERS,
        nb.int32[::1],
        nb.int32[::1],
        nb.int64[::1],
        nb.int64[::1],
        nb.int64[::1],
    ),
    nogil=True,
    cache=True,
)
def _merge(
    order: Codes,
    sight_ends: Codes,
    sight_others: Codes,
    sight_first: _Numbers,
    sight_last: _Numbers,
    sight_records: _Numbers,
    ends: Codes,
    others: Codes,
    first: _Numbers,
    last: _Numbers,
    records: _Numbers,
) -> int:
    """Make one link of neighbours in the order that are sights of the same; return how many. O(L).

    Args:
        order: int32[L], the sights by their ends.
        sight_ends: int32[L]; this and the next four as in ``Links``, by sight.
        sight_others: int32[L].
        sight_first: int64[L].
        sight_last: int64[L].
        sight_records: int64[L].
        ends: int32[L], the first ones filled; this and the next four by link.
        others: int32[L].
        first: int64[L].
        last: int64[L].
        records: int64[L].
    """
    found = -1
    for sight in order:
        if found < 0 or ends[found] != sight_ends[sight] or others[found] != sight_others[sight]:
            found += 1
            ends[found], others[found] = sight_ends[sight], sight_others[sight]
            first[found], last[found] = sight_first[sight], sight_last[sight]
            records[found] = sight_records[sight]
        else:
            first[found] = min(first[found], sight_first[sight])
            last[found] = max(last[found], sight_last[sight])
            records[found] += sight_records[sight]
    return found + 1


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
