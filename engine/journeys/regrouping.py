"""What a replay did to persons: how many were merged or split, and the biggest of them as examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from engine.catalog.records import Regrouping
from stitching.names import Codes, Names

Mask: TypeAlias = npt.NDArray[np.bool_]

_EXAMPLES: Final = 5
_NAMED: Final = 3


@dataclass(frozen=True)
class Transfers:
    """Who gave rows of a dataset to whom, and who kept some.

    Attributes:
        names: what the codes stand for.
        pairs: ``before, after`` (codes, which differ) and ``rows``; each pair once.
        keeps: bool[M], for each code whether some rows were that person's before and are after.
    """

    names: Names
    pairs: pl.DataFrame
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
    pairs = pl.DataFrame({"before": before[moved], "after": after[moved]})
    keeps = np.zeros(len(names), np.bool_)
    keeps[after[~moved]] = True
    return Transfers(names, pairs.group_by("before", "after").agg(rows=pl.len()), keeps)


def regrouped(datasets: Sequence[Transfers]) -> Regrouped:
    """Count the persons that were merged and split in all datasets together."""
    found = datasets[0] if len(datasets) == 1 else _together(datasets)
    merged, merges = _gathered(found, "after", "before")
    split, splits = _gathered(found, "before", "after")
    return Regrouped(merged, split, merges, splits)


def _together(datasets: Sequence[Transfers]) -> Transfers:
    """Give persons of all datasets common codes; the same text is the same person."""
    names = Names()
    codes = [names.number(found.names.texts()) for found in datasets]
    keeps = np.zeros(len(names), np.bool_)
    pairs = [pl.DataFrame(schema={"before": pl.Int32, "after": pl.Int32, "rows": pl.get_index_type()})]
    for found, common in zip(datasets, codes, strict=True):
        keeps[common[np.flatnonzero(found.keeps)]] = True
        sides = {side: common[found.pairs[side].to_numpy()] for side in ("before", "after")}
        pairs.append(
            found.pairs.with_columns(pl.Series(side, side_codes) for side, side_codes in sides.items())
        )
    return Transfers(names, pl.concat(pairs).group_by("before", "after").agg(pl.col("rows").sum()), keeps)


def _gathered(found: Transfers, person: str, other: str) -> tuple[int, tuple[Regrouping, ...]]:
    """Return how many persons of one side have several on the other, and the biggest of them."""
    grouped = found.pairs.group_by(pl.col(person).alias("person")).agg(
        persons=pl.len(), rows=pl.col("rows").sum()
    )
    stays = found.keeps[grouped["person"].to_numpy()]
    several = grouped.with_columns(persons=grouped["persons"] + pl.Series(stays).cast(pl.UInt32))
    several = several.filter(pl.col("persons") > 1)
    biggest = several.top_k(_EXAMPLES, by=["persons", "rows", -pl.col("person")])
    return several.height, tuple(
        Regrouping(_text(found, code), _others(found, person, other, code), persons, rows)
        for code, persons, rows in biggest.sort("persons", "rows", "person", descending=[True, True, False])
        .select("person", "persons", "rows")
        .iter_rows()
    )


def _others(found: Transfers, person: str, other: str, code: int) -> tuple[str, ...]:
    """Return some of the persons on the other side: the one itself, if rows stayed, and who moved most."""
    most = found.pairs.filter(pl.col(person) == code).sort("rows", other, descending=[True, False])
    own = [code] if found.keeps[code] else []
    return tuple(_text(found, one) for one in [*own, *most[other].head(_NAMED)][:_NAMED])


def _text(found: Transfers, code: int) -> str:
    return str(found.names.texts()[code])
