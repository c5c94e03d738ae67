"""Users, tokens, roles and grants as relations of schema ``system``: who may do what, for administrators.

Keys of passwords and tokens are no part of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa

from engine.catalog import access
from engine.catalog.access import LIMITS, Roll
from engine.world import Home

_TEXT: Final = pa.string()
_MOMENT: Final = pa.timestamp("us", tz="UTC")

USERS: Final = pa.schema(
    [
        ("user", _TEXT),
        ("roles", _TEXT),
        ("is_admin", pa.bool_()),
        ("created_at", _MOMENT),
        ("disabled_at", _MOMENT),
        ("valid_until", _MOMENT),
    ]
)
TOKENS: Final = pa.schema(
    [
        *(("token", _TEXT), ("user", _TEXT), ("label", _TEXT), ("created_at", _MOMENT)),
        *(("expires_at", _MOMENT), ("last_used_at", _MOMENT), ("revoked_at", _MOMENT)),
    ]
)
ROLES: Final = pa.schema([("role", _TEXT), ("description", _TEXT), *((name, pa.int64()) for name in LIMITS)])
GRANTS: Final = pa.schema(
    [("role", _TEXT), ("kind", _TEXT), ("object", _TEXT), ("rule", _TEXT), ("granted_at", _MOMENT)]
)


def _users(roll: Roll) -> list[Mapping[str, Any]]:
    return [
        asdict(user) | {"user": user.name, "roles": ", ".join(roll.roles_of(user.name))}
        for user in roll.users.values()
    ]


def _tokens(roll: Roll) -> list[Mapping[str, Any]]:
    return [asdict(one) | {"token": one.id} for one in roll.credentials if one.kind == "token"]


def _roles(roll: Roll) -> list[Mapping[str, Any]]:
    return [role.record() | {"role": role.name} for role in roll.roles.values()]


def _grants(roll: Roll) -> list[Mapping[str, Any]]:
    return [
        asdict(grant) | {"rule": None if grant.rule is None else json.dumps(dict(grant.rule))}
        for grant in roll.grants
    ]


_ROWS: Final[Mapping[str, tuple[pa.Schema, Callable[[Roll], list[Mapping[str, Any]]]]]] = {
    "users": (USERS, _users),
    "tokens": (TOKENS, _tokens),
    "roles": (ROLES, _roles),
    "grants": (GRANTS, _grants),
}


def people(name: str, home: Home) -> pa.Table:
    """Return the rows of ``users``, ``tokens``, ``roles`` or ``grants`` as they are now."""
    schema, rows = _ROWS[name]
    found = rows(access.roll(home.catalog))
    picked = [{column: row.get(column) for column in schema.names} for row in found]
    return pa.Table.from_pylist(picked, schema=schema)
