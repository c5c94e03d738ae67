"""What the catalogs tell of: our relations with their columns, and numbers that stay the same."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import pyarrow as pa

from sqlfront.temporary_rows import TEMPORARY_SCHEMA

PUBLIC: Final = 2200
SYSTEM: Final = 13_001
PG_CATALOG: Final = 11
TEMPORARY: Final = 13_002
INFORMATION_SCHEMA: Final = 13_000
_OIDS: Final = range(100_000, 2_000_000_000)
_TEMPORARY_OIDS: Final = range(_OIDS.stop, 2**31)


class Kind(StrEnum):
    """``pg_class.relkind`` of a relation: data views and ours are views, raw datasets are tables.

    Columns of objects have composite types, which stand there as well.
    """

    VIEW = "v"
    TABLE = "r"
    COMPOSITE = "c"


@dataclass(frozen=True)
class RelationColumn:
    """A column: its name, Arrow type and description.

    Attributes:
        kind: what a view's column is in one word, for clients that show no descriptions.
    """

    name: str
    type: pa.DataType
    comment: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Relation:
    """A data view or dataset in ``public``, one of wayline's own in ``system``, or a temporary table.

    Attributes:
        definition: what a view is made of, as SQL to read.
    """

    name: str
    kind: Kind
    columns: tuple[RelationColumn, ...]
    comment: str = ""
    schema: str = "public"
    definition: str = ""

    @property
    def key(self) -> str:
        """The name by which it differs from all others."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Relations:
    """All that a client may list.

    Attributes:
        version: differs whenever the relations do; the catalogs take them once per version.
        relations: data views, datasets and wayline's own; keys are unique.
        oids: what their numbers are taken from.
    """

    version: Hashable = None
    relations: tuple[Relation, ...] = ()
    oids: range = _OIDS


def temporary_relations(tables: Mapping[str, pa.Table]) -> Relations:
    """Return the temporary tables of a session, by their names."""
    version = tuple((name, table.schema) for name, table in tables.items())
    relations = (
        Relation(name, Kind.TABLE, _columns(table.schema), schema=TEMPORARY_SCHEMA)
        for name, table in tables.items()
    )
    return Relations(version, tuple(relations), _TEMPORARY_OIDS)


def _columns(schema: pa.Schema) -> tuple[RelationColumn, ...]:
    return tuple(RelationColumn(field.name, field.type) for field in schema)


def stable_oids(names: Iterable[str], oids: range = _OIDS) -> dict[str, int]:
    """Return a number for each name that does not change when other names come or go.

    Only if two names hash alike, the later of them takes the next free number.
    """
    taken: dict[int, str] = {}
    for name in sorted(names):
        digest = hashlib.blake2s(name.encode(), digest_size=4).digest()
        oid = oids[int.from_bytes(digest) % len(oids)]
        while oid in taken:
            oid = oids[(oid + 1 - oids.start) % len(oids)]
        taken[oid] = name
    return {name: oid for oid, name in taken.items()}
