"""The query log: who asked what and how it went, seen by those who may, and nothing of who was deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine import flow
from engine.cancellation import Cancellation
from engine.catalog import queries
from engine.governance.access import OWNER, Access
from engine.world import Home
from sqlfront.front import open_front
from sqlfront.sight import sight_of
from sqlfront.state import Caller
from sqlfront.system import system_rows
from sqlfront.users import add_user
from tests.sqlfront.conftest import write
from tests.sqlfront.shop import DEFINITIONS, EVENTS, FIELDS


@pytest.fixture
def home(tmp_path):
    made = Home.create(tmp_path / "home")
    flow.apply(made, DEFINITIONS)
    flow.ingest(made, "events", [write(tmp_path / "events.csv", FIELDS, EVENTS)])
    for user in ("ann", "bob"):
        add_user(made.catalog, user, "secret")
    yield made
    made.close()


@pytest.fixture
def front(home):
    opened = open_front(home)
    yield opened
    opened.close()


@pytest.fixture
def start(front):
    """Plan and begin a statement; returns its reader."""

    def started(sql, user="ann", cancellation=None):
        caller = Caller(user, "demo", 7, {"application_name": "psql"})
        return front.plan(front.parse(sql), caller, ()).run((), cancellation or Cancellation())

    return started


def seen(home, access=OWNER):
    rows = system_rows("queries", home, sight_of(home.current(), access), lambda: None)
    return [(row["statement"], row["state"], row["rows"]) for row in rows.to_pylist()]


def test_a_question_is_noted_with_how_it_went(home, front, start):
    start("select channel from web").read_all()
    (row,) = system_rows("queries", home, sight_of(home.current(), OWNER), lambda: None).to_pylist()
    assert (row["user"], row["application"], row["database"], row["session"]) == ("ann", "psql", "demo", 7)
    assert (row["state"], row["sqlstate"], row["rows"]) == ("done", "", len(EVENTS))
    assert 0 < row["first_row_ms"] <= row["total_ms"]


def test_a_question_is_seen_while_it_runs_and_until_nobody_reads_it(home, start):
    reader = start("select channel from web")
    assert seen(home) == [("select channel from web", "running", 0)]
    reader.close()
    del reader
    assert [state for _, state, _ in seen(home)] == ["done"]


def test_refused_and_failed_and_cancelled_ones_say_so(home, start):
    with pytest.raises(Exception, match="does not exist"):
        start("select nothing from web")
    with pytest.raises(Exception, match="invalid input syntax for type integer"):
        start("select cast(channel || 'x' as int) from (select channel from web group by 1) x").read_all()
    cancelled = Cancellation()
    cancelled.cancel()
    with pytest.raises(Exception, match="cancel"):
        start("select sum(orders) from web", cancellation=cancelled).read_all()
    assert [state for _, state, _ in seen(home)] == ["failed", "failed", "cancelled"]


def test_what_reads_nothing_is_not_noted(home, start):
    start("select 1").read_all()
    start("select relname from pg_class").read_all()
    assert seen(home) == []


def test_everybody_sees_their_own_and_administrators_all(home, start):
    start("select sum(orders) from web", "ann").read_all()
    start("select sum(revenue) from web", "bob").read_all()
    assert len(seen(home)) == 2
    assert [sql for sql, _, _ in seen(home, Access("bob"))] == ["select sum(revenue) from web"]
    assert seen(home, Access("eve")) == []


def test_they_outlive_the_server(home, front, start):
    start("select sum(orders) from web").read_all()
    front.close()
    assert seen(Home.open(home.root)) == [("select sum(orders) from web", "done", 1)]


def test_old_ones_are_forgotten(home, front, start, monkeypatch):
    for number in range(4):
        start(f"select {number} + sum(orders) from web").read_all()
    front.close()
    last = queries.listed(home.catalog)[-1]
    monkeypatch.setattr(queries, "KEPT", 3)
    queries.add(home.catalog, [last], datetime.now(UTC))
    assert len(queries.listed(home.catalog)) == 3
    queries.add(home.catalog, [last], datetime.now(UTC) + queries.KEPT_FOR + timedelta(1))
    assert queries.listed(home.catalog) == []
