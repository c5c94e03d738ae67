"""Adds users, passwords and tokens to a home: only SCRAM keys are kept, from which none can be read."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from engine.catalog import access
from engine.catalog.access import ANALYSTS, Credential, Roll, User
from engine.catalog.store import Catalog
from engine.errors import InputError, UnknownNameError
from sqlfront.auth import ITERATIONS, verifier_of

MOST_TOKENS: Final = 20
"""So many tokens of a user may be live: a login is compared with each."""
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_RESERVED: Final = ("none", "public", "default", "postgres")


def add_user(
    catalog: Catalog,
    name: str,
    password: str,
    *,
    roles: Sequence[str] | None = None,
    is_admin: bool = False,
    valid_until: datetime | None = None,
) -> tuple[str, ...]:
    """Add a user with a password; return the user's roles.

    Args:
        roles: None: the role that a home begins with, while there is one.

    Raises:
        InputError: the name cannot be one, or is taken.
        UnknownNameError: there is no such role.
    """
    with access.changing(catalog) as connection:
        roll = access.roll_in(connection)
        check_name(roll, name)
        given = tuple(roles) if roles is not None else tuple({ANALYSTS} & roll.roles.keys())
        now = datetime.now(UTC)
        user = User(name, secrets.token_bytes(16), ITERATIONS, now, is_admin, valid_until=valid_until)
        access.save_user(connection, user)
        _save_password(connection, user, password, now)
        for role in given:
            access.join(connection, name, roll.role(role).name)
    return given


def check_name(roll: Roll, name: str) -> None:
    """Raise unless a name can be that of a new user or role; the two share their names, as in PostgreSQL."""
    if not name.strip() or not name.isprintable() or name.lower() in _RESERVED or name.startswith("pg_"):
        raise InputError(
            f"{name!r} cannot be a name of a user or role", hint="Use letters, digits and signs."
        )
    if name in roll.users or name in roll.roles:
        kind = "user" if name in roll.users else "role"
        raise InputError(f'there is a {kind} "{name}" already', hint=f"wayline {kind} list shows all.")


def set_password(catalog: Catalog, name: str, password: str) -> None:
    """Give a user a new password; the one before no longer counts, and ends its sessions.

    Raises:
        UnknownNameError: there is no such user.
    """
    with access.changing(catalog) as connection:
        roll, now = access.roll_in(connection), datetime.now(UTC)
        user = roll.user(name)
        for credential in roll.credentials_of(name):
            if credential.kind == "password":
                access.save_credential(connection, replace(credential, revoked_at=now))
        _save_password(connection, user, password, now)


def add_token(
    catalog: Catalog, name: str, *, label: str = "", expires_at: datetime | None = None
) -> tuple[Credential, str]:
    """Give a user a further secret, which every client takes as a password; return it, once.

    Raises:
        UnknownNameError: there is no such user.
        InputError: the user has as many live tokens as are allowed.
    """
    with access.changing(catalog) as connection:
        roll, now = access.roll_in(connection), datetime.now(UTC)
        user = roll.user(name)
        live = [one for one in roll.credentials_of(name) if one.kind == "token" and one.is_live(now)]
        if len(live) >= MOST_TOKENS:
            raise InputError(
                f'user "{name}" has {len(live)} tokens, and more are not allowed',
                hint="Revoke some of them: wayline token list shows when each was last used.",
            )
        number = _fresh_id("wl", roll)
        secret = f"{number}_{secrets.token_urlsafe(32)}"
        keys = verifier_of(secret, user.salt, user.iterations)
        token = Credential(
            number, name, "token", keys.stored_key, keys.server_key, now, label, expires_at=expires_at
        )
        access.save_credential(connection, token)
    return token, secret


def revoke_token(catalog: Catalog, number: str) -> Credential:
    """Let a token no longer count, and end its sessions.

    Raises:
        UnknownNameError: there is no such token, or it was revoked before.
    """
    with access.changing(catalog) as connection:
        live = [one for one in access.roll_in(connection).credentials if one.revoked_at is None]
        found = next((one for one in live if one.id == number and one.kind == "token"), None)
        if found is None:
            raise UnknownNameError(f'there is no token "{number}"', hint="wayline token list shows all.")
        revoked = replace(found, revoked_at=datetime.now(UTC))
        access.save_credential(connection, revoked)
    return revoked


def _save_password(connection: Connection, user: User, password: str, now: datetime) -> None:
    keys = verifier_of(password, user.salt, user.iterations)
    number = _fresh_id("pw", access.roll_in(connection))
    access.save_credential(
        connection, Credential(number, user.name, "password", keys.stored_key, keys.server_key, now)
    )


def _fresh_id(prefix: str, roll: Roll) -> str:
    taken = {credential.id for credential in roll.credentials}
    while True:
        number = f"{prefix}_{''.join(secrets.choice(_ID_LETTERS) for _ in range(6))}"
        if number not in taken:
            return number
