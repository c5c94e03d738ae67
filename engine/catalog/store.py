"""The catalog: one SQLite file that says what exists, and whose transactions publish worlds.

WAL mode lets readers go on while a writer commits; synchronous=FULL makes a published world survive
a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, create_engine, delete, event, func, insert, select, update

from engine.catalog import tables
from engine.catalog.records import (
    BatchError,
    BatchRecord,
    BatchStatus,
    Reject,
    Skip,
    WorldRecord,
)
from engine.errors import UnknownNameError

REJECTS_KEPT: Final = 1000
"""Rejected records kept per batch; all are counted."""
_HIDDEN: Final = (BatchStatus.INACTIVE, BatchStatus.DELETED)


class Catalog:
    """The open catalog of a home. Safe to share between threads.

    Methods that take a ``connection`` run inside the caller's ``writing()`` transaction; the others
    open a transaction of their own.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = create_engine(
            f"sqlite:///{path}", connect_args={"timeout": 60}, pool_size=4, max_overflow=64
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)

    def close(self) -> None:
        """Close all database connections."""
        self._engine.dispose()

    def copy(self, target: Path) -> None:
        """Copy the last committed state into a new file, on one moment and while others go on."""
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the catalog."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that writes: one at a time in all processes, all or nothing."""
        with self._engine.connect() as connection:
            connection = connection.execution_options(wayline_writes=True)
            with connection.begin():
                yield connection

    def create_tables(self, connection: Connection) -> None:
        """Create every table that is not there yet."""
        tables.metadata.create_all(connection)

    def meta(self, key: str) -> str | None:
        """Return a stored setting of the home, or None."""
        with self.reading() as connection:
            query = select(tables.meta.c.value).where(tables.meta.c.key == key)
            value: str | None = connection.execute(query).scalar()
            return value

    def set_meta(self, connection: Connection, key: str, value: str) -> None:
        """Store a setting of the home."""
        connection.execute(delete(tables.meta).where(tables.meta.c.key == key))
        connection.execute(insert(tables.meta).values(key=key, value=value))

    def newest_world(self, connection: Connection | None = None) -> WorldRecord | None:
        """Return the newest published world; None only while a home is being created."""
        if connection is None:
            with self.reading() as own:
                return self.newest_world(own)
        query = select(tables.worlds).order_by(tables.worlds.c.id.desc()).limit(1)
        row = connection.execute(query).first()
        return None if row is None else WorldRecord(**row._mapping)

    def worlds(self) -> list[WorldRecord]:
        """Return every world that is known, oldest first."""
        with self.reading() as connection:
            rows = connection.execute(select(tables.worlds).order_by(tables.worlds.c.id))
            return [WorldRecord(**row._mapping) for row in rows]

    def world(self, number: int) -> WorldRecord | None:
        """Return a world by its id; None if there is none."""
        with self.reading() as connection:
            row = connection.execute(select(tables.worlds).where(tables.worlds.c.id == number)).first()
        return None if row is None else WorldRecord(**row._mapping)

    def mark_vacuumed(self, connection: Connection, worlds: Collection[int]) -> None:
        """Note that the files of worlds may go from now on: nobody may return to them."""
        marked, known = tables.worlds.c.id.in_(list(worlds)), tables.worlds.c.vacuumed_at.is_(None)
        moment = datetime.now(UTC)
        connection.execute(update(tables.worlds).where(marked, known).values(vacuumed_at=moment))

    def newest_world_id(self) -> int:
        """Return the id of the newest published world, 0 if there is none."""
        with self.reading() as connection:
            return connection.execute(select(func.max(tables.worlds.c.id))).scalar() or 0

    def add_world(self, connection: Connection, record: WorldRecord) -> None:
        """Publish a world, as part of the caller's transaction."""
        values = asdict(record) | {
            name: dict(getattr(record, name)) for name in ("datasets", "journeys", "stitch_logs", "devices")
        }
        connection.execute(insert(tables.worlds).values(**values))

    def document(self, revision: int) -> str:
        """Return the definitions of a revision as JSON text."""
        query = select(tables.definitions.c.document).where(tables.definitions.c.revision == revision)
        with self.reading() as connection:
            document: str = connection.execute(query).scalar_one()
            return document

    def add_document(self, connection: Connection, document: str) -> int:
        """Store definitions as a new revision and return its number."""
        values = {"document": document, "applied_at": datetime.now(UTC)}
        result = connection.execute(insert(tables.definitions).values(**values))
        key = result.inserted_primary_key
        assert key is not None  # noqa: S101 - the column is an integer primary key
        return int(key[0])

    def add_pin(self, connection: Connection, process: str, world: int) -> None:
        """Register that a process reads a world."""
        values = {"process": process, "world": world, "since": datetime.now(UTC)}
        connection.execute(insert(tables.pins).prefix_with("OR IGNORE").values(**values))

    def drop_pins(self, connection: Connection, process: str, worlds: Sequence[int]) -> None:
        """Take back pins of a process."""
        mine = tables.pins.c.process == process
        connection.execute(delete(tables.pins).where(mine, tables.pins.c.world.in_(worlds)))

    def drop_processes(self, connection: Connection, processes: Collection[str]) -> None:
        """Take back all pins of processes."""
        connection.execute(delete(tables.pins).where(tables.pins.c.process.in_(list(processes))))

    def pins(self) -> list[tuple[str, int]]:
        """Return (process, world) of every registered pin."""
        with self.reading() as connection:
            rows = connection.execute(select(tables.pins.c.process, tables.pins.c.world))
            return [(row.process, row.world) for row in rows]

    def start_batch(self, batch_id: str, dataset: str, files: Sequence[str]) -> BatchRecord:
        """Enter a batch as loading and give it the dataset's next number."""
        with self.writing() as connection:
            query = select(func.max(tables.batches.c.number)).where(tables.batches.c.dataset == dataset)
            number = (connection.execute(query).scalar() or 0) + 1
            record = BatchRecord(
                batch_id,
                dataset,
                number,
                BatchStatus.LOADING,
                datetime.now(UTC),
                files=tuple(files),
            )
            connection.execute(insert(tables.batches).values(**_batch_values(record)))
        return record

    def save_batch(self, connection: Connection, record: BatchRecord) -> None:
        """Store what is now known about a batch."""
        where = tables.batches.c.id == record.id
        connection.execute(update(tables.batches).where(where).values(**_batch_values(record)))

    def batch(self, batch_id: str) -> BatchRecord:
        """Return a batch.

        Raises:
            UnknownNameError: there is no such batch.
        """
        with self.reading() as connection:
            query = select(tables.batches).where(tables.batches.c.id == batch_id)
            row = connection.execute(query).first()
        if row is None:
            raise UnknownNameError(f'there is no batch "{batch_id}"')
        return _batch(row)

    def batches(self, dataset: str | None = None, status: BatchStatus | None = None) -> list[BatchRecord]:
        """Return batches in order of dataset and number, of one dataset or status if given."""
        query = select(tables.batches).order_by(tables.batches.c.dataset, tables.batches.c.number)
        if dataset is not None:
            query = query.where(tables.batches.c.dataset == dataset)
        if status is not None:
            query = query.where(tables.batches.c.status == status)
        with self.reading() as connection:
            return [_batch(row) for row in connection.execute(query)]

    def purge_batch(self, batch_id: str) -> None:
        """Let the files of an inactive batch go at the next vacuum, however young they are."""
        ended = tables.batches.c.status == BatchStatus.INACTIVE
        where = (tables.batches.c.id == batch_id) & ended
        with self.writing() as connection:
            connection.execute(update(tables.batches).where(where).values(purge=True))

    def mark_deleted(self, connection: Connection, batch_ids: Collection[str]) -> None:
        """Note that the files of inactive batches are gone; batches in another state stay as they are."""
        ended = tables.batches.c.status == BatchStatus.INACTIVE
        where = tables.batches.c.id.in_(list(batch_ids)) & ended
        connection.execute(update(tables.batches).where(where).values(status=BatchStatus.DELETED))

    def save_rejects(self, connection: Connection, batch_id: str, rejects: Sequence[Reject]) -> None:
        """Store a batch's rejected records, the first REJECTS_KEPT of them."""
        rows = [{"batch": batch_id, **asdict(reject)} for reject in rejects[:REJECTS_KEPT]]
        connection.execute(delete(tables.rejects).where(tables.rejects.c.batch == batch_id))
        if rows:
            connection.execute(insert(tables.rejects), rows)

    def rejects(self, batch_id: str) -> list[Reject]:
        """Return the kept rejected records of a batch, in the order in which they were met."""
        columns = [tables.rejects.c[name] for name in ("file", "line", "code", "reason", "record")]
        query = select(*columns).where(tables.rejects.c.batch == batch_id)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(tables.rejects.c.id))
            return [Reject(**row._mapping) for row in rows]

    def add_skips(self, connection: Connection, skips: Sequence[Skip]) -> None:
        """Store how many rows a connection did not take."""
        if skips:
            connection.execute(
                insert(tables.skips).prefix_with("OR REPLACE"), [asdict(skip) for skip in skips]
            )

    def skips(self, name: str) -> list[Skip]:
        """Return the skipped rows of a connection per dataset, batch and reason.

        Batches that are no longer shown do not count; should one come back, so do its skips.
        """
        hidden = select(tables.batches.c.id).where(tables.batches.c.status.in_(_HIDDEN))
        query = select(tables.skips).where(
            tables.skips.c.connection == name, tables.skips.c.batch.not_in(hidden)
        )
        with self.reading() as connection:
            return [Skip(**row._mapping) for row in connection.execute(query)]

    def forget_connection(self, connection: Connection, name: str) -> None:
        """Remove what is kept of a connection: its skips."""
        self.drop_skips(connection, name)

    def drop_skips(self, connection: Connection, name: str) -> None:
        """Remove the skips of a connection."""
        connection.execute(delete(tables.skips).where(tables.skips.c.connection == name))


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    # Transactions are opened by _begin alone: the driver's own guess skips DDL and reads.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten at once: identities may not stay behind in free pages.
    connection.execute("PRAGMA secure_delete = ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("wayline_writes", False)
    # A writer takes the lock at once: upgrading a reader's transaction can fail for good.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _batch_values(record: BatchRecord) -> dict[str, Any]:
    return asdict(record) | {
        "files": list(record.files),
        "errors": [asdict(e) for e in record.errors],
    }


def _batch(row: Row[Any]) -> BatchRecord:
    values = dict(row._mapping)
    errors = tuple(BatchError(**error) for error in values.pop("errors"))
    files, status = tuple(values.pop("files")), BatchStatus(values.pop("status"))
    return BatchRecord(**values, status=status, files=files, errors=errors)
