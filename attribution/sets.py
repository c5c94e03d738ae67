"""Sets of items: which ones the paths of a journey have, each distinct one written down once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numba as nb
import numpy as np
import numpy.typing as npt

from attribution.models import Rows, Times, Values
from attribution.spans import Spans

Keys = npt.NDArray[np.uint64]

_ROWS: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_KEYS: Final = nb.types.Array(nb.uint64, 1, "C", readonly=True)
_SEED: Final = 4


class TooLargeError(ValueError):
    """Sets together have more members than was asked for."""


@dataclass(frozen=True)
class Sets:
    """K sets of items, none of them empty.

    Attributes:
        offsets: int64[K + 1]; set k owns the members ``offsets[k]:offsets[k + 1]``.
        members: int32[M], items from 0 up, ascending within a set.
    """

    offsets: Times
    members: Rows

    @property
    def sizes(self) -> Times:
        """int64[K], how many members each has."""
        return np.diff(self.offsets)


def distinct_sets(spans: Spans, items: Rows, distinct: int, most: int) -> tuple[Sets, Rows]:
    """Find the set of items that each span of touches has.

    One pass slides over the touches with a count of each item and a hash of the items that are there, a
    second lists the items of each new set: O(touches + spans + members of the sets).

    Args:
        spans: C spans with a touch at least, ends ascending.
        items: int32[T], the item of each touch.
        distinct: how many items there are.
        most: members that the sets may have together.

    Returns:
        The K distinct sets, and int32[C]: the set of each span.

    Raises:
        TooLargeError: the sets have more members than that.
    """
    hashes, sizes = np.empty(spans.ends.size, np.uint64), np.empty(spans.ends.size, np.int32)
    keys = np.random.default_rng(_SEED).integers(0, 2**63, distinct, np.uint64)
    _hash(spans.begins, spans.ends, items, keys, hashes, sizes)
    _, firsts, of_span = np.unique(hashes, return_index=True, return_inverse=True)
    ends = np.cumsum(sizes[firsts], dtype=np.int64)
    total = int(ends[-1]) if ends.size else 0
    if total > most:
        raise TooLargeError(f"{firsts.size} sets have {total} members")
    places = np.full(spans.ends.size, -1, np.int64)
    places[firsts] = ends - sizes[firsts]
    members = np.empty(total, np.int32)
    _list(spans.begins, spans.ends, items, places, distinct, members)
    return sorted_sets(Sets(np.append(0, ends), members)), of_span.astype(np.int32)


def sorted_sets(sets: Sets, codes: Rows | None = None) -> Sets:
    """Return sets with their members ascending and each there once.

    Args:
        sets: members may be in any order.
        codes: int32[D], what to call each item instead, if anything else; several may become one.
    """
    members = sets.members if codes is None else codes[sets.members]
    owners = np.repeat(np.arange(sets.sizes.size, dtype=np.int64), sets.sizes)
    pairs = np.unique(owners << 32 | members)
    counts = np.bincount(pairs >> 32, minlength=sets.sizes.size)
    return Sets(np.append(0, np.cumsum(counts)), (pairs & 0xFFFFFFFF).astype(np.int32))


def united(parts: Sequence[Sets]) -> tuple[Sets, list[Rows]]:
    """Return the distinct sets of several lists, and for each list where its sets are among them.

    The sets are in lexicographic order of their members, whatever the order of the lists.
    """
    spelled = [_spelled(part) for part in parts]
    known = sorted({text for texts in spelled for text in texts})
    numbers = {text: number for number, text in enumerate(known)}
    offsets = np.append(0, np.cumsum([len(text) // 4 for text in known])).astype(np.int64)
    members = np.frombuffer(b"".join(known), ">i4").astype(np.int32)
    return Sets(offsets, members), [
        np.fromiter((numbers[text] for text in texts), np.int32, len(texts)) for texts in spelled
    ]


def _spelled(sets: Sets) -> list[bytes]:
    """The members of each set as bytes that sort as they do."""
    text, ends = sets.members.astype(">i4").tobytes(), (sets.offsets * 4).tolist()
    return [text[begin:end] for begin, end in pairwise(ends)]


def member_places(sets: Sets, numbers: Rows) -> Times:
    """Return int64[W]: where the members of some sets are, one set after the other."""
    sizes = sets.sizes[numbers]
    skipped = sets.offsets[:-1][numbers] - (np.cumsum(sizes) - sizes)
    places: Times = np.repeat(skipped, sizes) + np.arange(sizes.sum())
    return places


def normalised(offsets: Times, raw: Values) -> Values:
    """Return float64[M]: what each member has of the sum of its set; equal parts where that is zero.

    Args:
        offsets: int64[K + 1]; set k owns the members ``offsets[k]:offsets[k + 1]``, one at least.
        raw: float64[M], not negative.
    """
    if not raw.size:
        return raw
    sizes = np.diff(offsets)
    sums = np.add.reduceat(raw, offsets[:-1])
    nothing = np.repeat(sums <= 0.0, sizes)
    whole = np.repeat(np.where(sums > 0.0, sums, sizes), sizes)
    parts: Values = np.where(nothing, 1.0, raw) / whole
    return parts


@nb.njit(
    nb.void(_ROWS, _ROWS, _ROWS, _KEYS, nb.uint64[::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _hash(begins: Rows, ends: Rows, items: Rows, keys: Keys, hashes: Keys, sizes: Rows) -> None:
    # The hash of a set is the exclusive or of its items' keys, so an item that comes or goes costs one step.
    counts = np.zeros(keys.size, np.int32)
    first, last, size, found = 0, 0, 0, np.uint64(0)
    for span in range(ends.size):
        while last < ends[span]:
            item = items[last]
            counts[item] += 1
            if counts[item] == 1:
                found ^= keys[item]
                size += 1
            last += 1
        while first < begins[span]:
            item = items[first]
            counts[item] -= 1
            if counts[item] == 0:
                found ^= keys[item]
                size -= 1
            first += 1
        hashes[span], sizes[span] = found, size


@nb.njit(
    nb.void(_ROWS, _ROWS, _ROWS, nb.types.Array(nb.int64, 1, "C", readonly=True), nb.int64, nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _list(begins: Rows, ends: Rows, items: Rows, places: Times, distinct: int, members: Rows) -> None:
    # The items that are there stand in a list without gaps: the last one takes the place of one that goes.
    counts, spots = np.zeros(distinct, np.int32), np.zeros(distinct, np.int32)
    there = np.empty(distinct, np.int32)
    first, last, size = 0, 0, 0
    for span in range(ends.size):
        while last < ends[span]:
            item = items[last]
            counts[item] += 1
            if counts[item] == 1:
                there[size], spots[item] = item, size
                size += 1
            last += 1
        while first < begins[span]:
            item = items[first]
            counts[item] -= 1
            if counts[item] == 0:
                size -= 1
                there[spots[item]] = there[size]
                spots[there[size]] = spots[item]
            first += 1
        if places[span] >= 0:
            members[places[span] : places[span] + size] = there[:size]
