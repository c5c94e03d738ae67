"""The replay's peer: the same window as one Parquet file, restitched and rewritten by DuckDB.

The peer gets more than a bare DuckDB would have: the window alone in one file, and ready-made evidence, the
customer last known on each device before the window.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.answers import Row
from benchmarks.flows import QUARTER_END, WEEK
from benchmarks.journeys import journey_rows, stored_columns
from benchmarks.peer_tables import THREADS, peer_sql
from engine.report.request import TimeRange
from engine.world import Home
from wayline.generate import shop

REPLAYED = TimeRange(QUARTER_END - WEEK.days * shop.DAY + 1, QUARTER_END + 1)
"""What a replay of the quarter's last week looks at again: the week's first instant is out, its last in."""


@dataclass(frozen=True)
class Peer:
    """A DuckDB with the window's rows in ``window.parquet`` and the evidence beside it."""

    database: duckdb.DuckDBPyConnection
    folder: Path


def load(home: Home, folder: Path) -> Peer:
    """Give the peer what it needs: the window's rows with all that our journeys keep, and evidence."""
    columns = [name for name in stored_columns(home) if not name.startswith("_hash_")]
    return write_peer(
        journey_rows(home, columns, REPLAYED),
        journey_rows(home, ["device_id", "customer_id"], TimeRange(end=REPLAYED.start)),
        folder,
    )


def write_peer(window: Iterable[pa.Table], earlier: Iterable[pa.Table], folder: Path) -> Peer:
    """Write the peer's files: rows in journey order, and what earlier rows know of the devices."""
    database = duckdb.connect(config={"threads": THREADS})
    database.register("rows", pa.concat_tables([table.unify_dictionaries() for table in window]))
    target = _quoted(folder / "window.parquet")
    database.execute(f"COPY (SELECT * FROM rows ORDER BY _person, _time) TO '{target}' (COMPRESSION lz4)")
    database.register("earlier", pa.concat_tables([table.unify_dictionaries() for table in earlier]))
    database.execute(peer_sql("replay_evidence", {"evidence": _quoted(folder / "evidence.parquet")}))
    for name in ("rows", "earlier"):
        database.unregister(name)
    return Peer(database, folder)


def restitch(peer: Peer, formulation: str, target: Path) -> None:
    """Write the window's rows with their persons of now, in order of person and time, to a new file."""
    files = {
        "window": peer.folder / "window.parquet",
        "evidence": peer.folder / "evidence.parquet",
        "target": target,
    }
    peer.database.execute(peer_sql(formulation, {key: _quoted(path) for key, path in files.items()}))


def persons_of_file(file: Path) -> list[Row]:
    """Return one number for who has which row of a file, and how many rows there are."""
    with duckdb.connect() as database:
        return _persons(database, f"read_parquet('{_quoted(file)}')")


def persons_of_home(home: Home) -> list[Row]:
    """Return the same for the replayed rows of the newest world."""
    tables = list(journey_rows(home, ["_event_id", "_person"], REPLAYED))
    with duckdb.connect() as database:
        database.register("replayed", pa.concat_tables([_texts(table) for table in tables]))
        return _persons(database, "replayed")


def _persons(database: duckdb.DuckDBPyConnection, rows: str) -> list[Row]:
    found: list[Any] = database.execute(peer_sql("replay_persons", {"rows": rows})).fetchall()
    return found


def _texts(table: pa.Table) -> pa.Table:
    return table.select(["_event_id", "_person"]).cast(
        pa.schema([("_event_id", pa.string()), ("_person", pa.string())])
    )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
