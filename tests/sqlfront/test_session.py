"""The session as a state machine: which messages follow which, without a socket."""

import threading
import time

import pytest

from sqlfront.session import Session
from sqlfront.sqlstate import SqlError
from sqlfront.wire import messages as m
from sqlfront.wire import replies
from tests.sqlfront.fake_front import fake_front
from tests.sqlfront.wire_client import columns, received, simplified

FRONT = fake_front("CREATE TABLE numbers AS SELECT i::INT AS i FROM range(30000) AS r(i)")
SYNC = m.Sync()


@pytest.fixture
def session():
    session = new_session()
    session.greet()
    return session


def new_session():
    return Session(FRONT, {"user": "ada", "database": "demo"}, 7, b"1234")


def ask(session, *messages):
    return simplified(b"".join(session.process(messages)))


def query(session, sql):
    return ask(session, m.SimpleQuery(sql))


def parse(sql, name="", oids=()):
    return m.Parse(name, sql, tuple(oids))


def bind(*values, portal="", statement="", results=()):
    return m.Bind(portal, statement, (), tuple(values), tuple(results))


def execute(rows=0, portal=""):
    return m.Execute(portal, rows)


def test_greeting_reports_settings_and_key():
    greeting = received(new_session().greet())
    reported = dict(body[:-1].decode().split("\0") for tag, body in greeting if tag == "S")
    assert reported["server_version"].startswith("15.")
    assert reported["session_authorization"] == "ada"
    assert reported["TimeZone"] == "UTC"
    assert greeting[-2:] == [("K", b"\0\0\0\x071234"), ("Z", b"I")]


def test_simple_query(session):
    assert query(session, "SELECT 1 AS a, NULL AS b") == [
        ("T", "a", "b"),
        ("D", "1", None),
        ("C", "SELECT 1"),
        ("Z", "I"),
    ]


def test_the_last_chunk_is_known_as_such(session):
    small = session.process([m.SimpleQuery("SELECT 1 AS a")])
    assert next(small)
    assert session.has_answered
    large = session.process([m.SimpleQuery("SELECT * FROM numbers"), m.SimpleQuery("SELECT 1 AS a")])
    known = [session.has_answered for _ in large]
    assert len(known) > 2
    assert known == [False] * (len(known) - 1) + [True]


@pytest.mark.parametrize("sql", ["", "  ;; -- nothing\n", "/* a /* nested */ comment */"])
def test_empty_query(session, sql):
    assert query(session, sql) == [("I",), ("Z", "I")]
    assert ask(session, parse(sql), bind(), m.Describe("P", ""), execute(), SYNC) == [
        ("1",),
        ("2",),
        ("n",),
        ("I",),
        ("Z", "I"),
    ]


def test_several_statements_stop_at_the_first_error(session):
    answers = query(session, "SELECT 1 AS a; SELECT missing; SELECT 2 AS b")
    assert [answer[0] for answer in answers] == ["T", "D", "C", "E", "Z"]
    assert answers[3][1] == "42703"


def test_syntax_error_anywhere_runs_nothing_and_has_a_position(session):
    data = b"".join(session.process([m.SimpleQuery("SELECT 1 AS a;  selec 2")]))
    assert [tag for tag, _ in received(data)] == ["E", "Z"]
    assert b"P17\0" in data


def test_extended_query(session):
    answers = ask(
        session,
        parse("SELECT $1::int + 1 AS x", "s"),
        m.Describe("S", "s"),
        bind(b"41", statement="s"),
        m.Describe("P", ""),
        execute(),
        SYNC,
    )
    assert answers == [
        ("1",),
        ("t",),
        ("T", "x"),
        ("2",),
        ("T", "x"),
        ("D", "42"),
        ("C", "SELECT 1"),
        ("Z", "I"),
    ]


def test_binary_results_and_parameters(session):
    data = b"".join(
        session.process(
            [
                parse("SELECT $1::int2 AS x", oids=[21]),
                m.Bind("", "", (1,), (b"\x01\x02",), (1,)),
                m.Describe("P", ""),
                execute(),
                SYNC,
            ]
        )
    )
    described, row = received(data)[2], received(data)[3]
    assert [(name, form) for name, _, form in columns(described[1])] == [("x", 1)]
    assert row[1].endswith(b"\x01\x02")


