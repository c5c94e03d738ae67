"""What a role's users may take of the server: time for a statement, and sessions at once."""

import time
from contextlib import suppress

import psycopg
import pytest

from engine.catalog import access
from engine.catalog.access import Role, RoleLimits
from sqlfront.front import open_front
from sqlfront.limits import Limits
from sqlfront.server import running
from sqlfront.session import Session
from sqlfront.wire import messages as m
from tests.access.homes import build, front_of, grant, user
from tests.access.test_sessions import connected, refused
from tests.sqlfront.wire_client import simplified

SLEEP = "SELECT pg_sleep(20)"
TOO_LONG = ("E", "57014", "canceling statement due to statement timeout")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = build(tmp_path_factory.mktemp("limits"))
    grant(home, "hasty", "view:web", timeout_ms=100)
    grant(home, "patient", "view:web", timeout_ms=60_000)
    grant(home, "free", "view:web", timeout_ms=0)
    grant(home, "few", "view:web", connections=2)
    user(home, "ann", "hasty")
    user(home, "bob", "hasty", "patient")
    user(home, "cem", "hasty", "analysts")
    user(home, "hal", "hasty", "free")
    user(home, "root", is_admin=True)
    for name in ("dan", "eva", "fay"):
        user(home, name, "few")
    user(home, "gus", "few", "analysts")
    user(home, "ida", "few", is_admin=True)
    yield home
    home.close()


@pytest.fixture
def session(home):
    front = front_of(home)

    def opened(name, **limits):
        session = Session(front, {"user": name, "database": "demo"}, 7, b"1234", limits=Limits(**limits))
        session.greet()
        return lambda sql: simplified(b"".join(session.process([m.SimpleQuery(sql)])))

    front.login("ann")
    return opened


@pytest.mark.parametrize("asked", ["0", "'1h'"])
def test_a_session_cannot_lift_its_roles_timeout(session, asked):
    say = session("ann")
    say(f"SET statement_timeout = {asked}")
    assert TOO_LONG in say(SLEEP)
    assert ("D", asked.strip("'")) in say("SHOW statement_timeout")


@pytest.mark.parametrize("name", ["bob", "cem", "root"])
def test_the_largest_of_all_roles_holds_if_all_set_one(session, name):
    say = session(name)
    assert ("C", "SELECT 1") in say("SELECT pg_sleep(0.2)")
    say("SET ROLE hasty")
    assert TOO_LONG in say(SLEEP)
    say("RESET ROLE")
    assert ("C", "SELECT 1") in say("SELECT pg_sleep(0.2)")


@pytest.mark.parametrize("name", ["bob", "hal"])
def test_a_role_s_timeout_counts_instead_of_the_server_s(session, name):
    say = session(name, statement_seconds=0.1)
    assert ("C", "SELECT 1") in say("SELECT pg_sleep(0.2)")
    say("SET statement_timeout = 100")
    assert TOO_LONG in say(SLEEP)


@pytest.mark.parametrize("name", ["cem", "dan", "root"])
def test_without_one_in_every_role_the_server_s_timeout_holds(session, name):
    assert TOO_LONG in session(name, statement_seconds=0.1)(SLEEP)


@pytest.mark.parametrize(
    ("name", "shown"), [("ann", "100ms"), ("bob", "1min"), ("hal", "0"), ("cem", "1h"), ("root", "1h")]
)
def test_sessions_see_the_timeout_that_holds_for_them(session, name, shown):
    say = session(name)
    assert ("D", shown) in say("SHOW statement_timeout")
    say("SET statement_timeout = 1")
    say("RESET statement_timeout")
    assert ("D", shown) in say("SHOW statement_timeout")


def test_cursors_copy_and_prepared_statements_have_the_roles_timeout(session):
    say = session("ann")
    say(f"PREPARE p AS {SLEEP}")
    assert TOO_LONG in say("EXECUTE p")
    assert TOO_LONG in say(f"COPY ({SLEEP}) TO STDOUT")
    say("BEGIN"), say(f"DECLARE c CURSOR FOR {SLEEP}")
    assert TOO_LONG in say("FETCH c")


def test_sessions_of_a_role_are_counted_together(home):
    with (
        running(open_front(home)) as address,
        connected(address, "dan"),
        connected(address, "eva") as second,
    ):
        assert 'too many connections for role "few"' in refused(address, "fay")
        for name in ("gus", "ida", "ann", "root"):
            with connected(address, name) as other:
                assert other.execute("SELECT 1").fetchone() == (1,)
        second.close()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(psycopg.OperationalError), connected(address, "fay") as third:
                assert third.execute("SELECT SUM(occurrences) FROM web").fetchone() == (300,)
                return
        raise AssertionError("the place of a session that ended is not given again")


def test_a_limit_set_later_holds_for_open_sessions(home):
    grant(home, "later", "view:web")
    user(home, "pia", "later")
    front = front_of(home)
    session = Session(front, {"user": "pia", "database": "demo"}, 7, b"1234")

    def say(sql):
        return simplified(b"".join(session.process([m.SimpleQuery(sql)])))

    assert ("D", "300") in say("SELECT SUM(occurrences) FROM web")
    with access.changing(home.catalog) as connection:
        access.save_role(connection, Role("later", limits=RoleLimits(timeout_ms=50)))
    say("SELECT SUM(occurrences) FROM web")
    assert TOO_LONG in say(SLEEP)


def test_a_script_may_take_longer_than_each_of_its_statements(session):
    say = session("bob")
    say("SET statement_timeout = 1000")
    answers = say("; ".join(["SELECT pg_sleep(0.6)"] * 3))
    assert [line for line in answers if line[0] in "CE"] == [("C", "SELECT 1")] * 3
