"""COPY … TO STDOUT: its options in both spellings, its messages, and what it refuses."""

import pytest

from engine.errors import UnsupportedError
from sqlfront import statements
from sqlfront.copying import Copy
from sqlfront.session import Session
from sqlfront.sqlstate import SqlError
from sqlfront.tokens import Piece
from sqlfront.wire import messages as m
from sqlfront.wire.copy import CopyForm
from tests.sqlfront.fake_front import fake_front
from tests.sqlfront.wire_client import received, simplified

FRONT = fake_front("CREATE TABLE numbers AS SELECT i::INT AS i, 'n' || i AS name FROM range(50) AS r(i)")
QUERY = Piece("SELECT 1", 6)


@pytest.fixture
def session():
    session = Session(FRONT, {"user": "ada", "database": "demo"}, 7, b"1234")
    session.greet()
    return session


def query(session, sql):
    return received(b"".join(session.process([m.SimpleQuery(sql)])))


def tags(messages):
    return "".join(tag for tag, _ in messages)


def rows(messages):
    return [body for tag, body in messages if tag == "d"]


@pytest.mark.parametrize("query", ["( SELECT 1 )", "(\n-- one\nSELECT 1)", "(SELECT 1 /* ) */)"])
def test_blanks_and_comments_in_the_brackets_are_no_part_of_the_question(query):
    copy = statements.control(Piece(f"COPY {query} TO STDOUT", 0))
    assert copy.query.sql == "SELECT 1"


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ("", CopyForm()),
        ("WITH BINARY", CopyForm("binary", False, "", "")),
        ("(FORMAT binary)", CopyForm("binary", False, "", "")),
        ("(FORMAT 'csv', HEADER)", CopyForm("csv", True, ",", "")),
        ("(format CSV, header off)", CopyForm("csv", False, ",", "")),
        ("WITH (HEADER 1)", CopyForm(header=True)),
        ("CSV HEADER", CopyForm("csv", True, ",", "")),
        ("WITH CSV QUOTE AS '''' NULL 'NA'", CopyForm("csv", False, ",", "NA", "'", "'")),
        ("(FORMAT csv, ESCAPE E'\\\\')", CopyForm("csv", False, ",", "", escape="\\")),
        ("CSV FORCE QUOTE *", CopyForm("csv", False, ",", "", force_quote=None)),
        ('CSV FORCE QUOTE a, "B"', CopyForm("csv", False, ",", "", force_quote=("a", "B"))),
        ("(FORMAT csv, FORCE_QUOTE (a, b))", CopyForm("csv", False, ",", "", force_quote=("a", "b"))),
        ("DELIMITER AS '|' ENCODING 'UTF8'", CopyForm(delimiter="|")),
    ],
)
def test_options(options, form):
    assert statements.control(Piece(f"COPY (SELECT 1) TO STDOUT {options}", 0)) == Copy(QUERY, form)


@pytest.mark.parametrize(
    ("relation", "question"),
    [
        ("web", Piece("SELECT * FROM web", 5 - 14)),
        ('"my view"', Piece('SELECT * FROM "my view"', 5 - 14)),
        ("public.web", Piece("SELECT * FROM public.web", 5 - 14)),
        ('web (a, "B")', Piece('SELECT a, "B" FROM web', 10 - 7)),
        ("((SELECT 1), 2)", Piece("(SELECT 1), 2", 6)),
    ],
)
def test_what_is_copied(relation, question):
    assert statements.control(Piece(f"COPY {relation} TO STDOUT", 0)) == Copy(question, CopyForm())


@pytest.mark.parametrize(
    "sql",
    [
        "COPY t FROM STDIN",
        "copy t(a) from 'x.csv'",
        "COPY (SELECT 1) TO 'x.csv'",
        "COPY (SELECT 1) TO /* */ PROGRAM 'rm'",
        "COPY t TO $$x$$",
    ],
)
def test_files_programs_and_input_are_forbidden(sql):
    with pytest.raises(SqlError) as raised:
        statements.control(Piece(sql, 0))
    assert raised.value.sqlstate == "42501"


