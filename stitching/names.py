"""Numbers for texts, so that they are compared, grouped and looked up as integers.

Texts are told apart by 128 bits of hash, found in an open hash table that grows with what it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt
import polars as pl

NOBODY: Final = -1
"""The code of a null."""

_SEEDS: Final = (0, 0x9E3779B97F4A7C15)
_EMPTY: Final = -1
_FEWEST: Final = 1 << 10

Codes: TypeAlias = npt.NDArray[np.int32]
Digests: TypeAlias = npt.NDArray[np.uint64]
LookUp: TypeAlias = Callable[[pl.Series], pl.Series]
"""Texts → whom or what each of them is known as: strings or nulls, in their order."""


class Names:
    """Distinct texts, numbered from 0 in the order in which they first appeared; nulls have no number."""

    def __init__(self) -> None:
        self._texts = [pl.Series(dtype=pl.String)]
        self._found = 0
        self._slots = np.full(_FEWEST, _EMPTY, np.int32)
        self._known = np.empty((_FEWEST // 2, 2), np.uint64)

    def __len__(self) -> int:
        return self._found

    def number(self, texts: pl.Series, likely: Codes | None = None) -> Codes:
        """Return int32[N], the code of each text, ``NOBODY`` where it is null; new texts get new codes.

        Args:
            texts: N strings or nulls; runs of equal ones are the fastest. O(N) at any rate.
            likely: int32[N], the codes that most of them are thought to have, which saves looking them up.
        """
        texts = texts.rechunk()  # picking few of many rows out of pieces is slow
        high, low = (texts.hash(seed).to_numpy() for seed in _SEEDS)
        codes, firsts = self._place(high, low, texts.is_not_null().to_numpy(), likely)
        if firsts.size:
            self._texts.append(texts.gather(firsts))
        return codes

    def find(self, texts: pl.Series) -> Codes:
        """Return int32[N], the code of each text, ``NOBODY`` where it is null or has none yet. O(N)."""
        high, low = (texts.hash(seed).to_numpy() for seed in _SEEDS)
        codes = np.empty(high.size, np.int32)
        _find(high, low, texts.is_not_null().to_numpy(), self._slots, self._known, codes)
        return codes

    def _place(
        self, high: Digests, low: Digests, present: npt.NDArray[np.bool_], likely: Codes | None = None
    ) -> tuple[Codes, Codes]:
        """Return the code of each digest, and the first row of each new one."""
        likely = np.empty(0, np.int32) if likely is None else likely
        codes, firsts = np.empty(high.size, np.int32), np.empty(high.size, np.int32)
        before, row = self._found, 0
        while row < high.size:
            if self._found == len(self._known):
                self._slots, self._known = _grown(self._known)
            row, self._found = _number(
                high, low, present, likely, self._slots, self._known, row, self._found, before, codes, firsts
            )
        return codes, firsts[: self._found - before]

    def texts(self) -> pl.Series:
        """Return all texts in the order of their codes."""
        self._texts = [pl.concat(self._texts, rechunk=True)]
        return self._texts[0]

    def texts_of(self, codes: Codes) -> pl.Series:
        """Return the texts of int32[N] codes, null for ``NOBODY``."""
        wanted, lost = pl.Series(codes), codes == NOBODY
        return self.texts().gather(wanted.set(pl.Series(lost), None) if lost.any() else wanted)


@dataclass(frozen=True)
class Numbered:
    """N texts as codes.

    Attributes:
        names: what the codes stand for: these texts alone.
        codes: int32[N], ``NOBODY`` where there is none.
    """

    names: Names
    codes: Codes

    @classmethod
    def of(cls, texts: pl.Series) -> Self:
        """Number N strings or nulls."""
        names = Names()
        return cls(names, names.number(texts))

    def among(self, names: Names) -> Codes:
        """Return int32[N], the codes of the texts among other names, which get those that they lack."""
        return taken(names.number(self.names.texts()), self.codes)


def taken(values: Codes, places: Codes) -> Codes:
    """Return int32[N], the values at int32[N] places; where the place is ``NOBODY``, so is the value."""
    found: Codes = np.append(values, np.int32(NOBODY))[places]  # the code of nobody is that of the last place
    return found


def nobody(asked: pl.Series) -> pl.Series:
    """Answer as a ``LookUp`` that knows nobody."""
    return pl.repeat(None, len(asked), dtype=pl.String, eager=True)


def numbered(rows: pl.DataFrame) -> tuple[Codes, Codes]:
    """Return int32[N], a number for each distinct row in order of appearance, and int32[M], its first row.

    Args:
        rows: N rows of several texts, none of them null. O(N).
    """
    high, low = (rows.hash_rows(seed).to_numpy() for seed in _SEEDS)
    return Names()._place(high, low, np.ones(rows.height, np.bool_))


_DIGESTS: Final = nb.types.Array(nb.uint64, 1, "C", readonly=True)
_MASK: Final = nb.types.Array(nb.boolean, 1, "C", readonly=True)
_CODES: Final = nb.types.Array(nb.int32, 1, "C", readonly=True)
_GROWN: Final = nb.types.Tuple((nb.int32[::1], nb.uint64[:, ::1]))  # type: ignore[no-untyped-call]
_REACHED: Final = nb.types.UniTuple(nb.int64, 2)  # type: ignore[no-untyped-call]


@nb.njit(_GROWN(nb.uint64[:, ::1]), nogil=True, cache=True)
def _grown(known: Digests) -> tuple[Codes, Digests]:
    """Return slots and digests with room for four times as many as there are; all of them are taken."""
    slots = np.full(8 * known.shape[0], _EMPTY, np.int32)
    digests = np.empty((4 * known.shape[0], 2), np.uint64)
    mask = slots.size - 1
    for code in range(known.shape[0]):
        digests[code, 0], digests[code, 1] = known[code, 0], known[code, 1]
        slot = np.int64(known[code, 0]) & mask
        while slots[slot] != _EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = code
    return slots, digests


@nb.njit(nogil=True, inline="always")
def _slot(slots: Codes, known: Digests, high: np.uint64, low: np.uint64) -> np.int64:
    """Return the slot of a digest's code, or the empty one where it belongs."""
    mask = slots.size - 1
    slot = np.int64(high) & mask
    code = slots[slot]
    while code != _EMPTY and (known[code, 0] != high or known[code, 1] != low):
        slot = (slot + 1) & mask
        code = slots[slot]
    return slot


