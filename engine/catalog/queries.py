"""The query log in the catalog: what was asked of a server, by whom, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from engine.catalog import tables
from engine.catalog.store import Catalog

KEPT_FOR: Final = timedelta(days=30)
KEPT: Final = 1_000_000
"""Statements that ended longer ago are forgotten, and the oldest where there are more than this."""
ERASED: Final = "(not kept: identities were deleted meanwhile)"
"""What stands where the text of a statement was."""


@dataclass(frozen=True)
class QueryRecord:
    """One statement.

    Attributes:
        session: number of the session, as in ``pg_backend_pid()``.
        address: of the client; empty if unknown.
        state: ``running``, ``done``, ``failed`` or ``cancelled``.
        sqlstate: of its error; empty if there was none.
        waited_ms: how long it waited for its turn.
        first_row_ms: from its start to its first row; None if it had none.
        rows: given to the client.
    """

    session: int
    user: str
    address: str
    application: str
    database: str
    statement: str
    state: str
    sqlstate: str
    message: str
    started_at: datetime
    waited_ms: float
    first_row_ms: float | None
    total_ms: float
    rows: int


def add(catalog: Catalog, records: Sequence[QueryRecord], now: datetime) -> None:
    """Add statements that ended, and forget those that ended long ago.

    No identity comes back by them: a deletion takes it out of those that are there, and those that began
    before it come without their texts.
    """
    queries = tables.queries
    with catalog.writing() as connection:
        kept = without_deleted(connection, records)
        connection.execute(insert(queries), [asdict(record) for record in kept])
        newest = connection.execute(select(func.max(queries.c.id))).scalar() or 0
        old = (queries.c.started_at < now - KEPT_FOR) | (queries.c.id <= newest - KEPT)
        connection.execute(delete(queries).where(old))


def listed(catalog: Catalog, present: Sequence[QueryRecord] = ()) -> list[QueryRecord]:
    """Return all statements that are remembered, oldest first, and then those that are present."""
    columns = [column for column in tables.queries.c if column.name != "id"]
    with catalog.reading() as connection:
        rows = connection.execute(select(*columns).order_by(tables.queries.c.id)).all()
        return [*(QueryRecord(**row._mapping) for row in rows), *without_deleted(connection, present)]


def without_deleted(connection: Connection, records: Sequence[QueryRecord]) -> list[QueryRecord]:
    """Return records, without texts where identities were deleted since they began."""
    ends = select(func.max(tables.privacy_requests.c.finished_at))
    latest: datetime | None = connection.execute(ends).scalar()
    return [
        replace(record, statement=ERASED, message="") if latest and record.started_at <= latest else record
        for record in records
    ]
