"""Each statement of hostile.sql is refused in every form, and what it reaches for stays untouched."""

import os
import socket
from pathlib import Path

import pytest

from sqlfront.session import Session
from sqlfront.wire import messages as m
from tests.access.homes import build, front_of, grant, rows, user
from tests.access.homes import planned as planned_for
from tests.sqlfront.wire_client import simplified

VARIABLE = "WAYLINE_CANARY"
REFUSALS = ("42501", "0A000")
SECTIONS = Path(__file__).with_name("hostile.sql").read_text().partition("-- questions\n")[2]
QUESTIONS, COMMANDS = (part.splitlines() for part in SECTIONS.split("-- commands\n"))
FORMS = {
    "PREPARE": "PREPARE form AS {}",
    "DECLARE": "DECLARE form CURSOR WITH HOLD FOR {}",
    "COPY": "COPY ({}) TO STDOUT",
    "EXPLAIN": "EXPLAIN {}",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = build(tmp_path_factory.mktemp("security"))
    grant(home, "narrow", "view:web", "dataset:channels")
    grant(home, "boss", "view:web", "dataset:plans")
    user(home, "eve", "narrow")
    user(home, "bob", "boss")
    yield home
    home.close()


@pytest.fixture(scope="module")
def front(home):
    return front_of(home)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Statements as they are sent; afterwards nothing may have been touched."""
    canary = tmp_path / "canary.csv"
    canary.write_text("a\ntweet-9\n")
    monkeypatch.setenv(VARIABLE, "tweet-9")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        yield lambda sql: sql.format(canary=canary, variable=VARIABLE, port=port)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert canary.read_text() == "a\ntweet-9\n"
    assert list(tmp_path.iterdir()) == [canary]
    assert os.environ[VARIABLE] == "tweet-9"


def outcome(front, messages):
    session = Session(front, {"user": "eve", "database": "wayline"}, 1, b"abcd")
    answer = b"".join(bytes(part) for part in session.process(messages))
    session.close()
    assert b"tweet-9" not in answer
    return next((reply[1] for reply in simplified(answer) if reply[0] == "E"), "answered")


def simple(front, sql):
    return outcome(front, [m.SimpleQuery(sql)])


def extended(front, sql):
    run = (m.Parse("", sql, ()), m.Bind("", "", (), (), ()), m.Execute("", 0), m.Sync())
    return outcome(front, run)


def unrefused(statements, ask, refusals=REFUSALS):
    return {sql: found for sql in statements if (found := ask(sql)) not in refusals}


def test_there_are_enough():
    assert len({*QUESTIONS, *COMMANDS}) >= 200


def test_every_statement_is_refused(front, written):
    assert unrefused(map(written, QUESTIONS + COMMANDS), lambda sql: simple(front, sql)) == {}


def test_every_single_statement_is_refused_at_parse(front, written):
    single = [sql for sql in QUESTIONS + COMMANDS if ";" not in sql]
    assert unrefused(map(written, single), lambda sql: extended(front, sql)) == {}


@pytest.mark.parametrize("form", FORMS)
def test_every_question_is_refused_in_another_statement(front, written, form):
    """EXPLAIN knows no catalogs, so that their tables do not exist for it."""
    refusals = (*REFUSALS, "42P01") if form == "EXPLAIN" else REFUSALS
    wrapped = [FORMS[form].format(written(sql)) for sql in QUESTIONS]
    assert unrefused(wrapped, lambda sql: simple(front, sql), refusals) == {}


@pytest.mark.parametrize("form", FORMS)
def test_no_command_passes_as_a_question(front, written, form):
    """A script in the brackets of COPY is no statement."""
    commands = [sql for sql in COMMANDS if form != "COPY" or ";" not in sql]
    wrapped = [FORMS[form].format(written(sql)) for sql in commands]
    assert unrefused(wrapped, lambda sql: simple(front, sql)) == {}


def test_what_others_may_read_is_as_it_was(front):
    assert len(rows(planned_for(front, "bob", "SELECT * FROM plans"))) == 4


@pytest.mark.parametrize("name", ["_dataset_plans", "_system_queries", "_report_1"])
def test_a_recursive_query_is_nothing_but_itself(front, name):
    sql = (
        f"WITH RECURSIVE {name} AS (SELECT 'x' AS id, 'y' AS channel, 0.0::float8 AS budget"
        f" UNION ALL SELECT id, channel, budget FROM {name} WHERE false) SELECT * FROM {name}"
    )
    assert rows(planned_for(front, "eve", sql)) == [("x", "y", 0.0)]
