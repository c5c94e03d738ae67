"""The replay's peer: the same window as one Parquet file, restitched and rewritten by DuckDB.

The peer does what a replay does: it holds the texts that name devices and customers against the home's
rules, finds persons, rewrites the rows in their order, and has them safe on the disk. It gets more than a
bare DuckDB would have: the window alone in one file, and beside it, as we have it, each device's timeline of
customers, in which it looks up who was known before the window; or, where we ask the identity graph, the
answers, one for each device.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
import pyarrow as pa

from benchmarks.answers import Row
from benchmarks.flows import QUARTER_END, WEEK
from benchmarks.histories import lake_events
from benchmarks.journeys import journey_rows, stored_columns
from benchmarks.peer_tables import THREADS, peer_sql
from engine.lake.commits import sync_file
from engine.lake.identities import rules_of
from engine.report.request import TimeRange
from engine.world import Home
from stitching.identity import LONGEST, Rules, placeholders
from wayline.generate import shop

USUAL: Final = Rules()
"""What identifies nobody where a home says nothing of it."""
_START: Final = QUARTER_END - WEEK.days * shop.DAY + 1
REPLAYED: Final = TimeRange(_START, QUARTER_END + 1)
"""What a replay of the quarter's last week looks at again: the week's first instant is out, its last in."""
_BESIDE: Final = ("timelines", "owners")


@dataclass(frozen=True)
class Peer:
    """A DuckDB with the window's rows in ``window.parquet``, the devices' timelines and owners beside it.

    Attributes:
        start: the first instant of the window in µs.
    """

    database: duckdb.DuckDBPyConnection
    folder: Path
    start: int


def load(home: Home, folder: Path) -> Peer:
    """Give the peer the window's rows with all that our journeys keep, and whose the devices are and were."""
    columns = [name for name in stored_columns(home) if not name.startswith("_hash_")]
    rules = rules_of(home.current().definitions)
    return write_peer(journey_rows(home, columns, REPLAYED), _logins(home), _START, folder, rules)


def _logins(home: Home) -> pa.Table:
    """Return all events of the lake that name a customer: ``_time``, ``device_id``, ``customer_id``."""
    named = lake_events(home).filter(pl.col("customer_id").is_not_null())
    return (
        named.select(pl.col("ts").dt.epoch("us").alias("_time"), "device_id", "customer_id")
        .collect()
        .to_arrow()
    )


def write_peer(
    window: Iterable[pa.Table], events: pa.Table, start: int, folder: Path, rules: Rules = USUAL
) -> Peer:
    """Write the peer's files: rows from ``start`` on in journey order, and what all events say of devices."""
    database = duckdb.connect(config={"threads": THREADS})
    words = ", ".join(f"'{_quoted(word)}'" for word in placeholders(rules))
    database.execute(peer_sql("replay_identity", {"placeholders": words, "longest": LONGEST}))
    database.register("rows", pa.concat_tables([table.unify_dictionaries() for table in window]))
    target = _quoted(folder / "window.parquet")
    database.execute(f"COPY (SELECT * FROM rows ORDER BY _person, _time) TO '{target}' (COMPRESSION lz4)")
    database.unregister("rows")
    database.register("events", events)
    for name in _BESIDE:
        database.execute(peer_sql(f"replay_{name}", {name: _quoted(folder / f"{name}.parquet")}))
    database.unregister("events")
    return Peer(database, folder, start)


def restitch(peer: Peer, formulation: str, target: Path) -> None:
    """Write the window's rows with their persons of now, in order of person and time, to a new file.

    As with us, they are safe on the disk in the end.
    """
    told = {
        "window": _quoted(peer.folder / "window.parquet"),
        **{name: _quoted(peer.folder / f"{name}.parquet") for name in _BESIDE},
        "start": str(peer.start),
        "target": _quoted(target),
    }
    peer.database.execute(peer_sql(formulation, told))
    sync_file(target)


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


def _quoted(text: Path | str) -> str:
    return str(text).replace("'", "''")
