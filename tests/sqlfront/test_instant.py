"""Which groups of messages are answered without a thread: those about constants, once they are known."""

import time
from dataclasses import replace

import psycopg
import pytest

from engine.world import Home
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.limits import Limits
from sqlfront.server import running
from sqlfront.session import Session
from sqlfront.wire import messages as m
from tests.sqlfront.wire_client import simplified

SYNC = m.Sync()
ONE = "SELECT 1 AS a"


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    home = Home.create(tmp_path_factory.mktemp("instant") / "home")
    yield replace(open_front(home, OwnersGate()), login=None)
    home.close()


@pytest.fixture
def session(front):
    session = Session(front, {"user": "ada", "database": "demo"}, 7, b"1234")
    session.greet()
    return session


def ask(session, *messages):
    return simplified(b"".join(session.process(messages)))


def prepared(session, name, sql=ONE):
    return ask(session, m.Parse(name, sql, ()), SYNC)


def extended(name="", sql=None):
    parse = [m.Parse(name, sql, ())] if sql else []
    return [*parse, m.Bind("", name, (), (), (0,)), m.Describe("P", ""), m.Execute("", 0), SYNC]


def test_a_known_text_is_instant_and_answered_alike(session):
    question = [m.SimpleQuery(ONE)]
    assert not session.is_instant(question)
    first = ask(session, *question)
    assert session.is_instant(question)
    assert ask(session, *question) == first == [("T", "a"), ("D", "1"), ("C", "SELECT 1"), ("Z", "I")]
    assert session.is_instant(extended(sql=ONE))
    assert not session.is_instant([m.SimpleQuery(ONE + " ")])


def test_a_prepared_constant_is_instant(session):
    prepared(session, "one")
    assert session.is_instant(extended("one"))
    assert session.is_instant([m.Describe("S", "one"), SYNC])
    assert ask(session, *extended("one")) == [
        ("2",),
        ("T", "a"),
        ("D", "1"),
        ("C", "SELECT 1"),
        ("Z", "I"),
    ]


MANY = "SELECT 1 AS a, 'x' AS b, NULL AS c, 2.50::numeric(9,2) AS d, true AS e, -7::bigint AS f"


@pytest.mark.parametrize("formats", [(), (0,), (1,), (0, 1, 0, 1, 0, 1), (1, 1, 1, 0, 0, 0)])
def test_a_constant_says_what_other_answers_say(session, formats):
    def said(sql):
        bound = [m.Parse("", sql, ()), m.Bind("", "", (), (), formats), m.Describe("P", "")]
        return b"".join(session.process([*bound, m.Execute("", 0), SYNC]))

    read = said(f"{MANY} FROM (VALUES (1)) AS t(x)")
    for _ in range(2):
        assert said(MANY) == read


def test_a_constant_ends_with_its_row(session):
    prepared(session, "one")
    bound = m.Bind("p", "one", (), (), (0,))
    twice = ask(session, bound, m.Execute("p", 0), m.Execute("p", 0), SYNC)
    assert twice == [("2",), ("D", "1"), ("C", "SELECT 1"), ("C", "SELECT 0"), ("Z", "I")]
    limited = ask(session, bound, m.Execute("p", 1), m.Execute("p", 0), SYNC)
    assert limited == [("2",), ("D", "1"), ("s",), ("C", "SELECT 0"), ("Z", "I")]


def test_formats_that_a_constant_does_not_have_are_refused(session):
    prepared(session, "one")
    answer = ask(session, m.Bind("", "one", (), (), (0, 1)), m.Execute("", 0), SYNC)
    assert [tag for tag, *_ in answer] == ["E", "Z"]


@pytest.mark.parametrize(
    "messages",
    [
        extended("none"),
        extended("now"),
        extended("block"),
        extended("copy"),
        [*extended("one"), *extended("now")],
        [m.Execute("cursor", 0), SYNC],
        [m.Describe("P", "cursor"), SYNC],
        [m.Parse("", ONE, (23,)), SYNC],
        [m.Parse("one", "SELECT now()", ()), *extended("one")],
        [m.Close("P", "cursor"), SYNC],
        [m.SimpleQuery("SELECT now()")],
        [m.SimpleQuery(f"{ONE}; {ONE}")],
        [m.FunctionCall(1)],
    ],
)
def test_all_else_is_not(session, messages):
    prepared(session, "one")
    prepared(session, "now", "SELECT now()")
    prepared(session, "block", "BEGIN")
    prepared(session, "copy", f"COPY ({ONE}) TO STDOUT")
    ask(session, m.SimpleQuery("BEGIN"), m.Bind("cursor", "now", (), (), ()), SYNC)
    ask(session, m.SimpleQuery(f"{ONE}; {ONE}"), m.SimpleQuery("SELECT now()"))
    assert not session.is_instant(messages)


def test_a_failed_block_takes_no_known_text_either(session):
    ask(session, m.SimpleQuery(ONE))
    prepared(session, "one")
    ask(session, m.SimpleQuery("BEGIN"), m.SimpleQuery("SELECT missing"))
    assert ask(session, m.SimpleQuery(ONE))[0][:2] == ("E", "25P02")
    assert ask(session, *extended("one"))[0][:2] == ("E", "25P02")
    assert ask(session, *extended("", ONE))[0][:2] == ("E", "25P02")
    ask(session, m.SimpleQuery("ROLLBACK"))
    assert ask(session, m.SimpleQuery(ONE))[1] == ("D", "1")


def test_what_is_skipped_after_an_error_is_not_instant(session):
    ask(session, m.SimpleQuery(ONE))
    ask(session, m.Parse("", "SELECT missing", ()))
    assert not session.is_instant(extended(sql=ONE))
    assert ask(session, *extended(sql=ONE)) == [("Z", "I")]
    assert session.is_instant(extended(sql=ONE))


def test_not_more_than_some_texts_are_known(session):
    texts = [f"SELECT {number} AS a" for number in range(100)]
    for text in texts:
        ask(session, m.SimpleQuery(text))
    known = [text for text in texts if session.is_instant([m.SimpleQuery(text)])]
    assert 0 < len(known) <= 32


def test_an_instant_answer_breaks_the_silence(front):
    """It is given past the conversation that waits, whose patience begins anew with it."""
    with running(front, limits=Limits(idle_seconds=1.5)) as address:
        options = {"host": address.host, "port": address.port, "user": "ada", "sslmode": "disable"}
        with psycopg.connect(dbname="demo", autocommit=True, **options) as client:
            for _ in range(5):
                assert client.execute(ONE, prepare=True).fetchone() == (1,)
                time.sleep(0.4)
            time.sleep(2.5)
            with pytest.raises(psycopg.OperationalError, match="idle-session timeout"):
                client.execute(ONE)
