"""Puts the SQL front together for a home: catalogs for what clients list, the planner for what they ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from typing import Final

import pyarrow as pa

from engine.cancellation import Cancellation
from engine.dataview.components import data_view
from engine.definitions.model import Definitions
from engine.errors import UnsupportedError
from engine.governance.access import Access, restricted
from engine.world import Home
from sqlfront import sleeping
from sqlfront.admission import PLACES
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
from sqlfront.constants import Constants, is_constant
from sqlfront.dialect import Statement, parse
from sqlfront.gate import OwnersGate, UsersGate
from sqlfront.problems import ResultChangedError
from sqlfront.query import Query, ResultColumn
from sqlfront.querylog import Asker, QueryLog
from sqlfront.settings import role_of
from sqlfront.sleeping import Sleep
from sqlfront.state import Caller, Front
from sqlfront.system import RELATIONS, SCHEMA, SystemRelation
from sqlfront.workspace import Cache, Workspace

_CATALOGS: Final = 8
"""Catalogs are kept for so many accesses; each takes some megabytes."""

_REMEMBERED: Final = 1024
_REMEMBERED_LENGTH: Final = 4096


def open_front(home: Home, gate: UsersGate | OwnersGate | None = None, *, places: int = PLACES) -> Front:
    """Return a front whose answers come from a home: its newest world at each statement.

    Args:
        gate: who may read what; the home's users by their grants, unless given. What the owner of the files
            asks is not noted in the query log.
        places: so many statements work at once.
    """
    workspace = Workspace(home.root / "datasets", places)
    doors = gate or UsersGate(home.catalog)
    catalogs, constants = _Catalogs(home), Constants()
    log = None if isinstance(doors, OwnersGate) else QueryLog(home)

    def plan_for(
        question: Statement | CatalogQuestion | Sleep,
        caller: Caller,
        parameter_types: Sequence[pa.DataType | None],
    ) -> Query:
        if isinstance(question, Sleep):
            return question

        def access() -> Access:
            return doors.access(caller.user, role_of(caller.settings))

        if isinstance(question, CatalogQuestion):
            about = replace(caller, about=lambda: doors.about(caller.user))
            return catalogs.plan(question, about, parameter_types, access)

        def planned() -> Query:
            return plan(
                question,
                home=home,
                world=home.current(),
                workspace=workspace,
                settings=caller.settings,
                access=access,
                parameter_types=parameter_types,
                temporaries=caller.temporaries,
            )

        if is_constant(question):
            return constants.planned(question, planned)
        return planned() if log is None else log.planned(_asker(caller), question.text, planned)

    login = doors.login if isinstance(doors, UsersGate) else None
    return Front(_parsed, plan_for, login, doors, (lambda: None) if log is None else log.close)


def _asker(caller: Caller) -> Asker:
    return Asker(caller.process, caller.user, caller.peer.address, caller.database, caller.settings)


def _parsed(sql: str) -> Statement | CatalogQuestion | Sleep:
    """Return a statement's tree; short ones are remembered, as clients send them again and again."""
    return _remembered(sql) if len(sql) <= _REMEMBERED_LENGTH else _read(sql)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(sql: str) -> Statement | CatalogQuestion | Sleep:
    return _read(sql)


def _read(sql: str) -> Statement | CatalogQuestion | Sleep:
    question = sleeping.recognise(sql) or recognise(sql)
    if question is not None:
        return question
    statements = parse(sql)
    if len(statements) != 1:
        raise UnsupportedError("more than one statement at once", hint="Send them one by one.")
    return statements[0]


@dataclass(frozen=True)
class _CatalogAnswer:
    """A planned question about the catalogs, which is planned again when access has changed."""

    planned: Query
    key: str
    access: Callable[[], Access]
    again: Callable[[Access], Query]

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The answer's columns."""
        return self.planned.columns

    @property
    def parameters(self) -> tuple[pa.DataType, ...]:
        """Types of the parameters, in their order."""
        return self.planned.parameters

    def run(self, values: Sequence[object], cancellation: Cancellation) -> pa.RecordBatchReader:
        """Answer it from the catalogs of what may be read now."""
        access = self.access()
        planned = self.planned if access.key == self.key else self.again(access)
        if planned.columns != self.columns:
            raise ResultChangedError(
                "cached plan must not change result type", hint="Prepare the statement again."
            )
        return planned.run(values, cancellation)


class _Catalogs:
    """Guards the catalogs: one for each access, as each lists what may be read and nothing else."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: Cache[Catalog] = Cache(_CATALOGS)

    def plan(
        self,
        question: CatalogQuestion,
        caller: Caller,
        parameter_types: Sequence[pa.DataType | None],
        access: Callable[[], Access],
    ) -> Query:
        """Plan a question for whoever asks; what it lists is found when it runs."""

        def planned(now: Access) -> Query:
            catalog = self._known.get(now.key, lambda: Catalog(_Listing(self._home, now).relations))
            return catalog.plan(question, caller, parameter_types)

        first = access()
        return _CatalogAnswer(planned(first), first.key, access, planned)


class _Listing:
    """Guards what clients may list under an access; made anew when the definitions have changed."""

    def __init__(self, home: Home, access: Access) -> None:
        self._home = home
        self._access = access
        self._lock = threading.Lock()
        self._versions = count(1)
        self._definitions: Definitions | None = None
        self._relations = Relations(0, ())

    def relations(self) -> Relations:
        """Return what may be read of the newest world: data views, datasets, wayline's own relations."""
        definitions = self._home.current().definitions
        with self._lock:
            if definitions is not self._definitions:
                self._relations = Relations(next(self._versions), _relations(definitions, self._access))
                self._definitions = definitions
            return self._relations


def _relations(definitions: Definitions, access: Access) -> tuple[Relation, ...]:
    seen = restricted(definitions, access)
    views = (_view(seen, name) for name in seen.data_views)
    datasets = (_dataset(seen, name) for name in filter(access.may_read_dataset, seen.datasets))
    system = (RELATIONS[name] for name in filter(access.may_read_system, RELATIONS))
    return (*views, *datasets, *map(_system, system))


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
