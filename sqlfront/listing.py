"""What clients may list: the relations of the newest world, as the database that they named wants them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from engine.dataview.components import data_view
from engine.definitions.model import Definitions
from engine.governance.access import Access, restricted
from engine.world import Home
from sqlfront.catalog import Kind, Relation, RelationColumn, Relations
from sqlfront.comments import comment, definition, kind
from sqlfront.database import VIEWS, Database, read_database, view_id
from sqlfront.sqlstate import SqlError
from sqlfront.state import Caller
from sqlfront.system import RELATIONS, SCHEMA, SystemRelation

_MOST: Final = 64


class Listing:
    """Guards what clients may list; made anew when the definitions have changed.

    Args:
        access_of: returns what a caller may read now.
    """

    def __init__(self, home: Home, access_of: Callable[[Caller], Access]) -> None:
        self._home = home
        self._access_of = access_of
        self._lock = threading.Lock()
        self._versions = count(1)
        self._definitions: Definitions | None = None
        self._known: dict[object, Relations] = {}

    def relations(self, caller: Caller) -> Relations:
        """Return what a caller may read of the newest world: views, datasets, wayline's own relations."""
        definitions = self._home.current().definitions
        database, access = read_database(caller.database), self._access_of(caller)
        key = (access.key, database.key)
        with self._lock:
            if definitions is not self._definitions or len(self._known) > _MOST:
                self._known.clear()
                self._definitions = definitions
            if key not in self._known:
                relations = tuple(listed(definitions, database, access))
                self._known[key] = Relations(next(self._versions), relations)
            return self._known[key]

    def check(self, caller: Caller) -> None:
        """Raise if the caller's database names one relation, and it does not exist.

        Raises:
            SqlError: it does not, or the database has options that are not known.
        """
        database = read_database(caller.database)
        if database.only is not None and not self.relations(caller).relations:
            raise SqlError(
                f'there is no relation "{database.only}" to open as a database',
                "42P12",
                hint='Write "all" for everything or "cja" for data views in its place.',
            )


def listed(definitions: Definitions, database: Database, access: Access) -> Iterator[Relation]:
    """Yield what a database lists of what may be read."""
    definitions = restricted(definitions, access)
    for name in definitions.data_views:
        if database.wants(name, view_id(name)):
            yield _view(definitions, name, database)
    if database.scope == VIEWS:
        return
    for name in filter(database.wants, filter(access.may_read_dataset, definitions.datasets)):
        yield _dataset(definitions, name, flatten=database.flatten)
    for name in filter(database.wants, filter(access.may_read_system, RELATIONS)):
        yield _system(RELATIONS[name])


def _view(definitions: Definitions, name: str, database: Database) -> Relation:
    view = data_view(definitions, name)
    columns = tuple(
        RelationColumn(component.id, component.type, comment(component), kind(component))
        for component in view.components.values()
    )
    said = view.definition.description
    if database.use_ids or database.only == view_id(name):
        said = f"{name}: {said}" if said else name
        name = view_id(name)
    return Relation(name, Kind.VIEW, columns, said, definition=definition(view))


def _dataset(definitions: Definitions, name: str, *, flatten: bool) -> Relation:
    dataset = definitions.datasets[name]
    fields = dataset.leaves() if flatten else dataset.fields
    columns = tuple(
        RelationColumn(field, settings.arrow(), settings.description) for field, settings in fields.items()
    )
    return Relation(name, Kind.TABLE, columns, dataset.description)


def _system(relation: SystemRelation) -> Relation:
    columns = tuple(
        RelationColumn(field.name, field.type, relation.comments[field.name]) for field in relation.schema
    )
    return Relation(relation.name, Kind.VIEW, columns, relation.comment, SCHEMA)
