"""Device memory: the person that live stitching last saw on each device of a dataset.

Kept in the catalog because it changes in the transaction that publishes the rows it explains.
"""

from __future__ import annotations

from typing import Final

import polars as pl
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from engine.catalog.tables import device_memory

_PIECE: Final = 10_000
_SCAN_ABOVE: Final = 200_000
_SCHEMA: Final = pl.Schema({"device": pl.String, "person": pl.String})


def read(connection: Connection, name: str, dataset: str, devices: pl.Series | None = None) -> pl.DataFrame:
    """Return (device, person) of the given devices, or of all; unknown devices have no row.

    Args:
        connection: an open catalog connection.
        name: the wayline connection's name.
        dataset: the dataset's name.
        devices: the devices asked for; duplicates and NULLs are ignored.
    """
    if devices is None:
        return _fetch(connection, name, dataset, None)
    wanted = devices.drop_nulls().unique()
    if len(wanted) > _SCAN_ABOVE:
        every = _fetch(connection, name, dataset, None)
        return every.filter(pl.col("device").is_in(wanted.implode()))
    pieces = [
        _fetch(connection, name, dataset, wanted.slice(start, _PIECE).to_list())
        for start in range(0, len(wanted), _PIECE)
    ]
    return pl.concat(pieces) if pieces else pl.DataFrame(schema=_SCHEMA)


def write(connection: Connection, name: str, dataset: str, memory: pl.DataFrame) -> None:
    """Insert or replace entries (device, person)."""
    statement = insert(device_memory)
    statement = statement.on_conflict_do_update(
        index_elements=["connection", "dataset", "device"],
        set_={"person": statement.excluded.person},
    )
    for piece in memory.iter_slices(_PIECE * 10):
        rows = [
            {"connection": name, "dataset": dataset, "device": device, "person": person}
            for device, person in piece.select("device", "person").iter_rows()
        ]
        connection.execute(statement, rows)


def forget(connection: Connection, name: str) -> None:
    """Remove all entries of a wayline connection."""
    connection.execute(delete(device_memory).where(device_memory.c.connection == name))


def _fetch(connection: Connection, name: str, dataset: str, devices: list[str] | None) -> pl.DataFrame:
    query = select(device_memory.c.device, device_memory.c.person).where(
        device_memory.c.connection == name, device_memory.c.dataset == dataset
    )
    if devices is not None:
        query = query.where(device_memory.c.device.in_(devices))
    rows = connection.execute(query).fetchall()
    return pl.DataFrame([tuple(row) for row in rows], schema=_SCHEMA, orient="row")
