"""Takes identities out of the catalog's texts: rejected records, errors, names of files, old definitions.

What a home works with, such as names of datasets, stays; the proof of absence names it if it holds one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import JSON, Column, Connection, Table, Text, delete, func, select, update

from engine.catalog import tables
from engine.governance.words import Words
from engine.ingest.diagnostics import RECORD_LENGTH

DELETED: Final = "(deleted)"
"""What stands where an identity was."""
_TABLES: Final = frozenset(
    (
        *("meta", "definitions", "worlds", "pins", "privacy_requests", "tombstones"),
        *("users", "credentials", "roles", "memberships", "grants"),
    )
)
"""Tables that say how a home works, and nothing of records."""
_COLUMNS: Final = frozenset(
    (
        *("id", "name", "dataset", "connection", "batch", "status", "code", "kind", "schedule"),
        *("user", "state", "sqlstate"),
    )
)
"""Columns of other tables that do so."""
_RECORDS: Final = frozenset(["record", "file", "files"])
"""Columns that quote what was handed in."""


def scrub(connection: Connection, words: Words) -> int:
    """Take identities out of all texts of the catalog; return how many rows held some."""
    changed = sum(_scrub_table(connection, table, words) for table in tables.metadata.sorted_tables)
    return changed + _drop_definitions(connection, words)


def texts(table: Table) -> Iterator[Column[Any]]:
    """Yield the columns of a table that hold texts, alone or in JSON."""
    for column in table.columns:
        if isinstance(column.type, Text | JSON):
            yield column


def is_structure(column: Column[Any]) -> bool:
    """Return whether a home works with a column, so that nothing is taken out of it."""
    return column.table.name in _TABLES or column.name in _COLUMNS or column.primary_key


def finds(words: Words, column: str, text: str) -> bool:
    """Return whether a text of a column holds one of some identities."""
    return words.find(text, record=column in _RECORDS)


def _scrub_table(connection: Connection, table: Table, words: Words) -> int:
    keys = list(table.primary_key.columns)
    columns = [column for column in texts(table) if not is_structure(column)]
    changed = 0
    for row in connection.execute(select(*keys, *columns)).all() if columns else ():
        before = {column.name: row._mapping[column.name] for column in columns}
        after = {name: _without(value, name, words) for name, value in before.items()}
        if after != before:
            where = [key == row._mapping[key.name] for key in keys]
            connection.execute(update(table).where(*where).values(**after))
            changed += 1
    return changed


def _without(value: Any, column: str, words: Words) -> Any:
    """Return a text, or JSON with texts, without identities."""
    if isinstance(value, dict):
        return {_without(key, column, words): _without(inner, column, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, column, words) for inner in value]
    if not isinstance(value, str):
        return value
    if column == "record":
        cut = len(value) >= RECORD_LENGTH and words.ends(value)
        return DELETED if cut or finds(words, column, value) else value
    return words.replace(value, DELETED, record=column in _RECORDS)


def _drop_definitions(connection: Connection, words: Words) -> int:
    """Let older worlds, which nobody can read any more, share the newest definitions instead of those."""
    revision, document = tables.definitions.c.revision, tables.definitions.c.document
    newest = connection.execute(select(func.max(revision))).scalar()
    rows = connection.execute(select(revision, document).where(revision != newest)).all()
    old = [number for number, text in rows if words.find(text, record=False)]
    used = tables.worlds.c.revision.in_(old)
    connection.execute(update(tables.worlds).where(used).values(revision=newest))
    connection.execute(delete(tables.definitions).where(revision.in_(old)))
    return len(old)