def test_error_skips_until_sync(session):
    answers = ask(
        session,
        parse("SELECT missing", "s"),
        bind(statement="s"),
        execute(),
        SYNC,
        parse("SELECT 1 AS a"),
        bind(),
        execute(),
        SYNC,
    )
    assert [answer[0] for answer in answers] == ["E", "Z", "1", "2", "D", "C", "Z"]


def test_portal_is_suspended_and_goes_on(session):
    query(session, "BEGIN")
    answers = ask(
        session,
        parse("SELECT i FROM numbers WHERE i < 5 ORDER BY i"),
        bind(portal="p"),
        execute(2, "p"),
        execute(2, "p"),
        execute(2, "p"),
        execute(2, "p"),
        SYNC,
    )
    rows = [answer[1] for answer in answers if answer[0] == "D"]
    ends = [answer for answer in answers if answer[0] in "sC"]
    assert rows == ["0", "1", "2", "3", "4"]
    assert ends == [("s",), ("s",), ("C", "SELECT 1"), ("C", "SELECT 0")]


def test_portals_end_with_their_transaction(session):
    ask(session, parse("SELECT 1 AS a", "s"), bind(portal="p", statement="s"), SYNC)
    assert ask(session, execute(portal="p"), SYNC)[0][:2] == ("E", "34000")
    query(session, "BEGIN")
    ask(session, bind(portal="p", statement="s"), SYNC)
    assert ask(session, execute(portal="p"), SYNC)[0] == ("D", "1")
    query(session, "COMMIT")
    assert ask(session, m.Describe("P", "p"), SYNC)[0][:2] == ("E", "34000")


@pytest.mark.parametrize(
    ("messages", "sqlstate"),
    [
        ([bind(statement="none")], "26000"),
        ([m.Describe("S", "none")], "26000"),
        ([execute(portal="none")], "34000"),
        ([parse("SELECT 1 AS a", "s"), parse("SELECT 2 AS a", "s")], "42P05"),
        ([parse("SELECT 1 AS a; SELECT 2 AS b")], "42601"),
        ([parse("SELECT $1::int AS a"), bind()], "08P01"),
        ([parse("SELECT $1::int AS a"), bind(b"x")], "22P02"),
        ([parse("SELECT 1 AS a"), bind(results=(0, 0))], "08P01"),
        ([m.Password(b"")], "08P01"),
        ([parse("COPY t FROM STDIN")], "42501"),
    ],
)
def test_errors_of_the_extended_protocol(session, messages, sqlstate):
    answers = ask(session, *messages, SYNC)
    assert answers[-2][:2] == ("E", sqlstate)
    assert answers[-1] == ("Z", "I")


def test_a_failed_script_leaves_nothing_behind(session):
    query(session, "SET a.b = 1")
    declare = "DECLARE c CURSOR WITH HOLD FOR SELECT 1 AS a"
    query(session, f"SET a.b = 2; {declare}; SELECT missing")
    assert shown(session, "a.b") == "1"
    assert query(session, "FETCH c")[0][:2] == ("E", "34000")
    query(session, f"SET a.b = 3; {declare}; SET LOCAL a.b = 4")
    assert shown(session, "a.b") == "3"
    assert query(session, "FETCH c")[1] == ("D", "1")


def test_rows_of_show_and_fetch_are_taken_a_few_at_a_time(session):
    query(session, "DECLARE c CURSOR WITH HOLD FOR SELECT i FROM numbers ORDER BY i")
    ask(session, parse("FETCH 5 FROM c"), bind(portal="p"), SYNC)
    answers = ask(session, parse("FETCH 5 FROM c"), bind(), execute(2), execute(2), execute(2), SYNC)
    assert [answer for answer in answers if answer[0] in "DsC"] == [
        *[("D", "0"), ("D", "1"), ("s",), ("D", "2"), ("D", "3"), ("s",), ("D", "4"), ("C", "FETCH 1")],
    ]
    answers = ask(session, parse("SET a.b = 1"), bind(), execute(), execute(), SYNC)
    assert answers[-2][:2] == ("E", "55000")


