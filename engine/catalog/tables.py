"""The catalog's tables: everything a home must remember that is not event data.

SQLAlchemy Core only, so that the same schema also fits a server database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: aware in Python, stored without a zone because SQLite has none."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Store a moment as naive UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return a stored moment as aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


metadata: Final = MetaData()

meta: Final = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

definitions: Final = Table(
    "definitions",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("applied_at", UtcDateTime, nullable=False),
)

worlds: Final = Table(
    "worlds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("published_at", UtcDateTime, nullable=False),
    Column("cause", Text, nullable=False),
    Column("revision", ForeignKey("definitions.revision"), nullable=False),
    Column("datasets", JSON, nullable=False),
    Column("journeys", JSON, nullable=False),
    Column("stitch_logs", JSON, nullable=False),
    Column("devices", JSON, nullable=False),
    Column("vacuumed_at", UtcDateTime),
    Column("identities", BigInteger),
)

pins: Final = Table(
    "pins",
    metadata,
    Column("process", Text, primary_key=True),
    Column("world", ForeignKey("worlds.id"), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)

batches: Final = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("input_records", BigInteger, nullable=False),
    Column("output_records", BigInteger, nullable=False),
    Column("failed_records", BigInteger, nullable=False),
    Column("files", JSON, nullable=False),
    Column("errors", JSON, nullable=False),
    Column("version", BigInteger),
    Column("ended_at", UtcDateTime),
    Column("replaced_by", Integer),
    Column("purge", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("dataset", "number"),
)

rejects: Final = Table(
    "rejects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("batch", ForeignKey("batches.id"), nullable=False, index=True),
    Column("file", Text, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("record", Text, nullable=False),
)

replays: Final = Table(
    "replays",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("lookback_seconds", BigInteger, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("rows_in_window", BigInteger, nullable=False),
    Column("rows_changed", BigInteger, nullable=False),
    Column("persons_before", BigInteger, nullable=False),
    Column("persons_after", BigInteger, nullable=False),
    Column("persons_merged", BigInteger),
    Column("persons_split", BigInteger),
    Column("rows_resumed", BigInteger, nullable=False, server_default="0"),
    Column("status", Text, nullable=False, server_default="done"),
    Column("datasets", JSON, nullable=False, server_default="[]"),
    Column("schedule", Text),
    Column("due_at", UtcDateTime),
    Column("error", Text),
    Column("cancel", Boolean, nullable=False, server_default=false()),
)

skips: Final = Table(
    "skips",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("dataset", Text, primary_key=True),
    Column("batch", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
)

users: Final = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("iterations", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("is_admin", Boolean, nullable=False, server_default=false()),
    Column("disabled_at", UtcDateTime),
    Column("valid_until", UtcDateTime),
)

credentials: Final = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user", ForeignKey("users.name"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("stored_key", LargeBinary, nullable=False),
    Column("server_key", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
)

roles: Final = Table(
    "roles",
    metadata,
    Column("name", Text, primary_key=True),
    Column("description", Text, nullable=False, server_default=""),
    Column("statements", Integer),
    Column("memory_percent", Integer),
    Column("timeout_ms", BigInteger),
    Column("queue_ms", BigInteger),
    Column("connections", Integer),
)

memberships: Final = Table(
    "memberships",
    metadata,
    Column("user", ForeignKey("users.name"), primary_key=True),
    Column("role", ForeignKey("roles.name"), primary_key=True),
)

grants: Final = Table(
    "grants",
    metadata,
    Column("role", ForeignKey("roles.name"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("granted_at", UtcDateTime, nullable=False),
    Column("rule", JSON(none_as_null=True)),
)

queries: Final = Table(
    "queries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("session", Integer, nullable=False),
    Column("user", Text, nullable=False, index=True),
    Column("address", Text, nullable=False),
    Column("application", Text, nullable=False),
    Column("database", Text, nullable=False),
    Column("statement", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("sqlstate", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("waited_ms", Float, nullable=False),
    Column("first_row_ms", Float),
    Column("total_ms", Float, nullable=False),
    Column("rows", BigInteger, nullable=False),
)

privacy_requests: Final = Table(
    "privacy_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("erasure", Text, nullable=False, unique=True),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime, nullable=False),
    Column("world", ForeignKey("worlds.id"), nullable=False),
    Column("identities", Integer, nullable=False),
    Column("erased", JSON, nullable=False),
    Column("unstitched", JSON, nullable=False),
    Column("vacuumed_at", UtcDateTime),
)

tombstones: Final = Table(
    "tombstones",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("request", ForeignKey("privacy_requests.id"), nullable=False),
    Column("namespace", Text, nullable=False),
    Column("digest", Text, nullable=False, index=True),
    Column("watermarks", JSON, nullable=False),
)

Index("batches_by_status", batches.c.status)
