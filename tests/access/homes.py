"""A shop's home with users of several roles, and what each gets for a statement."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime

import duckdb

from engine import flow
from engine.cancellation import Cancellation
from engine.catalog import access
from engine.catalog.access import Grant, Role, RoleLimits
from engine.definitions.model import SegmentDefinition
from engine.errors import WaylineError
from engine.world import Home
from sqlfront.front import open_front
from sqlfront.gate import UsersGate
from sqlfront.sqlstate import to_wayline_error
from sqlfront.state import Caller
from sqlfront.users import add_user
from tests.sqlfront.conftest import write
from tests.sqlfront.shop import CHANNELS, DEFINITIONS, EVENTS, FIELDS, PLAN

EMAIL = {"where": "channel = 'Email'"}


def build(folder, definitions=DEFINITIONS, events=EVENTS):
    home = Home.create(folder / "home")
    flow.apply(home, definitions)
    flow.ingest(home, "events", [write(folder / "events.csv", FIELDS, events)])
    flow.ingest(home, "channels", [write(folder / "channels.csv", ("channel", "region", "rate"), CHANNELS)])
    flow.ingest(home, "plans", [write(folder / "plans.csv", ("id", "channel", "budget"), PLAN)])
    return home


def grant(home, role, *objects, rule=None, **limits):
    """Add a role if there is none, and grant it ``view:web`` and the like."""
    with access.changing(home.catalog) as connection:
        if role not in access.roll_in(connection).roles:
            access.save_role(connection, Role(role, limits=RoleLimits(**limits)))
        kept = None if rule is None else SegmentDefinition.model_validate(rule).model_dump(mode="json")
        for thing in objects:
            kind, _, name = thing.partition(":")
            access.save_grant(connection, Grant(role, kind, name, datetime.now(UTC), kept))


def revoke(home, role, *objects):
    with access.changing(home.catalog) as connection:
        for thing in objects:
            kind, _, name = thing.partition(":")
            assert access.drop_grant(connection, role, kind, name)


def user(home, name, *roles, **more):
    add_user(home.catalog, name, "secret", roles=list(roles), **more)


def front_of(home):
    """A front that knows of changes at once."""
    return open_front(home, UsersGate(home.catalog, 0))


def planned(front, name, sql, types=(), **settings):
    return front.plan(front.parse(sql), Caller(name, "demo", 7, settings), types)


def rows(query, *values):
    table = query.run(values, Cancellation()).read_all()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def ask(front, name, sql, **settings):
    return rows(planned(front, name, sql, **settings))


def outcome(front, name, sql, **settings):
    """What somebody gets for a statement: names and rows, or what it is refused with."""
    try:
        query = planned(front, name, sql, **settings)
        return [column.name for column in query.columns], rows(query)
    except (WaylineError, duckdb.Error) as error:
        return to_wayline_error(error).sqlstate


@contextmanager
def opened(root):
    home = Home.open(root)
    try:
        yield home
    finally:
        home.close()