@nb.njit(
    _REACHED(
        _DIGESTS,
        _DIGESTS,
        _MASK,
        _CODES,
        nb.int32[::1],
        nb.uint64[:, ::1],
        nb.int64,
        nb.int64,
        nb.int64,
        nb.int32[::1],
        nb.int32[::1],
    ),
    nogil=True,
    cache=True,
)
def _number(
    high: Digests,
    low: Digests,
    present: npt.NDArray[np.bool_],
    likely: Codes,
    slots: Codes,
    known: Digests,
    row: int,
    found: int,
    before: int,
    codes: Codes,
    firsts: Codes,
) -> tuple[int, int]:
    """Number rows of equal digests until there is no room; write codes, and the first row of new ones.

    Args:
        high: uint64[N], half of each row's digest.
        low: uint64[N], the other half.
        present: bool[N], whether the row has a text.
        likely: int32[N], codes to try first, or empty: then it is that of the row before.
        slots: int32[2 M], an open hash table of codes.
        known: uint64[M, 2], the digests of the codes, side by side: those of first rows would miss the cache.
        row: where to begin.
        found: how many codes there are.
        before: how many there were before the first row.
        codes: int32[N], filled.
        firsts: int32[N], filled: the first row of each code from ``before`` on.

    Returns:
        The row that was reached, and how many codes there are now.
    """
    last = _EMPTY
    for place in range(row, high.size):
        if not present[place]:
            codes[place] = NOBODY
            continue
        last = likely[place] if likely.size else last
        if last == _EMPTY or known[last, 0] != high[place] or known[last, 1] != low[place]:
            slot = _slot(slots, known, high[place], low[place])
            last = slots[slot]
            if last == _EMPTY:
                if found == known.shape[0]:
                    return place, found
                last = found
                slots[slot], firsts[found - before] = last, place
                known[last, 0], known[last, 1] = high[place], low[place]
                found += 1
        codes[place] = last
    return high.size, found


@nb.njit(
    nb.void(_DIGESTS, _DIGESTS, _MASK, nb.int32[::1], nb.uint64[:, ::1], nb.int32[::1]),
    nogil=True,
    cache=True,
)
def _find(
    high: Digests,
    low: Digests,
    present: npt.NDArray[np.bool_],
    slots: Codes,
    known: Digests,
    codes: Codes,
) -> None:
    """Fill int32[N] codes from an open hash table of them, as of ``_number``; what is not there is nobody."""
    for place in range(high.size):
        codes[place] = slots[_slot(slots, known, high[place], low[place])] if present[place] else NOBODY
