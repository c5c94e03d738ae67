"""Puts the SQL front together for a home: catalogs for what clients list, the planner for what they ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from engine.errors import UnsupportedError
from engine.governance.access import Access
from engine.world import Home
from sqlfront.answer import plan
from sqlfront.caller_values import with_caller
from sqlfront.catalog import Catalog, CatalogQuestion, recognise
from sqlfront.database import read_database
from sqlfront.dialect import Statement, parse
from sqlfront.gate import OwnersGate, UsersGate
from sqlfront.listing import Listing
from sqlfront.query import Query
from sqlfront.settings import role_of
from sqlfront.state import Caller, Front
from sqlfront.workspace import Workspace


def open_front(home: Home, *, as_owner: bool = False) -> Front:
    """Return a front whose answers come from a home: its newest world at each statement.

    Args:
        as_owner: whoever asks may read everything; else what the caller's user was granted.
    """
    workspace = Workspace(home.root / "datasets")
    gate = OwnersGate() if as_owner else UsersGate(home.catalog)

    def access_of(caller: Caller) -> Access:
        return gate.access(caller.user, role_of(caller.settings))

    listing = Listing(home, access_of)
    catalog = Catalog(listing.relations)

    def plan_for(
        question: Statement | CatalogQuestion,
        caller: Caller,
        parameter_types: Sequence[pa.DataType | None],
    ) -> Query:
        if isinstance(question, CatalogQuestion):
            about = replace(caller, about=lambda: gate.about(caller.user))
            return catalog.plan(question, about, parameter_types)
        return plan(
            with_caller(question, caller),
            home=home,
            world=home.current(),
            workspace=workspace,
            settings=caller.settings,
            access=lambda: access_of(caller),
            database=read_database(caller.database),
            parameter_types=parameter_types,
        )

    login = gate.login if isinstance(gate, UsersGate) else None
    return Front(_parsed, plan_for, login, gate, listing.check)


def _parsed(sql: str) -> Statement | CatalogQuestion:
    question = recognise(sql)
    if question is not None:
        return question
    statements = parse(sql)
    if len(statements) != 1:
        raise UnsupportedError("more than one statement at once", hint="Send them one by one.")
    return statements[0]
