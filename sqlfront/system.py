"""The relations of schema ``system``: what wayline tells of itself, as tables that any statement can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from engine.alarms import ALARMS, identity_alarms
from engine.quality import BIGGEST, QUALITY, Check, biggest_persons, stitching_quality
from engine.world import Home, World
from sqlfront.people import GRANTS, ROLES, TOKENS, USERS, people
from sqlfront.querylog import QUERIES, query_rows
from sqlfront.sight import Sight
from sqlfront.workspace import Cache

SCHEMA: Final = "system"

_CONNECTION: Final = {"connection": "The connection"}
_PLACE: Final = {**_CONNECTION, "dataset": "The stitched dataset"}


@dataclass(frozen=True)
class SystemRelation:
    """A relation of schema ``system``.

    Attributes:
        comments: column → what it says.
        rows: finds its rows in a world.
        is_kept: they are the same as long as the world is.
    """

    name: str
    comment: str
    schema: pa.Schema
    comments: Mapping[str, str]
    rows: Callable[[Home, World, Check], pa.Table]
    is_kept: bool = True


_QUALITY: Final = SystemRelation(
    "stitching_quality",
    "How good stitching is, per stitched dataset and day. Numbers of ids and devices count each once a day",
    QUALITY,
    {
        **_PLACE,
        "day": "Day of the events, UTC",
        "rows": "Events",
        "rows_with_person": "Events that carry a person id themselves",
        "rows_with_device": "Events that carry a persistent id",
        "stitched_rows": "Events that belong to a person id after stitching",
        "authentication_rate": "rows_with_person / rows",
        "stitched_rate": "stitched_rows / rows",
        "increase": "(stitched_rows - rows_with_person) / rows_with_person",
        "lift": "stitched_rows / rows_with_person",
        "raw_ids": "People without stitching: distinct person ids, and persistent ids where there is none",
        "stitched_ids": "People with stitching",
        "devices": "Distinct persistent ids",
        "shared_devices": "Those among them on which two person ids or more were ever named",
        "shared_device_rows": "Events on shared devices",
    },
    stitching_quality,
)
_BIGGEST: Final = SystemRelation(
    "biggest_persons",
    "The persons of each stitched dataset with most events",
    BIGGEST,
    {
        **_PLACE,
        "place": "1 is the biggest",
        "person": "Whom the events belong to",
        "is_person": "Whether that is a person id; else a persistent id stands for the person",
        "rows": "Events",
        "share_of_rows": "rows / all events of the dataset",
        "devices": "Distinct persistent ids of the events",
        "days": "Days with events, UTC",
        "first_day": "Day of the first event",
        "last_day": "Day of the last event",
    },
    biggest_persons,
)
_ALARMS: Final = SystemRelation(
    "identity_alarms",
    "Identities that are suspect: they put too many events together, or cannot be stitched",
    ALARMS,
    {
        **_CONNECTION,
        "kind": "many devices: of a person id; many changes: of a device's person; "
        "two namespaces: one value identifies in several",
        "namespace": "Of the identity; all of them, where one value has several",
        "value": "The identity",
        "counted": "How many devices, changes or namespaces",
        "threshold": "From where on that is suspect",
    },
    identity_alarms,
)

_QUERIES: Final = SystemRelation(
    "queries",
    "What was asked of this server: your statements, and for administrators those of all. Questions to the "
    "data, with those that were refused",
    QUERIES,
    {
        "session": "Number of the session",
        "user": "Who asked",
        "address": "Of the client",
        "application": "application_name of the session",
        "database": "As the client named it",
        "statement": "Its text, without the values of parameters",
        "state": "running, done, failed or cancelled",
        "sqlstate": "Of its error",
        "message": "Of its error",
        "started_at": "When it began, UTC",
        "waited_ms": "How long it waited for its turn",
        "first_row_ms": "From its begin to its first row",
        "total_ms": "From its begin to its end, or until now",
        "rows": "Given to the client",
    },
    lambda home, _, __: query_rows(home),
    is_kept=False,
)

_USERS: Final = SystemRelation(
    "users",
    "Who may log in: you, and for administrators all",
    USERS,
    {
        "user": "Name",
        "roles": "What the user may read comes from these",
        "is_admin": "Reads everything",
        "created_at": "When the user was added, UTC",
        "disabled_at": "Since when the user may not log in; empty: may",
        "valid_until": "From when on the user may not log in; empty: never",
    },
    lambda home, _, __: people("users", home),
    is_kept=False,
)
_TOKENS: Final = SystemRelation(
    "tokens",
    "Secrets that count as passwords, without the secrets: yours, and for administrators all",
    TOKENS,
    {
        "token": "Its id, by which it is revoked",
        "user": "Whose",
        "label": "What for",
        "created_at": "When it was made, UTC",
        "expires_at": "From when on it does not count; empty: never",
        "last_used_at": "When it last opened a session, to the minute",
        "revoked_at": "Since when it does not count; empty: it was not revoked",
    },
    lambda home, _, __: people("tokens", home),
    is_kept=False,
)
_ROLES: Final = SystemRelation(
    "roles",
    "What users have in common: your roles, and for administrators all. Empty limits are the server's",
    ROLES,
    {
        "role": "Name",
        "description": "What it is for",
        "statements": "Statements at once",
        "memory_percent": "Share of the memory",
        "timeout_ms": "Longest time of a statement; 0: any time",
        "queue_ms": "Longest wait of a statement",
        "connections": "Sessions at once",
    },
    lambda home, _, __: people("roles", home),
    is_kept=False,
)
_GRANTS: Final = SystemRelation(
    "grants",
    "What roles may read: of your roles, and for administrators of all",
    GRANTS,
    {
        "role": "Who may read it",
        "kind": "view, dataset or system",
        "object": "Its name, * for all of the kind",
        "rule": "Segment of which the events may be read, as JSON; empty: all of them",
        "granted_at": "When, UTC",
    },
    lambda home, _, __: people("grants", home),
    is_kept=False,
)
_ALL: Final = (_QUALITY, _BIGGEST, _ALARMS, _QUERIES, _USERS, _TOKENS, _ROLES, _GRANTS)

RELATIONS: Final[Mapping[str, SystemRelation]] = {relation.name: relation for relation in _ALL}
"""By name."""

_KNOWN: Final[Cache[pa.Table]] = Cache(2 * len(RELATIONS))


def system_relation(name: str) -> SystemRelation | None:
    """Return the relation of this name in any case, if there is one."""
    return RELATIONS.get(name.lower())


def system_rows(name: str, home: Home, sight: Sight, check: Check) -> pa.Table:
    """Return the rows of a relation that somebody may see.

    All of them are kept, so that whoever asks twice in one world gets them at once.
    """
    world, relation = sight.world, RELATIONS[name]
    if not relation.is_kept:
        return sight.visible(relation.rows(home, world, check))
    key: tuple[Path, int, str] = (home.root, world.id, name)
    return sight.visible(_KNOWN.get(key, lambda: relation.rows(home, world, check)))
