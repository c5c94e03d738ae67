"""What the catalog keeps of users, their passwords and tokens, roles, and what roles were granted.

None of it belongs to a world: a rollback brings back data and definitions, but no grant that was revoked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select, update

from engine.catalog import tables
from engine.catalog.store import Catalog
from engine.errors import UnknownNameError

Kind = Literal["view", "dataset", "system"]
"""Of what is granted: a data view, a dataset, or a relation of schema ``system``."""

ANALYSTS: Final = "analysts"
"""The role that a home begins with: it may read everything."""
EVERY: Final = "*"
"""The name in a grant that stands for all objects of the kind, later ones too."""

_VERSION: Final = "access_version"
_Record = TypeVar("_Record")


@dataclass(frozen=True)
class User:
    """Somebody who may log in.

    Attributes:
        salt, iterations: under which all passwords and tokens of the user are kept.
        is_admin: sees everything, and who else there is.
        disabled_at: since when the user may not log in; None: may.
        valid_until: from when on the user may not log in; None: never.
    """

    name: str
    salt: bytes
    iterations: int
    created_at: datetime
    is_admin: bool = False
    disabled_at: datetime | None = None
    valid_until: datetime | None = None

    def is_welcome(self, now: datetime) -> bool:
        """Whether the user may log in at a moment."""
        return self.disabled_at is None and (self.valid_until is None or now < self.valid_until)


@dataclass(frozen=True)
class Credential:
    """A password or token, of which only SCRAM keys are kept.

    Attributes:
        id: names it where it is listed and revoked.
        label: what a token is for.
        expires_at: from when on it does not count; None: never.
    """

    id: str
    user: str
    kind: Literal["password", "token"]
    stored_key: bytes
    server_key: bytes
    created_at: datetime
    label: str = ""
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Whether it opens a session at a moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class RoleLimits:
    """What users' statements may take; None: the server's own limit.

    Attributes:
        statements: how many may run at once.
        memory_percent: share of the server's memory that they may take together.
        timeout_ms: how long one may take; 0: as long as it likes.
        queue_ms: how long one may wait to begin.
        connections: how many sessions there may be.
    """

    statements: int | None = None
    memory_percent: int | None = None
    timeout_ms: int | None = None
    queue_ms: int | None = None
    connections: int | None = None


LIMITS: Final = tuple(limit.name for limit in fields(RoleLimits))
"""The names of limits."""


@dataclass(frozen=True)
class Role:
    """What users have in common: grants, and limits."""

    name: str
    description: str = ""
    limits: RoleLimits = RoleLimits()

    def record(self) -> dict[str, Any]:
        """Return the role as one flat record: name, description, and each limit."""
        return {"name": self.name, "description": self.description, **asdict(self.limits)}


@dataclass(frozen=True)
class Grant:
    """What a role may read.

    Attributes:
        object: name of the view, dataset or relation; ``*`` for all of the kind.
        rule: a segment, as in a project file: only its events; None: all of them.
    """

    role: str
    kind: Kind
    object: str
    granted_at: datetime
    rule: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Roll:
    """All of it, as of one moment.

    Attributes:
        version: rises with every change.
        memberships: pairs of user and role.
    """

    version: int
    users: Mapping[str, User]
    credentials: tuple[Credential, ...]
    roles: Mapping[str, Role]
    memberships: frozenset[tuple[str, str]]
    grants: tuple[Grant, ...]

    def roles_of(self, user: str) -> tuple[str, ...]:
        """Return the roles of a user, by name."""
        return tuple(sorted(role for name, role in self.memberships if name == user))

    def limits_of(self, roles: Iterable[str]) -> RoleLimits:
        """Return the limits of roles together: one holds where every role sets it, and then the largest."""
        known = [self.roles[name].limits for name in roles if name in self.roles]
        set_by = {name: [getattr(limits, name) for limits in known] for name in LIMITS}
        return RoleLimits(
            **{name: _largest(values) for name, values in set_by.items() if known and None not in values}
        )

    def grants_of(self, roles: Collection[str]) -> tuple[Grant, ...]:
        """Return what any of some roles was granted."""
        return tuple(grant for grant in self.grants if grant.role in roles)

    def credentials_of(self, user: str) -> tuple[Credential, ...]:
        """Return the passwords and tokens of a user that were not revoked, oldest first."""
        return tuple(one for one in self.credentials if one.user == user and one.revoked_at is None)

    def user(self, name: str) -> User:
        """Return a user; UnknownNameError if there is none of that name."""
        return _known(self.users, name, "user")

    def role(self, name: str) -> Role:
        """Return a role; UnknownNameError if there is none of that name."""
        return _known(self.roles, name, "role")


def _largest(limits: Sequence[int]) -> int:
    """Return the largest of limits, where 0 stands for none."""
    return 0 if 0 in limits else max(limits)


def _known(records: Mapping[str, _Record], name: str, kind: str) -> _Record:
    if name not in records:
        known = ", ".join(sorted(records)) or "none"
        raise UnknownNameError(f'there is no {kind} "{name}"', hint=f"Known: {known}.")
    return records[name]


def version(catalog: Catalog) -> int:
    """Return a number that rises with every change of users, credentials, roles and grants."""
    return int(catalog.meta(_VERSION) or 0)


def roll(catalog: Catalog) -> Roll:
    """Return all users, credentials, roles and grants."""
    with catalog.reading() as connection:
        return roll_in(connection)


def roll_in(connection: Connection) -> Roll:
    """Return the same within a transaction."""
    meta = tables.meta
    number = connection.execute(select(meta.c.value).where(meta.c.key == _VERSION)).scalar()
    users = [User(**row) for row in _rows(connection, tables.users)]
    roles = [_role(row) for row in _rows(connection, tables.roles)]
    return Roll(
        int(number or 0),
        {user.name: user for user in users},
        tuple(Credential(**row) for row in _rows(connection, tables.credentials)),
        {role.name: role for role in roles},
        frozenset((row["user"], row["role"]) for row in _rows(connection, tables.memberships)),
        tuple(Grant(**row) for row in _rows(connection, tables.grants)),
    )


def _role(row: dict[str, Any]) -> Role:
    limits = RoleLimits(**{name: row.pop(name) for name in LIMITS})
    return Role(**row, limits=limits)


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    order = [table.c.created_at] if "created_at" in table.c else []
    for row in connection.execute(select(table).order_by(*order, *table.primary_key.columns)):
        yield dict(row._mapping)


@contextmanager
def changing(catalog: Catalog) -> Iterator[Connection]:
    """Open a transaction that changes who may do what: servers notice when it is over."""
    with catalog.writing() as connection:
        yield connection
        raise_version(catalog, connection)


def raise_version(catalog: Catalog, connection: Connection) -> None:
    """Let servers know that something has changed."""
    catalog.set_meta(connection, _VERSION, str(roll_in(connection).version + 1))


def save_user(connection: Connection, user: User) -> None:
    """Add a user, or store what is now known of one."""
    _save(connection, tables.users, asdict(user))


def drop_user(connection: Connection, name: str) -> None:
    """Remove a user with everything that belongs to it."""
    for table, column in ((tables.credentials, "user"), (tables.memberships, "user"), (tables.users, "name")):
        connection.execute(delete(table).where(table.c[column] == name))


def save_credential(connection: Connection, credential: Credential) -> None:
    """Add a password or token, or store what is now known of one."""
    _save(connection, tables.credentials, asdict(credential))


def save_role(connection: Connection, role: Role) -> None:
    """Add a role, or store what is now known of one."""
    _save(connection, tables.roles, role.record())


def drop_role(connection: Connection, name: str) -> None:
    """Remove a role; its users stay, without what it granted."""
    for table, column in ((tables.memberships, "role"), (tables.grants, "role"), (tables.roles, "name")):
        connection.execute(delete(table).where(table.c[column] == name))


def join(connection: Connection, user: str, role: str) -> None:
    """Give a user a role, which it may have already."""
    _save(connection, tables.memberships, {"user": user, "role": role})


def leave(connection: Connection, user: str, role: str) -> bool:
    """Take a role from a user; tell whether the user had it."""
    both = (tables.memberships.c.user == user) & (tables.memberships.c.role == role)
    return connection.execute(delete(tables.memberships).where(both)).rowcount > 0


def save_grant(connection: Connection, grant: Grant) -> None:
    """Grant something to a role; a rule replaces the one before."""
    values = asdict(grant)
    _save(connection, tables.grants, values | {"rule": None if grant.rule is None else dict(grant.rule)})


def drop_grant(connection: Connection, role: str, kind: str, name: str) -> bool:
    """Take something from a role; tell whether it had been granted."""
    grants = tables.grants.c
    where = (grants.role == role) & (grants.kind == kind) & (grants.object == name)
    return connection.execute(delete(tables.grants).where(where)).rowcount > 0


def _save(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    same = [column == values[column.name] for column in table.primary_key.columns]
    known = connection.execute(select(*table.primary_key.columns).where(*same)).first() is not None
    if known:
        connection.execute(update(table).where(*same).values(**values))
    else:
        connection.execute(insert(table).values(**values))


def note_use(catalog: Catalog, credential: str, moment: datetime) -> None:
    """Remember when a password or token was last used; that changes nothing for anybody."""
    with catalog.writing() as connection:
        where = tables.credentials.c.id == credential
        connection.execute(update(tables.credentials).where(where).values(last_used_at=moment))


def begin(connection: Connection) -> None:
    """Make the role that a home begins with."""
    save_role(connection, Role(ANALYSTS, "May read everything"))
    for kind in ("view", "dataset", "system"):
        save_grant(connection, Grant(ANALYSTS, kind, EVERY, datetime.now(UTC)))
