"""What the catalog keeps of privacy requests: counts, and tombstones that do not say who it was."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from engine.catalog import tables
from engine.catalog.store import Catalog
from engine.errors import HomeError

_SALT: Final = "tombstone salt"
_PATIENCE: Final = 5.0
"""Seconds to wait for others who hold the catalog's log."""


@dataclass(frozen=True)
class PrivacyRequest:
    """A deletion that was carried out.

    Attributes:
        erasure: names it in the lake's commits and files.
        world: the world that it published.
        identities: number of identities that were deleted.
        erased: dataset → rows that were taken out of the lake.
        unstitched: connection → rows that went back to their persistent id.
        vacuumed_at: since when no file of an older world is left; None until then.
        id: given by the catalog; None before.
    """

    erasure: str
    requested_at: datetime
    finished_at: datetime
    world: int
    identities: int
    erased: Mapping[str, int]
    unstitched: Mapping[str, int]
    vacuumed_at: datetime | None = None
    id: int | None = None


@dataclass(frozen=True)
class Tombstone:
    """An identity that was deleted.

    Attributes:
        request: id of the request.
        digest: of namespace and value, salted (``prefix``).
        watermarks: dataset → number of the last batch that had arrived.
    """

    request: int
    namespace: str
    digest: str
    watermarks: Mapping[str, int]


def requests(catalog: Catalog) -> list[PrivacyRequest]:
    """Return all requests, oldest first."""
    with catalog.reading() as connection:
        rows = connection.execute(select(tables.privacy_requests).order_by(tables.privacy_requests.c.id))
        return [PrivacyRequest(**row._mapping) for row in rows]


def tombstones(catalog: Catalog) -> list[Tombstone]:
    """Return all tombstones, oldest first."""
    columns = [tables.tombstones.c[name] for name in ("request", "namespace", "digest", "watermarks")]
    with catalog.reading() as connection:
        rows = connection.execute(select(*columns).order_by(tables.tombstones.c.id))
        return [Tombstone(**row._mapping) for row in rows]


def salt(catalog: Catalog) -> str:
    """Return what makes this home's digests differ from those of others; empty before the first request."""
    return catalog.meta(_SALT) or ""


def prefix(salt: str, namespace: str) -> str:
    """Return what goes before a value to digest it."""
    return f"{salt}\x1f{namespace}\x1f"


def digest(prefixed: str, value: str) -> str:
    """Return the salted digest of a value, as tombstones have it."""
    return hashlib.sha256(f"{prefixed}{value}".encode()).hexdigest()


def save(
    catalog: Catalog,
    connection: Connection,
    request: PrivacyRequest,
    identities: Mapping[str, Collection[str]],
    watermarks: Mapping[str, int],
) -> None:
    """Store a request with its tombstones; no world before its own may be read from then on."""
    own = salt(catalog) or secrets.token_hex(16)
    catalog.set_meta(connection, _SALT, own)
    values = {name: value for name, value in asdict(request).items() if name != "id"}
    done = connection.execute(insert(tables.privacy_requests).values(**values))
    key = done.inserted_primary_key
    assert key is not None  # noqa: S101 - the column is an integer primary key
    rows = [
        {
            "request": int(key[0]),
            "namespace": namespace,
            "digest": digest(prefix(own, namespace), value),
            "watermarks": dict(watermarks),
        }
        for namespace, members in identities.items()
        for value in sorted(members)
    ]
    connection.execute(insert(tables.tombstones), rows)
    older = connection.execute(select(tables.worlds.c.id).where(tables.worlds.c.id < request.world))
    catalog.mark_vacuumed(connection, list(older.scalars()))


def note_vacuum(catalog: Catalog, upto: int) -> None:
    """Note that what requests deleted, up to a world, is in no file any more."""
    requests = tables.privacy_requests
    waiting = requests.c.vacuumed_at.is_(None) & (requests.c.world <= upto)
    with catalog.writing() as connection:
        connection.execute(update(requests).where(waiting).values(vacuumed_at=datetime.now(UTC)))


def unreadable(catalog: Catalog, world: int, what: str) -> HomeError:
    """Return the error that says why an older world cannot be read.

    Args:
        catalog: the catalog.
        world: id of the world, whose files may be gone.
        what: what cannot be done with it, such as ``returned to``.
    """
    newest = select(func.max(tables.privacy_requests.c.world))
    with catalog.reading() as connection:
        erased = connection.execute(newest).scalar() or 0
    if world < erased:
        return HomeError(
            f"world {world} cannot be {what}: identities that it shows were deleted in world {erased}",
            hint="wayline privacy list says when; newer worlds can be read.",
        )
    return HomeError(
        f"world {world} cannot be {what}: its files were vacuumed",
        hint="wayline worlds says which ones can; vacuum with a longer --keep from now on.",
    )


def rewrite(catalog: Catalog) -> bool:
    """Write the catalog's file anew and empty its log, so that neither holds what was deleted.

    Returns:
        Whether it was done; others who read or write at the same time can prevent it.
    """
    with closing(sqlite3.connect(catalog.path, isolation_level=None, timeout=_PATIENCE)) as connection:
        try:
            connection.execute("VACUUM")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
    return not busy