@pytest.mark.parametrize(
    ("sql", "position"),
    [
        ("COPY", 5),
        ("COPY t", 7),
        ("COPY (SELECT 1", 15),
        ("COPY t (a + 1) TO STDOUT", 11),
        ("COPY t (a FROM u) TO STDOUT", 11),
        ("COPY t TO STDOUT CSV x", 22),
        ("COPY t TO STDOUT (FORMAT csv", 29),
        ("COPY t TO STDOUT (HEADER) CSV", 27),
    ],
)
def test_malformed(sql, position):
    with pytest.raises(SqlError) as raised:
        statements.control(Piece(sql, 0))
    assert (raised.value.sqlstate, raised.value.position) == ("42601", position)


@pytest.mark.parametrize(
    ("sql", "sqlstate", "position"),
    [
        ("COPY (DELETE FROM numbers) TO STDOUT", "0A000", None),
        ("COPY (COPY numbers TO STDOUT) TO STDOUT", "0A000", None),
        ("COPY (SHOW x) TO STDOUT", "0A000", None),
        ("SELECT 1 AS a; COPY (selec 1) TO STDOUT", "42601", b"P22\0"),
        ("COPY (SELECT 1 AS a) TO STDOUT (FORMAT csv, FORCE_QUOTE (b))", "42703", None),
    ],
)
def test_refused_questions(session, sql, sqlstate, position):
    answer = query(session, sql)
    assert tags(answer) == "EZ"
    assert f"C{sqlstate}\0".encode() in answer[0][1]
    assert position is None or position in answer[0][1]


def test_binary_is_not_for_lines():
    with pytest.raises(UnsupportedError):
        statements.control(Piece("COPY t TO STDOUT (FORMAT binary, HEADER)", 0))


def test_messages_of_a_simple_query(session):
    answer = query(session, "COPY numbers (name, i) TO STDOUT")
    assert tags(answer) == "H" + "d" * 50 + "cCZ"
    assert answer[0][1] == b"\0\0\2\0\0\0\0"
    assert rows(answer) == [b"n%d\t%d\n" % (i, i) for i in range(50)]
    assert answer[-2][1] == b"COPY 50\0"


def test_the_binary_signature_comes_with_the_first_row(session):
    many = rows(query(session, "COPY numbers TO STDOUT BINARY"))
    assert len(many) == 51
    assert many[0].startswith(b"PGCOPY\n\xff\r\n\0" + b"\0" * 8 + b"\0\2\0\0\0\4\0\0\0\0")
    assert many[-1] == b"\xff\xff"
    none = rows(query(session, "COPY (SELECT i FROM numbers WHERE i < 0) TO STDOUT BINARY"))
    assert none == [b"PGCOPY\n\xff\r\n\0" + b"\0" * 8 + b"\xff\xff"]


def test_extended_protocol_and_scripts(session):
    parse = m.Parse("", "COPY numbers TO STDOUT CSV", ())
    group = [parse, m.Bind("", "", (), (), (1,)), m.Describe("P", ""), m.Execute("", 3), m.Sync()]
    answer = simplified(b"".join(session.process(group)))
    assert [part[0] for part in answer] == ["1", "2", "n", "H", *"d" * 50, "c", "C", "Z"]
    script = query(session, "SELECT 1 AS a; COPY (SELECT 2 AS b) TO STDOUT; SELECT 3 AS c")
    assert tags(script) == "TDCHdcCTDCZ"


def test_a_failed_block_takes_no_copy(session):
    query(session, "BEGIN; SELECT missing")
    answer = query(session, "COPY numbers TO STDOUT")
    assert tags(answer) == "EZ"
    assert b"C25P02\0" in answer[0][1]


def test_an_error_after_the_first_rows_ends_it(session):
    answer = query(session, "COPY (SELECT 'x'::int AS a) TO STDOUT")
    assert tags(answer) == "EZ" or tags(answer) == "HEZ"
    assert tags(query(session, "SELECT 1 AS a")) == "TDCZ"
