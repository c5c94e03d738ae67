"""Logging in with passwords and tokens, and what becomes of sessions when something is revoked."""

import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from engine.catalog import access
from engine.catalog.access import Roll
from sqlfront import users
from sqlfront.front import open_front
from sqlfront.server import running
from sqlfront.session import Session
from sqlfront.wire import messages as m
from tests.access.homes import EMAIL, build, front_of, grant, revoke, user
from tests.sqlfront.wire_client import simplified

REVENUE = "SELECT SUM(occurrences) FROM web"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = build(tmp_path_factory.mktemp("sessions"))
    grant(home, "email", "view:web", rule=EMAIL)
    yield home
    home.close()


@pytest.fixture(scope="module")
def address(home):
    with running(open_front(home)) as address:
        yield address


@contextmanager
def connected(address, name, password="secret"):
    url = f"host={address.host} port={address.port} dbname=demo user={name} sslmode=disable"
    with psycopg.connect(url, password=password, autocommit=True, connect_timeout=20) as connection:
        yield connection


def refused(address, name, password="secret"):
    with pytest.raises(psycopg.OperationalError) as raised, connected(address, name, password):
        pass
    return str(raised.value)


def roll(home) -> Roll:
    return access.roll(home.catalog)


def ended(connection, statement="SELECT 1"):
    """Ask until the server has ended the session; return the SQLSTATE that it told last.

    The client may read what the server says a moment before it sees that the connection is closed.
    """
    until, told = time.monotonic() + 20, None
    while time.monotonic() < until:
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            told = error.sqlstate or told
            if connection.closed:
                return told
        time.sleep(0.05)
    raise AssertionError("the session goes on")