def test_function_call_is_refused_as_a_group_of_its_own(session):
    answers = ask(session, m.FunctionCall(1), m.SimpleQuery("SELECT 1 AS a"))
    assert [answer[:2] for answer in answers] == [
        ("E", "0A000"),
        ("Z", "I"),
        ("T", "a"),
        ("D", "1"),
        ("C", "SELECT 1"),
        ("Z", "I"),
    ]


def test_replies_leave_before_the_next_message_is_looked_at(session):
    one = [parse("SELECT 1 AS a"), bind(), execute()]
    chunks = session.process([*one, SYNC, *one, m.Flush(), *one, m.SimpleQuery("SELECT 2 AS b")])
    kinds = ["".join(answer[0] for answer in simplified(chunk)) for chunk in chunks]
    assert kinds == ["12DCZ", "12DC", "12DCTDCZ"]


def test_fields_of_an_error():
    error = SqlError("wrong", "22023", hint="Do this.", detail="In this way.", position=3)
    ((_, body),) = received(replies.error_response(error))
    fields = {part[:1]: part[1:] for part in body.split(b"\0") if part}
    assert fields[b"D"] == b"In this way."
    assert fields[b"H"] == b"Do this."
    assert fields[b"P"] == b"3"
    ((_, body),) = received(replies.error_response(SqlError("wrong", "22023")))
    assert {part[:1] for part in body.split(b"\0") if part} == {b"S", b"V", b"C", b"M"}


def test_transaction_status(session):
    assert query(session, "BEGIN") == [("C", "BEGIN"), ("Z", "T")]
    assert query(session, "BEGIN")[0][:2] == ("N", "25001")
    assert query(session, "SELECT missing")[-1] == ("Z", "E")
    refused = query(session, "SELECT 1 AS a")
    assert refused[0][:2] == ("E", "25P02")
    assert query(session, "COMMIT") == [("C", "ROLLBACK"), ("Z", "I")]
    assert query(session, "ROLLBACK")[0][:2] == ("N", "25P01")


def test_savepoints(session):
    query(session, "BEGIN; SAVEPOINT a")
    query(session, "SELECT missing")
    assert query(session, "ROLLBACK TO SAVEPOINT a") == [("C", "ROLLBACK"), ("Z", "T")]
    assert query(session, "RELEASE a") == [("C", "RELEASE"), ("Z", "T")]
    assert query(session, "ROLLBACK TO a")[0][:2] == ("E", "3B001")
    query(session, "ROLLBACK")
    assert query(session, "SAVEPOINT a")[0][:2] == ("E", "25P01")


def shown(session, name):
    return query(session, f"SHOW {name}")[1][1]


def test_settings(session):
    assert query(session, "SET application_name = 'report'") == [
        ("C", "SET"),
        ("S", "application_name", "report"),
        ("Z", "I"),
    ]
    assert query(session, "SHOW Application_Name")[:2] == [
        ("T", "application_name"),
        ("D", "report"),
    ]
    assert query(session, "RESET application_name")[1] == ("S", "application_name", "")
    query(session, "SET my.thing TO 1, 'two'")
    assert shown(session, "my.thing") == "1, two"
    query(session, "DISCARD ALL")
    assert query(session, "SHOW my.thing")[0][:2] == ("E", "42704")
    assert len(query(session, "SHOW ALL")) > 20
    assert query(session, "SET server_version = '9'")[0][:2] == ("E", "55P02")
    assert query(session, "SET client_encoding = 'LATIN1'")[0][:2] == ("E", "22023")
    assert query(session, "SET TIME ZONE 'Europe/Berlin'")[1] == ("S", "TimeZone", "Europe/Berlin")


def test_rollback_takes_settings_back(session):
    query(session, "SET a.b = 1")
    query(session, "BEGIN; SET a.b = 2; SET LOCAL c.d = 3")
    assert (shown(session, "a.b"), shown(session, "c.d")) == ("2", "3")
    query(session, "ROLLBACK")
    assert shown(session, "a.b") == "1"
    query(session, "BEGIN; SET a.b = 2; SET LOCAL c.d = 3; COMMIT")
    assert shown(session, "a.b") == "2"
    assert query(session, "SHOW c.d")[0][:2] == ("E", "42704")
    assert query(session, "SET LOCAL a.b = 4")[0][:2] == ("N", "25P01")


