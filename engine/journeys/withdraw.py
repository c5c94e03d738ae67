"""Rows of removed lake files leave the journeys: which events they were, and what is forgotten with them.

Rows that repeated them come back through the resolution of duplicates, and are stitched live anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from engine.journeys import intake, runs, stitch_log
from engine.journeys.change import Versions
from engine.journeys.columns import DATASET, TIME
from engine.journeys.copies import live
from engine.journeys.duplicates import Resolution
from engine.journeys.intake import IDENTITIES, Member
from engine.journeys.store import Files
from engine.lake.table import ROW, LakeFile
from engine.world import Home


def departures(member: Member, removed: Sequence[LakeFile]) -> pl.DataFrame:
    """Return the identity rows of removed lake files that could be events."""
    if not removed:
        return pl.DataFrame(schema=IDENTITIES)
    rows = intake.identities(member, intake.lake_rows(removed, member.dataset))
    return rows.filter(intake.admissible()).collect()


def recall(
    home: Home,
    name: str,
    member: Member,
    versions: Versions,
    files: Files,
    schema: pa.Schema,
    resolution: Resolution,
) -> pl.DataFrame | None:
    """Return whom live stitching knows on the devices whose persons departed rows had named.

    That is the person of the remaining event that was stitched last, NULL if none names one. The
    other devices learned nothing from the departed rows.

    Args:
        home: the home.
        name: the connection.
        member: the dataset in it.
        versions: where the connection's tables stand.
        files: the journeys' files at that version.
        schema: their columns.
        resolution: which rows left the lake, and which events no longer count.

    Returns:
        ``device, person``; None if the dataset is not stitched or nothing is to be forgotten.
    """
    told = resolution.departed.filter(pl.col("person").is_not_null() & pl.col("device").is_not_null())
    devices = told.select("device").unique()
    if member.stitching is None or versions.stitch_log is None or not devices.height:
        return None
    # devices.refresh(…, devices=devices["device"]) belongs here once devices have a table of their own.
    events = _naming(files, runs.polars_columns(schema), member, devices)
    events = events.join(resolution.dead, on="row", how="anti")
    log = home.stitch_log_path(name)
    seen = stitch_log.stitched_live(log, versions.stitch_log, member.index, events["row"])
    last = (
        events.join(seen, on="row")
        .sort(["device", "sequence", "time", "person"], descending=[False, True, True, False])
        .unique("device", keep="first", maintain_order=True)
    )
    return devices.join(last.select("device", "person"), on="device", how="left")


def overlaid(memory: pl.DataFrame, newer: pl.DataFrame | None) -> pl.DataFrame:
    """Return what is known of devices (``device, person``), the newer knowledge first."""
    if newer is None:
        return memory
    return pl.concat([memory.join(newer, on="device", how="anti"), newer.select(memory.columns)])


def _naming(files: Files, columns: pl.Schema, member: Member, devices: pl.DataFrame) -> pl.DataFrame:
    """Return the events of devices that name a person: ``row, time, device, person``."""
    device, person = str(member.device_path), member.person_path
    named = (pl.col(DATASET) == member.index) & pl.col(person).is_not_null()
    return (
        live(files, columns, [ROW, TIME, device, person], where=named)
        .select(
            row=pl.col(ROW),
            time=pl.col(TIME),
            device=pl.col(device).cast(pl.String),
            person=pl.col(person).cast(pl.String),
        )
        .filter(pl.col("person") != "")
        .join(devices.lazy(), on="device", how="semi")
        .collect()
    )
