"""A world as somebody may see it: its definitions with the granted views alone, and rules in their segments.

Everything that plans or answers a question takes its world from here, so that no step has to think of rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import ForbiddenError
from engine.governance.access import Access, restricted
from engine.lake.system_columns import SYSTEM_COLUMNS
from engine.world import World
from sqlfront.database import ANY_DATABASE, Database


@dataclass(frozen=True)
class Sight:
    """What somebody sees of a world.

    Attributes:
        world: with definitions in which other views do not occur. Datasets do: views are made of them.
        access: what was granted.
        hidden: views that exist beside those, and that are refused by name.
        database: how it wants to be shown.
        temporaries: the session's own temporary tables.
        system_columns: datasets show the columns that tell of a row's batch.
    """

    world: World
    access: Access
    hidden: frozenset[str]
    database: Database = ANY_DATABASE
    temporaries: Mapping[str, pa.Table] = field(default_factory=dict)
    system_columns: bool = False

    def hides_events(self, view: str) -> bool:
        """Whether a rule of a role keeps events of a view from whoever asks, even how many there are."""
        return self.access.rules(view) is not None

    def schema(self, dataset: str) -> pa.Schema:
        """Return the columns that a dataset shows."""
        schema = self.world.definitions.datasets[dataset].arrow()
        return pa.schema([*schema, *self.system_columns_of(dataset)])

    def system_columns_of(self, dataset: str) -> list[pa.Field]:
        """Return the columns that tell of a row's batch; a dataset's own column of such a name hides it."""
        own = {name.lower() for name in self.world.definitions.datasets[dataset].arrow().names}
        return [field for field in SYSTEM_COLUMNS if self.system_columns and field.name.lower() not in own]

    def datasets(self) -> Iterator[str]:
        """Yield the datasets that may be asked by name."""
        return filter(self.access.may_read_dataset, self.world.definitions.datasets)

    def connections(self) -> Iterator[str]:
        """Yield the connections of which nothing is hidden: all of their datasets were granted."""
        definitions = self.world.definitions
        return (
            name for name in definitions.connections if self.access.may_read_connection(name, definitions)
        )

    def known_system(self, names: Iterable[str]) -> list[str]:
        """Return which of some relations of schema ``system`` may be asked."""
        return [name for name in names if self.access.may_read_system(name)]

    def visible(self, rows: pa.Table) -> pa.Table:
        """Return the rows of a relation of schema ``system`` that tell nothing of what is hidden.

        Rows of a user or role are for that user, users of that role, and administrators. Rows of a dataset
        need that dataset; rows of a connection as a whole need all of its datasets.

        Raises:
            ForbiddenError: the rows do not say whose or of what they are.
        """
        known: dict[str, Iterable[str]] = {
            "user": (self.access.user,),
            "role": self.access.roles,
            "dataset": self.datasets(),
            "connection": self.connections(),
        }
        by = next((name for name in known if name in rows.column_names), None)
        if by is None:
            raise ForbiddenError("permission denied for rows that say nothing of whose they are")
        if by in ("user", "role") and self.access.is_admin:
            return rows
        names = pa.array(list(known[by]), rows.schema.field(by).type)
        return rows.filter(pc.is_in(rows.column(by), value_set=names))


def sight_of(world: World, access: Access, database: Database = ANY_DATABASE) -> Sight:
    """Return a world as somebody sees it."""
    definitions = restricted(world.definitions, access)
    hidden = frozenset(world.definitions.data_views) - definitions.data_views.keys()
    return Sight(replace(world, definitions=definitions), access, hidden, database=database)
