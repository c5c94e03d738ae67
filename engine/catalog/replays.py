"""Replays in the catalog: from their start on, so that others see that one is under way and can stop it.

Functions that take a ``connection`` run inside the caller's ``writing()`` transaction.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from engine.catalog.records import ReplayRecord, ReplayStatus
from engine.catalog.store import Catalog
from engine.catalog.tables import replays

_UNDER_WAY: Final = replays.c.status == ReplayStatus.RUNNING


def add(connection: Connection, record: ReplayRecord) -> ReplayRecord:
    """Store a replay and return it with its id."""
    key = connection.execute(insert(replays).values(**_values(record))).inserted_primary_key
    assert key is not None  # noqa: S101 - the column is an integer primary key
    return replace(record, id=int(key[0]))


def save(connection: Connection, record: ReplayRecord) -> None:
    """Store what is now known about a replay."""
    connection.execute(update(replays).where(replays.c.id == record.id).values(**_values(record)))


def listed(catalog: Catalog, connection: str | None = None) -> list[ReplayRecord]:
    """Return the replays of a connection, or all, oldest first."""
    query = select(replays).order_by(replays.c.id)
    if connection is not None:
        query = query.where(replays.c.connection == connection)
    with catalog.reading() as transaction:
        return [_record(row) for row in transaction.execute(query)]


def find(catalog: Catalog, number: int) -> ReplayRecord:
    """Return a replay that is stored, by its id."""
    with catalog.reading() as transaction:
        return _record(transaction.execute(select(replays).where(replays.c.id == number)).one())


def interrupt_begun(catalog: Catalog) -> None:
    """Note that replays which have begun and not ended were interrupted; the caller writes alone."""
    with catalog.reading() as connection:
        found = connection.execute(select(replays.c.id).where(_UNDER_WAY)).first()
    if found is not None:
        ended = {"status": ReplayStatus.INTERRUPTED, "finished_at": datetime.now(UTC)}
        with catalog.writing() as connection:
            connection.execute(update(replays).where(_UNDER_WAY).values(**ended))


def ask_to_stop(catalog: Catalog, connection: str) -> int | None:
    """Ask the replay of a connection that is under way to stop; return its id, None if there is none."""
    where = _UNDER_WAY & (replays.c.connection == connection)
    with catalog.writing() as transaction:
        found: int | None = transaction.execute(select(replays.c.id).where(where)).scalar()
        transaction.execute(update(replays).where(where).values(cancel=True))
    return found


def is_asked_to_stop(catalog: Catalog, replay: int) -> bool:
    """Return whether somebody asked a replay to stop."""
    with catalog.reading() as connection:
        return bool(connection.execute(select(replays.c.cancel).where(replays.c.id == replay)).scalar())


def last_due(catalog: Catalog, connection: str, schedule: str) -> datetime | None:
    """Return the latest instant of a schedule for which a replay of a connection came to an end."""
    ended = replays.c.status.not_in([ReplayStatus.RUNNING, ReplayStatus.INTERRUPTED])
    where = (replays.c.connection == connection) & (replays.c.schedule == schedule) & ended
    query = select(replays.c.due_at).where(where).order_by(replays.c.due_at.desc()).limit(1)
    with catalog.reading() as transaction:
        found: datetime | None = transaction.execute(query).scalar()
        return found


def _values(record: ReplayRecord) -> dict[str, Any]:
    values = asdict(record) | {"datasets": list(record.datasets)}
    values["lookback_seconds"] = int(values.pop("lookback").total_seconds())
    return {name: value for name, value in values.items() if name in replays.c}


def _record(row: Row[Any]) -> ReplayRecord:
    values = dict(row._mapping)
    lookback = timedelta(seconds=values.pop("lookback_seconds"))
    status, datasets = ReplayStatus(values.pop("status")), tuple(values.pop("datasets"))
    del values["cancel"]
    return ReplayRecord(**values, lookback=lookback, status=status, datasets=datasets)
