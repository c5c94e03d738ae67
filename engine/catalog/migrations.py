"""Steps that bring the catalog of an older home to the next format."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from engine.catalog import access, tables
from engine.catalog.store import Catalog

_VERIFIER: Final = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)")
"""How formats up to 3 kept a password: ``SCRAM-SHA-256$iterations:salt$stored key:server key``."""


def to_format_2(catalog: Catalog) -> None:
    """Format 1 to 2: worlds know versions of devices and when they went, and batches how they ended."""
    add_devices_to_worlds(catalog)
    add_ends_to_worlds(catalog)
    add_ends_to_batches(catalog)


def to_format_3(catalog: Catalog) -> None:
    """Format 2 to 3: an identity graph of worlds, replays as jobs, and what was deleted for privacy."""
    add_identities_to_worlds(catalog)
    add_reports_to_replays(catalog)
    add_privacy(catalog)


def to_format_4(catalog: Catalog) -> None:
    """Format 3 to 4: users have roles, passwords and tokens; all who are known read everything."""
    with catalog.writing() as connection:
        columns = {column.name for column in connection.exec_driver_sql("PRAGMA table_info(users)").all()}
        if "verifier" not in columns:
            return
        known = connection.exec_driver_sql("SELECT name, verifier FROM users").all()
        connection.exec_driver_sql("DROP TABLE users")
        new = [tables.users, tables.credentials, tables.roles, tables.memberships, tables.grants]
        new.append(tables.queries)
        tables.metadata.create_all(connection, tables=new)
        access.begin(connection)
        for number, (name, verifier) in enumerate(known, start=1):
            _add_user(connection, name, verifier, f"pw_{number}")
        access.raise_version(catalog, connection)


def _add_user(connection: Connection, name: str, verifier: str, credential: str) -> None:
    """Keep a user with its password; one that is malformed never let anybody in."""
    parts, now = _VERIFIER.fullmatch(verifier), datetime.now(UTC)
    if parts is not None:
        salt, stored, server = (base64.b64decode(parts[part]) for part in (2, 3, 4))
        access.save_user(connection, access.User(name, salt, int(parts[1]), now))
        access.save_credential(
            connection, access.Credential(credential, name, "password", stored, server, now)
        )
        access.join(connection, name, access.ANALYSTS)


def add_identities_to_worlds(catalog: Catalog) -> None:
    """A world also says which version of the identity graph it shows; no home had one."""
    with catalog.writing() as connection:
        _add_column(connection, "worlds", "identities", "BIGINT")


def add_privacy(catalog: Catalog) -> None:
    """A home keeps privacy requests and tombstones; none had any."""
    with catalog.writing() as connection:
        tables.metadata.create_all(connection, tables=[tables.privacy_requests, tables.tombstones])


def add_devices_to_worlds(catalog: Catalog) -> None:
    """What is known of devices leaves the catalog for tables that worlds have versions of.

    Older worlds have none: the next change of a connection reads its devices from its journeys.
    """
    with catalog.writing() as connection:
        _add_column(connection, "worlds", "devices", "JSON NOT NULL DEFAULT '{}'")
        connection.exec_driver_sql("DROP TABLE IF EXISTS device_memory")


def add_ends_to_worlds(catalog: Catalog) -> None:
    """A world also says since when its files may be gone; none was before."""
    with catalog.writing() as connection:
        _add_column(connection, "worlds", "vacuumed_at", "DATETIME")


def add_ends_to_batches(catalog: Catalog) -> None:
    """A batch also says when and by what it became inactive; none was before."""
    with catalog.writing() as connection:
        _add_column(connection, "batches", "ended_at", "DATETIME")
        _add_column(connection, "batches", "replaced_by", "INTEGER")
        _add_column(connection, "batches", "purge", "BOOLEAN NOT NULL DEFAULT 0")


def add_reports_to_replays(catalog: Catalog) -> None:
    """A replay also says what it merged and split, for which schedule it ran, and how it ended."""
    with catalog.writing() as connection:
        _add_column(connection, "replays", "persons_merged", "BIGINT")
        _add_column(connection, "replays", "persons_split", "BIGINT")
        _add_column(connection, "replays", "rows_resumed", "BIGINT NOT NULL DEFAULT 0")
        _add_column(connection, "replays", "status", "TEXT NOT NULL DEFAULT 'done'")
        _add_column(connection, "replays", "datasets", "JSON NOT NULL DEFAULT '[]'")
        _add_column(connection, "replays", "schedule", "TEXT")
        _add_column(connection, "replays", "due_at", "DATETIME")
        _add_column(connection, "replays", "error", "TEXT")
        _add_column(connection, "replays", "cancel", "BOOLEAN NOT NULL DEFAULT 0")


def _add_column(connection: Connection, table: str, name: str, kind: str) -> None:
    columns = connection.exec_driver_sql(f"PRAGMA table_info({table})").all()
    if all(column.name != name for column in columns):
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
