"""What a replay did to persons: how many were merged or split, and the biggest of them as examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.catalog.records import Regrouping
from stitching.names import Codes, Names

Counts: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_EXAMPLES: Final = 5
_NAMED: Final = 3


@dataclass(frozen=True)
class Transfers:
    """Who gave rows of a dataset to whom, and who kept some.

    Attributes:
        names: what the M codes stand for.
        before: int32[P], givers.
        after: int32[P], takers, which differ from them; each pair once.
        rows: int64[P], how many rows each pair stands for.
        keeps: bool[M], for each code whether some rows were that person's before and are after.
    """

    names: Names
    before: Codes
    after: Codes
    rows: Counts
    keeps: Mask


@dataclass(frozen=True)
class Regrouped:
    """Persons that were merged and split: how many, and examples, the biggest first.

    Attributes:
        merged: persons after whose rows were of several persons before.
        split: persons before whose rows are of several persons after.
    """

    merged: int
    split: int
    merges: tuple[Regrouping, ...]
    splits: tuple[Regrouping, ...]


def transfers(names: Names, before: Codes, after: Codes) -> Transfers:
    """Compare whom N rows belong to.

    Args:
        names: what the codes stand for.
        before: int32[N].
        after: int32[N].
    """
    moved = before != after
    keeps = np.zeros(len(names), np.bool_)
    keeps[after[~moved]] = True
    pairs = _paired(before[moved], after[moved])
    # Rows come person by person, so neighbours are mostly alike, and few are left to sort.
    firsts = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1])[: pairs.size])
    return Transfers(names, *_summed(pairs[firsts], np.diff(firsts, append=pairs.size)), keeps)


def regrouped(datasets: Sequence[Transfers]) -> Regrouped:
    """Count the persons that were merged and split in all datasets together."""
    found = datasets[0] if len(datasets) == 1 else _together(datasets)
    merged, merges = _gathered(found, found.after, found.before)
    split, splits = _gathered(found, found.before, found.after)
    return Regrouped(merged, split, merges, splits)


def _together(datasets: Sequence[Transfers]) -> Transfers:
    """Give persons of all datasets common codes; the same text is the same person."""
    names = Names()
    codes = [names.number(found.names.texts()) for found in datasets]
    keeps = np.zeros(len(names), np.bool_)
    pairs, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for found, common in zip(datasets, codes, strict=True):
        keeps[common[np.flatnonzero(found.keeps)]] = True
        pairs.append(_paired(common[found.before], common[found.after]))
        rows.append(found.rows)
    return Transfers(names, *_summed(np.concatenate(pairs), np.concatenate(rows)), keeps)


def _paired(before: Codes, after: Codes) -> Counts:
    """Put two codes into one number each."""
    return before.astype(np.int64) << 32 | after


def _summed(pairs: Counts, rows: Counts) -> tuple[Codes, Codes, Counts]:
    """Return the two codes of each distinct pair, and the sum of its rows."""
    distinct, places = np.unique(pairs, return_inverse=True)
    total = np.zeros(distinct.size, np.int64)
    np.add.at(total, places, rows)
    return (distinct >> 32).astype(np.int32), (distinct & 0xFFFFFFFF).astype(np.int32), total


def _gathered(found: Transfers, side: Codes, other: Codes) -> tuple[int, tuple[Regrouping, ...]]:
    """Return how many persons of one side have several on the other, and the biggest of them."""
    persons = np.bincount(side, minlength=found.keeps.size)
    # One who gave or took nothing has at most itself on the other side.
    persons += found.keeps & (persons > 0)
    several = np.flatnonzero(persons > 1)
    rows = np.bincount(side, found.rows, minlength=found.keeps.size).astype(np.int64)
    biggest = several[np.lexsort((several, -rows[several], -persons[several]))[:_EXAMPLES]]
    return several.size, tuple(
        Regrouping(_text(found, code), _others(found, side, other, code), int(persons[code]), int(rows[code]))
        for code in biggest.tolist()
    )


def _others(found: Transfers, side: Codes, other: Codes, code: int) -> tuple[str, ...]:
    """Return some of the persons on the other side: the one itself, if rows stayed, and who moved most."""
    mine = np.flatnonzero(side == code)
    most = other[mine[np.argsort(-found.rows[mine], kind="stable")[:_NAMED]]].tolist()
    own = [code] if found.keeps[code] else []
    return tuple(_text(found, one) for one in [*own, *most][:_NAMED])


def _text(found: Transfers, code: int) -> str:
    return str(found.names.texts()[code])
