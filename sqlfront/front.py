"""Puts the SQL front together for a home: catalogs for what clients list, the planner for what they ask."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import count

import pyarrow as pa

from engine.dataview.components import data_view
from engine.definitions.model import Definitions
from engine.errors import UnsupportedError
from engine.world import Home
from sqlfront.answer import plan
from sqlfront.catalog import (
    Catalog,
    CatalogQuestion,
    Kind,
    Relation,
    RelationColumn,
    Relations,
    recognise,
)
from sqlfront.dialect import Statement, parse
from sqlfront.query import Query
from sqlfront.state import Caller, Front
from sqlfront.system import RELATIONS, SCHEMA, SystemRelation
from sqlfront.workspace import Workspace


def open_front(home: Home) -> Front:
    """Return a front whose answers come from a home: its newest world at each statement."""
    workspace = Workspace(home.root / "datasets")
    catalog = Catalog(_Listing(home).relations)

    def plan_for(
        question: Statement | CatalogQuestion,
        caller: Caller,
        parameter_types: Sequence[pa.DataType | None],
    ) -> Query:
        if isinstance(question, CatalogQuestion):
            return catalog.plan(question, caller, parameter_types)
        return plan(
            question,
            home=home,
            world=home.current(),
            workspace=workspace,
            settings=caller.settings,
            parameter_types=parameter_types,
        )

    return Front(_parsed, plan_for, home.catalog.find_user)


def _parsed(sql: str) -> Statement | CatalogQuestion:
    question = recognise(sql)
    if question is not None:
        return question
    statements = parse(sql)
    if len(statements) != 1:
        raise UnsupportedError("more than one statement at once", hint="Send them one by one.")
    return statements[0]


class _Listing:
    """Guards what clients may list; made anew when the definitions have changed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._versions = count(1)
        self._definitions: Definitions | None = None
        self._relations = Relations(0, ())

    def relations(self, caller: Caller) -> Relations:
        """Return the data views and datasets of the newest world, and wayline's own relations."""
        definitions = self._home.current().definitions
        with self._lock:
            if definitions is not self._definitions:
                self._relations = Relations(next(self._versions), _relations(definitions))
                self._definitions = definitions
            return self._relations


def _relations(definitions: Definitions) -> tuple[Relation, ...]:
    views = (_view(definitions, name) for name in definitions.data_views)
    datasets = (_dataset(definitions, name) for name in definitions.datasets)
    return (*views, *datasets, *map(_system, RELATIONS.values()))


def _view(definitions: Definitions, name: str) -> Relation:
    view = data_view(definitions, name)
    columns = tuple(
        RelationColumn(component.id, component.type, component.description)
        for component in view.components.values()
    )
    return Relation(name, Kind.VIEW, columns, view.definition.description)


def _dataset(definitions: Definitions, name: str) -> Relation:
    dataset = definitions.datasets[name]
    columns = tuple(
        RelationColumn(field, settings.arrow(), settings.description)
        for field, settings in dataset.fields.items()
    )
    return Relation(name, Kind.TABLE, columns, dataset.description)


def _system(relation: SystemRelation) -> Relation:
    columns = tuple(
        RelationColumn(field.name, field.type, relation.comments[field.name]) for field in relation.schema
    )
    return Relation(relation.name, Kind.VIEW, columns, relation.comment, SCHEMA)
