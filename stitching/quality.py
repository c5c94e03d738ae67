"""How good stitching is: how many rows have a person by themselves, and how many after stitching.

Rows come with whom they name and whom they belong to; the answers are counts of them, per day or in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

COUNTS: Final[tuple[pl.Expr, ...]] = (
    pl.len().cast(pl.Int64).alias("rows"),
    pl.col("person").count().cast(pl.Int64).alias("rows_with_person"),
    pl.col("device").count().cast(pl.Int64).alias("rows_with_device"),
    pl.col("known").sum().cast(pl.Int64).alias("stitched_rows"),
    pl.coalesce("person", "device").n_unique().cast(pl.Int64).alias("raw_ids"),
    pl.col("stitched").n_unique().cast(pl.Int64).alias("stitched_ids"),
    pl.col("device").drop_nulls().n_unique().cast(pl.Int64).alias("devices"),
    pl.col("device").filter("shared").n_unique().cast(pl.Int64).alias("shared_devices"),
    pl.col("shared").sum().cast(pl.Int64).alias("shared_device_rows"),
)
"""What is counted of rows."""

_ROWS, _OWN, _STITCHED = (pl.col(name) for name in ("rows", "rows_with_person", "stitched_rows"))
_SOME: Final = pl.when(_OWN > 0)

RATES: Final[tuple[pl.Expr, ...]] = (
    (_OWN / _ROWS).alias("authentication_rate"),
    (_STITCHED / _ROWS).alias("stitched_rate"),
    _SOME.then((_STITCHED - _OWN) / _OWN).alias("increase"),
    _SOME.then(_STITCHED / _OWN).alias("lift"),
)
"""What follows from the counts: shares of rows; how much the second is larger, and how many times."""

MEASURES: Final = (
    *("rows", "rows_with_person", "rows_with_device", "stitched_rows"),
    *("authentication_rate", "stitched_rate", "increase", "lift"),
    *("raw_ids", "stitched_ids", "devices", "shared_devices", "shared_device_rows"),
)
"""The names of counts and rates, in their order."""


def with_shared(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with ``shared``: whether two persons or more are named on the row's device.

    Args:
        rows: all rows of a dataset: ``day`` date; ``device``, ``person`` and ``stitched`` texts of one kind
            (strings, or categories that are the same); ``known`` bool, whether ``stitched`` is a person's id.
    """
    named = rows.select("device", "person").drop_nulls().unique()
    shared = named.group_by("device").len().filter(pl.col("len") > 1).select("device", shared=True)
    return rows.join(shared, on="device", how="left").with_columns(pl.col("shared").fill_null(False))


def measured(rows: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """Return the measures (``MEASURES``) of rows that ``with_shared`` returned, a row per group in order.

    Args:
        rows: the rows; several with one group are counted together.
        by: columns to group by; none counts all rows as one.
    """
    counted = rows.group_by(by).agg(COUNTS).sort(by) if by else rows.select(COUNTS)
    return counted.with_columns(RATES).select(*by, *MEASURES)


def biggest(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return the persons with most rows, the biggest first; of equally big ones the alphabetically first.

    Returns:
        ``person``, ``is_person``, ``rows``, ``devices``, ``days``, ``first_day``, ``last_day``.
    """
    found = rows.group_by(person="stitched", is_person="known").agg(
        rows=pl.len().cast(pl.Int64),
        devices=pl.col("device").drop_nulls().n_unique().cast(pl.Int64),
        days=pl.col("day").n_unique().cast(pl.Int64),
        first_day=pl.col("day").min(),
        last_day=pl.col("day").max(),
    )
    large = found.filter(pl.col("rows") >= pl.col("rows").top_k(most).min())
    by_name = large.with_columns(pl.col("person").cast(pl.String)).sort("person", "is_person")
    return by_name.sort("rows", descending=True, maintain_order=True).head(most)