def test_startup_parameters_are_settings():
    session = Session(
        FRONT,
        {"user": "ada", "application_name": "x", "options": "-c my.thing=5 -capplication_name=y"},
        1,
        b"",
    )
    assert shown(session, "my.thing") == "5"
    assert shown(session, "application_name") == "x"
    with pytest.raises(SqlError, match="client_encoding"):
        Session(FRONT, {"user": "ada", "client_encoding": "LATIN1"}, 1, b"")


def test_cursors(session):
    assert query(session, "DECLARE c CURSOR FOR SELECT 1 AS a")[0][:2] == ("E", "25P01")
    query(session, "BEGIN")
    assert query(session, "DECLARE c NO SCROLL CURSOR FOR SELECT i FROM numbers ORDER BY i") == [
        ("C", "DECLARE CURSOR"),
        ("Z", "T"),
    ]
    assert query(session, "FETCH 2 FROM c") == [
        ("T", "i"),
        ("D", "0"),
        ("D", "1"),
        ("C", "FETCH 2"),
        ("Z", "T"),
    ]
    assert query(session, "MOVE FORWARD 10 IN c")[0] == ("C", "MOVE 10")
    assert query(session, "FETCH c")[1] == ("D", "12")
    assert query(session, "FETCH ALL c")[-2] == ("C", f"FETCH {30000 - 13}")
    assert query(session, "FETCH BACKWARD 1 FROM c")[0][:2] == ("E", "0A000")
    query(session, "ROLLBACK")
    assert query(session, "CLOSE c")[0][:2] == ("E", "34000")


def test_cursor_with_hold_outlives_its_transaction(session):
    query(session, "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 5 AS a; COMMIT")
    assert query(session, "FETCH NEXT FROM c")[1] == ("D", "5")
    assert query(session, "CLOSE ALL")[0] == ("C", "CLOSE CURSOR ALL")


def test_cursor_within_one_script(session):
    answers = query(session, "DECLARE c CURSOR FOR SELECT 5 AS a; FETCH ALL FROM c; CLOSE c")
    assert [answer[0] for answer in answers] == ["C", "T", "D", "C", "C", "Z"]


def test_declare_takes_parameters_and_fetch_takes_formats(session):
    query(session, "BEGIN")
    ask(session, parse("DECLARE c CURSOR FOR SELECT $1::int AS a"), bind(b"9"), execute(), SYNC)
    answers = ask(
        session,
        m.Describe("P", "c"),
        parse("FETCH FORWARD 1 FROM c"),
        bind(results=(1,)),
        execute(),
        SYNC,
    )
    assert answers[0] == ("T", "a")
    assert answers[3] == ("D", "\0\0\0\t")


def test_other_control_statements(session):
    ask(session, parse("SELECT 1 AS a", "s"), SYNC)
    assert query(session, "DEALLOCATE s")[0] == ("C", "DEALLOCATE")
    assert query(session, "DEALLOCATE s")[0][:2] == ("E", "26000")
    assert query(session, "DEALLOCATE ALL; UNLISTEN *; DISCARD PLANS")[:3] == [
        ("C", "DEALLOCATE ALL"),
        ("C", "UNLISTEN"),
        ("C", "DISCARD PLANS"),
    ]
    assert query(session, "SET SESSION AUTHORIZATION DEFAULT")[0] == ("C", "SET")
    assert query(session, "SET nonsense")[0][:2] == ("E", "42601")
    assert query(session, "BEGIN; DISCARD ALL")[1][:2] == ("E", "25001")


def test_large_answers_come_in_chunks(session):
    chunks = list(session.process([m.SimpleQuery("SELECT i, 'x' || i AS t FROM numbers")]))
    assert len(chunks) > 1
    assert simplified(b"".join(chunks))[-2] == ("C", "SELECT 30000")


def test_cancel_from_another_thread(session):
    slow = "SELECT count(*) AS n FROM numbers AS a, numbers AS b, numbers AS c WHERE a.i + b.i = c.i"
    answers = []
    thread = threading.Thread(target=lambda: answers.extend(query(session, slow)))
    thread.start()
    deadline = time.monotonic() + 10
    while thread.is_alive() and time.monotonic() < deadline:
        session.cancel()
        thread.join(0.05)
    assert answers[-2][:2] == ("E", "57014")
    assert query(session, "SELECT 1 AS a")[1] == ("D", "1")
    session.cancel()
    session.close()
