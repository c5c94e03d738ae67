"""Splitting SQL text into statements and reading those that concern the session."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UnsupportedError
from sqlfront import statements
from sqlfront.sqlstate import SqlError
from sqlfront.tokens import LONGEST, Piece, split, string_value, tokens

PARTS = st.sampled_from(
    [
        "select 1",
        "select ';'",
        'select "a;b"',
        "select `a;b`",
        "select $$a;b$$",
        "select $x$;$$;$x$",
        "select E'a\\';b'",
        "select 1 -- c;d\n",
        "select /* ; /* ; */ ; */ 1",
        "select $1",
        "select 'it''s;'",
    ]
)


@given(st.lists(PARTS, max_size=5), st.sampled_from(["", " ;", ";;\n"]))
def test_split_finds_each_statement(parts, end):
    text = " ;\n".join(parts) + end
    pieces = split(text)
    assert len(pieces) == len(parts)
    for piece, part in zip(pieces, parts, strict=True):
        assert part.startswith(piece.sql)
        assert text[piece.offset :].startswith(piece.sql)


@given(st.text(max_size=40))
def test_tokens_never_fail_and_never_overlap(text):
    end = 0
    for token in tokens(text):
        assert token.start >= end
        assert text[token.start : token.end] == token.text
        end = token.end


def read(sql):
    return statements.control(Piece(sql, 0))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", None),
        ("(SELECT 1)", None),
        ("explain select 1", None),
        ("set a.B to 'x'", statements.SetVariable("a.b", "x")),
        ('SET search_path = a, "B"', statements.SetVariable("search_path", 'a, "B"')),
        ("SET SESSION x = -1.5", statements.SetVariable("x", "-1.5")),
        ("SET LOCAL x TO DEFAULT", statements.SetVariable("x", None, local=True)),
        ("SET TIME ZONE LOCAL", statements.SetVariable("TimeZone", None)),
        ("SET NAMES 'UTF8'", statements.SetVariable("client_encoding", "UTF8")),
        ("RESET ALL", statements.Reset(None)),
        ("RESET ROLE", statements.Reset("role")),
        ("SET ROLE Germany", statements.SetVariable("role", "germany")),
        ("SET LOCAL ROLE 'Germany'", statements.SetVariable("role", "Germany", local=True)),
        ("set role = none", statements.SetVariable("role", None)),
        ("SET SESSION AUTHORIZATION DEFAULT", statements.SetVariable("session_authorization", None)),
        ("SET SESSION AUTHORIZATION 'root'", statements.SetVariable("session_authorization", "root")),
        ("SHOW TRANSACTION ISOLATION LEVEL", statements.Show("transaction_isolation")),
        ("START TRANSACTION READ ONLY", statements.Transaction("BEGIN", tag="START TRANSACTION")),
        ("END WORK", statements.Transaction("COMMIT")),
        ("ABORT", statements.Transaction("ROLLBACK")),
        ("rollback to x", statements.Transaction("ROLLBACK TO", "x")),
        ("FETCH ALL IN c", statements.Fetch("c", None, move=False)),
        ("FETCH FORWARD ALL FROM c", statements.Fetch("c", None, move=False)),
        ('MOVE 3 FROM "C d"', statements.Fetch("C d", 3, move=True)),
        ("CLOSE c", statements.CloseCursor("c")),
        ("DEALLOCATE PREPARE p", statements.Deallocate("p")),
        ("DISCARD TEMPORARY", statements.Discard("TEMP")),
        ("LISTEN x", statements.Nothing("LISTEN")),
        (
            "DECLARE c BINARY INSENSITIVE CURSOR WITHOUT HOLD FOR  SELECT 1",
            statements.Declare("c", Piece("SELECT 1", 54), hold=False, binary=True),
        ),
    ],
)
def test_control_statements(sql, expected):
    assert read(sql) == expected


@pytest.mark.parametrize(
    ("sql", "position"),
    [
        ("SET", 4),
        ("SET x y", 7),
        ("CLOSE", 6),
        ("DECLARE c SELECT", 11),
        ("DISCARD x", 9),
        ("SHOW 1", 6),
        ("selec 1", 1),
        ("START x", 7),
    ],
)
def test_malformed_control_statements(sql, position):
    with pytest.raises(SqlError) as raised:
        read(sql)
    assert (raised.value.sqlstate, raised.value.position) == ("42601", position)


@pytest.mark.parametrize(
    "sql",
    [
        "FETCH PRIOR FROM c",
        "COMMIT AND CHAIN",
        "update t set a = 1",
        "CREATE TABLE t (a int)",
        "CREATE VIEW v AS SELECT 1",
        "DROP VIEW v",
        "CREATE TEMP TABLE t (a int DEFAULT 1)",
        "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
        "SHOW DATABASES",
    ],
)
def test_unsupported_control_statements(sql):
    with pytest.raises(UnsupportedError):
        read(sql)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'it''s'", "it's"),
        (r"E'a\'b\\'", r"a'b" + "\\"),
        ("U&'x'", "x"),
        ("''", ""),
        (r"e'\t\x41\u263a\101\q'", "\tA☺Aq"),
    ],
)
def test_string_literals(literal, value):
    assert string_value(literal) == value


def test_a_text_that_is_too_long_is_not_read():
    with pytest.raises(SqlError) as caught:
        split("SELECT '" + "x" * LONGEST + "'")
    assert caught.value.sqlstate == "54000"
