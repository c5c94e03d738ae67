"""Identities that collapse persons into one, or cannot be stitched: found in who was named on what."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import polars as pl

ALARMS: Final = pl.Schema(
    {
        "kind": pl.String,
        "namespace": pl.String,
        "value": pl.String,
        "counted": pl.Int64,
        "threshold": pl.Int64,
    }
)
"""An identity that is suspect: what of it was counted, and from where on that is."""

NAMED: Final = pl.Schema(
    {
        "dataset": pl.Int16,
        "device": pl.String,
        "device_namespace": pl.String,
        "person": pl.String,
        "person_namespace": pl.String,
        "runs": pl.Int64,
    }
)
"""Who was named on a device of a dataset, and in how many runs of its timeline; each pair once."""


class Suspicion(StrEnum):
    """Why an identity is suspect."""

    MANY_DEVICES = "many devices"
    """A person id on so many devices is rather a placeholder or a shared login than a person."""
    MANY_CHANGES = "many changes"
    """The device's person changes so often that the device is not stitched any more."""
    TWO_NAMESPACES = "two namespaces"
    """One value identifies in two namespaces: their journeys become one."""


def alarms(named: pl.DataFrame, devices: int, changes: int) -> pl.DataFrame:
    """Return what is suspect (``ALARMS``), per kind the largest count first, then by name.

    Args:
        named: ``NAMED`` of all datasets whose persons are put together.
        devices: from so many devices on a person is suspect.
        changes: a device whose person changes more often is.
    """
    found = [_many_devices(named, devices), _many_changes(named, changes), _two_namespaces(named)]
    return pl.concat(
        frame.select(list(ALARMS))
        .cast(ALARMS)
        .sort("namespace", "value")
        .sort("counted", descending=True, maintain_order=True)
        for frame in found
    )


def _many_devices(named: pl.DataFrame, limit: int) -> pl.DataFrame:
    counted = named.group_by(namespace="person_namespace", value="person").agg(
        counted=pl.col("device").n_unique()
    )
    return _suspect(counted.filter(pl.col("counted") >= limit), Suspicion.MANY_DEVICES, limit)


def _many_changes(named: pl.DataFrame, limit: int) -> pl.DataFrame:
    timelines = named.group_by("dataset", namespace="device_namespace", value="device")
    changes = timelines.agg(counted=pl.col("runs").sum() - 1)
    counted = changes.group_by("namespace", "value").agg(pl.col("counted").max())
    return _suspect(counted.filter(pl.col("counted") > limit), Suspicion.MANY_CHANGES, limit)


def _two_namespaces(named: pl.DataFrame) -> pl.DataFrame:
    used = pl.concat(
        named.select(value=side, namespace=f"{side}_namespace").unique() for side in ("device", "person")
    )
    counted = used.group_by("value").agg(
        counted=pl.col("namespace").n_unique(), namespace=pl.col("namespace").unique().sort().str.join(", ")
    )
    return _suspect(counted.filter(pl.col("counted") > 1), Suspicion.TWO_NAMESPACES, 2)


def _suspect(found: pl.DataFrame, kind: Suspicion, threshold: int) -> pl.DataFrame:
    return found.with_columns(kind=pl.lit(kind.value), threshold=pl.lit(threshold, pl.Int64))
