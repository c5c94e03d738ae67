"""Puts the SQL front together for a home: catalogs for what clients list, the planner for what they ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import pyarrow as pa

from engine.errors import UnsupportedError
from engine.governance.access import Access
from engine.world import Home
from sqlfront import sleeping
from sqlfront.admission import PLACES
from sqlfront.answer import plan
from sqlfront.caller_values import CallersQuery, with_caller
from sqlfront.catalog import Catalog, CatalogQuestion, recognise
from sqlfront.constants import Constants, is_constant
from sqlfront.database import read_database
from sqlfront.dialect import Statement, parse
from sqlfront.gate import OwnersGate, UsersGate
from sqlfront.listing import Listing
from sqlfront.problems import PositionedSyntaxProblem
from sqlfront.query import Query
from sqlfront.querylog import Asker, QueryLog
from sqlfront.settings import role_of
from sqlfront.sleeping import Sleep
from sqlfront.state import Caller, Front
from sqlfront.workspace import Workspace

_REMEMBERED: Final = 1024
_REMEMBERED_LENGTH: Final = 4096


def open_front(home: Home, gate: UsersGate | OwnersGate | None = None, *, places: int = PLACES) -> Front:
    """Return a front whose answers come from a home: its newest world at each statement.

    Args:
        gate: who may read what; the home's users by their grants, unless given. What the owner of the files
            asks is not noted in the query log.
        places: so many statements work at once.
    """
    doors = gate or UsersGate(home.catalog)
    planner = _Planner(home, doors, places)
    login = doors.login if isinstance(doors, UsersGate) else None
    return Front(_parsed, planner.plan, login, doors, planner.close, planner.listing.check)


class _Planner:
    """Guards what all sessions of a server share, and plans their statements."""

    def __init__(self, home: Home, doors: UsersGate | OwnersGate, places: int) -> None:
        self._home = home
        self._doors = doors
        self._workspace = Workspace(home.root / "datasets", places)
        self._log = None if isinstance(doors, OwnersGate) else QueryLog(home)
        self._constants = Constants()
        self.listing = Listing(home, self._access)
        self._catalog = Catalog(self.listing.relations)

    def plan(
        self,
        question: Statement | CatalogQuestion | Sleep,
        caller: Caller,
        parameter_types: Sequence[pa.DataType | None],
    ) -> Query:
        """Plan a parsed question of a caller, under the parameter types that the client declared."""
        if isinstance(question, Sleep):
            return question
        if isinstance(question, CatalogQuestion):
            about = replace(caller, about=lambda: self._doors.about(caller.user))
            return self._catalog.plan(question, about, parameter_types)
        asked = with_caller(question, caller)

        def planned(statement: Statement) -> Query:
            return self._over_data(statement, caller, parameter_types)

        if asked is question and is_constant(asked):
            return self._constants.planned(asked, lambda: planned(asked))

        def answered() -> Query:
            query = planned(asked)
            if asked is question:
                return query
            return CallersQuery(query, asked.text, lambda: with_caller(question, caller), planned)

        return answered() if self._log is None else self._log.planned(_asker(caller), question.text, answered)

    def close(self) -> None:
        """Write what is left of the query log."""
        if self._log is not None:
            self._log.close()

    def _access(self, caller: Caller) -> Access:
        return self._doors.access(caller.user, role_of(caller.settings))

    def _over_data(
        self, statement: Statement, caller: Caller, parameter_types: Sequence[pa.DataType | None]
    ) -> Query:
        return plan(
            statement,
            home=self._home,
            world=self._home.current(),
            workspace=self._workspace,
            settings=caller.settings,
            access=lambda: self._access(caller),
            database=read_database(caller.database),
            parameter_types=parameter_types,
            temporaries=caller.temporaries,
            listed=lambda: self.listing.relations(caller),
        )


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
    if statements[0].tree is None:  # such as SELECT with a control character behind it
        raise PositionedSyntaxProblem(f'syntax error at or near "{statements[0].kind}"', position=1)
    return statements[0]
