"""Puts the SQL front together for a home: catalogs for what clients list, the planner for what they ask."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from engine.errors import UnsupportedError
from engine.world import Home
from sqlfront.answer import plan
from sqlfront.catalog import Catalog, CatalogQuestion, recognise
from sqlfront.dialect import Statement, parse
from sqlfront.listing import Listing
from sqlfront.query import Query
from sqlfront.state import Caller, Front
from sqlfront.workspace import Workspace


def open_front(home: Home) -> Front:
    """Return a front whose answers come from a home: its newest world at each statement."""
    workspace = Workspace(home.root / "datasets")
    listing = Listing(home)
    catalog = Catalog(listing.relations)

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

    return Front(_parsed, plan_for, home.catalog.find_user, listing.check)


def _parsed(sql: str) -> Statement | CatalogQuestion:
    question = recognise(sql)
    if question is not None:
        return question
    statements = parse(sql)
    if len(statements) != 1:
        raise UnsupportedError("more than one statement at once", hint="Send them one by one.")
    return statements[0]
