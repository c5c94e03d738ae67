"""Tombstones: a row that arrived before a person was deleted never belongs to that person again.

Only a salted digest of the person is known. So that ordinary appends cost nothing, persons are
digested only for rows of batches that a tombstone covers.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from engine.catalog import privacy
from engine.catalog.privacy import Tombstone
from engine.journeys.columns import NAMESPACE, PERSON
from engine.journeys.digests import ask
from engine.world import Home

BURIED: Final = pl.Schema({NAMESPACE: pl.String, PERSON: pl.String, "upto": pl.Int64})
"""A deleted person, and the last batch whose rows may not belong to it."""
_DIGESTS: Final = "SELECT person, sha256(concat(?, person)) AS digest FROM given"


def forbidden(home: Home, dataset: str, adds: pl.DataFrame) -> pl.Series:
    """Return for each row whether it may not get its person, who was deleted after the row arrived.

    Args:
        home: the home.
        dataset: name of the dataset that the rows belong to.
        adds: ``row, _person, _namespace``.
    """
    covering = _covering(home, dataset)
    last = max((stone.watermarks[dataset] for stone in covering), default=0)
    batch = adds["row"] // (1 << 32)
    early = adds.filter(batch <= last).select(NAMESPACE, PERSON)
    if not early.height:
        return pl.repeat(False, adds.height, eager=True)
    told = _buried(home, dataset, covering, early.unique())
    met = adds.with_columns(batch=batch).join(told, on=[NAMESPACE, PERSON], how="left", maintain_order="left")
    return met.select((pl.col("batch") <= pl.col("upto")).fill_null(False)).to_series()


def buried(home: Home, dataset: str, persons: pl.DataFrame) -> pl.DataFrame:
    """Return those of distinct persons (``_namespace, _person``) that were deleted (``BURIED``)."""
    return _buried(home, dataset, _covering(home, dataset), persons)


def cover(home: Home, dataset: str) -> bool:
    """Return whether any row of a dataset arrived before somebody was deleted."""
    return bool(_covering(home, dataset))


def _covering(home: Home, dataset: str) -> list[Tombstone]:
    return [stone for stone in privacy.tombstones(home.catalog) if stone.watermarks.get(dataset)]


def _buried(home: Home, dataset: str, stones: list[Tombstone], persons: pl.DataFrame) -> pl.DataFrame:
    salt, found = privacy.salt(home.catalog), [pl.DataFrame(schema=BURIED)]
    known = pl.DataFrame(
        {
            NAMESPACE: [stone.namespace for stone in stones],
            "digest": [stone.digest for stone in stones],
            "upto": [stone.watermarks[dataset] for stone in stones],
        }
    )
    for (namespace,), members in known.group_by(NAMESPACE):
        asked = persons.filter(pl.col(NAMESPACE) == namespace).select(person=PERSON)
        told = ask(_DIGESTS, asked, [privacy.prefix(salt, str(namespace))]).join(members, on="digest")
        found.append(told.select(NAMESPACE, pl.col("person").alias(PERSON), "upto"))
    return pl.concat(found).group_by(NAMESPACE, PERSON).agg(pl.col("upto").max())