def test_a_password_and_tokens_open_sessions_side_by_side(home, address):
    user(home, "ann", "analysts")
    first, one = users.add_token(home.catalog, "ann", label="Power BI")
    _, two = users.add_token(home.catalog, "ann", expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert one.startswith(f"{first.id}_") and len(one) > 50
    for secret in ("secret", one, two):
        with connected(address, "ann", secret) as connection:
            assert connection.execute(REVENUE).fetchone() == (300,)
    for wrong in ("other", first.id, one[:-1], one.upper(), one + "x"):
        assert 'password authentication failed for user "ann"' in refused(address, "ann", wrong)
    until = time.monotonic() + 20
    while next(c for c in roll(home).credentials if c.id == first.id).last_used_at is None:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_expired_token_is_told_to_who_knows_it(home, address):
    user(home, "bea", "analysts")
    _, secret = users.add_token(home.catalog, "bea", expires_at=datetime.now(UTC) + timedelta(milliseconds=1))
    time.sleep(0.01)
    assert "has expired" in refused(address, "bea", secret)
    assert "password authentication failed" in refused(address, "bea", secret[:-1])


def test_a_revoked_token_ends_its_sessions_and_no_others(home, address):
    user(home, "cat", "analysts")
    token, secret = users.add_token(home.catalog, "cat")
    with connected(address, "cat") as by_password, connected(address, "cat", secret) as by_token:
        users.revoke_token(home.catalog, token.id)
        assert ended(by_token) == "57P01"
        assert by_password.execute("SELECT 1").fetchone() == (1,)
    assert "password authentication failed" in refused(address, "cat", secret)
    with pytest.raises(users.UnknownNameError):
        users.revoke_token(home.catalog, token.id)


def test_a_new_password_ends_sessions_of_the_old_one(home, address):
    user(home, "dan", "analysts")
    _, token = users.add_token(home.catalog, "dan")
    with connected(address, "dan") as by_password, connected(address, "dan", token) as by_token:
        users.set_password(home.catalog, "dan", "other")
        assert ended(by_password) == "57P01"
        assert by_token.execute("SELECT 1").fetchone() == (1,)
    assert "password authentication failed" in refused(address, "dan")
    with connected(address, "dan", "other") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("change", ["removed", "disabled", "out of time"])
def test_a_user_who_is_no_longer_welcome_is_shown_out(home, address, change):
    name = change.replace(" ", "_")
    user(home, name, "analysts")
    with connected(address, name) as connection:
        connection.execute("BEGIN")
        connection.execute(f"DECLARE c CURSOR FOR {REVENUE}")
        with access.changing(home.catalog) as writing:
            known = access.roll_in(writing).user(name)
            now = datetime.now(UTC)
            if change == "removed":
                access.drop_user(writing, name)
            else:
                when = "disabled_at" if change == "disabled" else "valid_until"
                access.save_user(writing, type(known)(**{**known.__dict__, when: now}))
        assert ended(connection) == "57P01"
    assert "password authentication failed" in refused(address, name)


def test_a_user_who_is_added_later_may_log_in_at_once(home, address):
    assert "password authentication failed" in refused(address, "eve")
    user(home, "eve", "email")
    with connected(address, "eve") as connection:
        (found,) = connection.execute(REVENUE).fetchone()
        assert 0 < found < 300
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM channels")
        assert connection.execute("SELECT has_table_privilege('web', 'SELECT')").fetchone() == (True,)


def test_prepared_statements_and_cursors_follow_the_rule(home, address):
    user(home, "fay", "email")
    with connected(address, "fay") as connection:
        plain = connection.execute("SELECT channel FROM web").fetchall()
        assert set(plain) == {("Email",)}
        for binary in (False, True):
            prepared = connection.execute(
                "SELECT channel FROM web WHERE channel <> %s", ["Social"], prepare=True, binary=binary
            )
            assert prepared.fetchall() == plain
        with connection.transaction(), connection.cursor("c") as cursor:
            cursor.execute("SELECT channel FROM web")
            assert cursor.fetchall() == plain


def session_of(front, name):
    session = Session(front, {"user": name, "database": "demo"}, 7, b"1234")
    session.greet()
    return lambda *given: simplified(b"".join(session.process(given)))


def test_an_open_cursor_ends_on_what_it_began_with_and_no_other_begins(home):
    grant(home, "late", "view:web")
    user(home, "gil", "late")
    say = session_of(front_of(home), "gil")
    say(m.SimpleQuery("BEGIN"), m.SimpleQuery("DECLARE c CURSOR FOR SELECT channel FROM web"))
    prepared = m.Parse("p", REVENUE, ())
    bound = m.Bind("", "p", (), (), ())
    assert ("C", "FETCH 10") in say(m.SimpleQuery("FETCH 10 FROM c"))
    assert ("D", "300") in say(prepared, bound, m.Execute("", 0), m.Sync())
    revoke(home, "late", "view:web")
    assert ("C", "FETCH 290") in say(m.SimpleQuery("FETCH ALL FROM c"))
    assert ("E", "42501", "permission denied for view web") in say(bound, m.Execute("", 0), m.Sync())
    say(m.SimpleQuery("ROLLBACK"))
    assert ("E", "42501", "permission denied for view web") in say(m.SimpleQuery(REVENUE))


def test_set_role_and_session_authorization(home):
    grant(home, "everything", "view:web")
    user(home, "hal", "everything", "email")
    front = front_of(home)
    say = session_of(front, "hal")

    def ask(sql):
        return [line[1:] for line in say(m.SimpleQuery(sql)) if line[0] in "DE"]

    assert ask(REVENUE) == [("300",)]
    assert ask("SET ROLE email") == []
    email = ask(REVENUE)
    assert email != [("300",)]
    assert ask("SHOW role") == [("email",)]
    assert ask("SELECT current_user") == [("email",)]
    assert ask("RESET ROLE") == [] and ask(REVENUE) == [("300",)]
    ask("BEGIN"), ask("SET LOCAL ROLE email")
    assert ask(REVENUE) == email
    ask("COMMIT")
    assert ask(REVENUE) == [("300",)]
    ask("SET role = 'email'"), ask("DISCARD ALL")
    assert ask(REVENUE) == [("300",)]
    for role in ("analysts", "root", "nobody"):
        assert ask(f"SET ROLE {role}") == [("42501", f'permission denied to set role "{role}"')]
        assert ask(f"SET role TO '{role}'") == [("42501", f'permission denied to set role "{role}"')]
    assert ask(REVENUE) == [("300",)]
    for own in ("DEFAULT", "hal", "'hal'"):
        assert ask(f"SET SESSION AUTHORIZATION {own}") == []
    for other in ("root", "'root'", '"ROOT"'):
        (error,) = ask(f"SET SESSION AUTHORIZATION {other}")
        assert error[0] == "42501"
    assert ask("RESET SESSION AUTHORIZATION") == []
    assert ask("SELECT session_user") == [("hal",)]


def test_a_role_asked_for_at_the_start_gives_nothing_more(home):
    user(home, "ivy", "email")
    front = front_of(home)
    for startup in ({"role": "analysts"}, {"options": "-c role=analysts"}):
        session = Session(front, {"user": "ivy", "database": "demo", **startup}, 7, b"1234")
        for sql in (REVENUE, "SELECT relname FROM pg_class", "SELECT * FROM channels"):
            errors = [line for line in simplified(b"".join(session.process([m.SimpleQuery(sql)])))]
            assert errors[0][:2] == ("E", "42501")


def test_a_prepared_statement_has_the_values_of_the_session_as_they_are_at_each_run(home):
    grant(home, "all of it", "view:web")
    user(home, "jon", "all of it")
    say = session_of(front_of(home), "jon")

    def ask(sql):
        return [line[1:] for line in say(m.SimpleQuery(sql)) if line[0] in "DE"]

    by_setting = "SELECT SUM(occurrences) FROM web WHERE channel = current_setting('application_name')"
    ask(f"PREPARE by_setting AS {by_setting}"), ask("PREPARE who AS SELECT current_user FROM web LIMIT 1")
    say(m.Parse("parsed", by_setting, ()), m.Sync())
    counts = {}
    for channel in ("Email", "Social"):
        ask(f"SET application_name = '{channel}'")
        counts[channel] = ask(f"SELECT SUM(occurrences) FROM web WHERE channel = '{channel}'")
        assert ask("EXECUTE by_setting") == counts[channel]
        bound = say(m.Bind("", "parsed", (), (), ()), m.Execute("", 0), m.Sync())
        assert [line[1:] for line in bound if line[0] == "D"] == counts[channel]
    assert counts["Email"] != counts["Social"]
    assert ask("EXECUTE who") == [("jon",)]
    ask('SET ROLE "all of it"')
    assert ask("EXECUTE who") == [("all of it",)]
