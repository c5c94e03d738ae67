import pytest

from engine.errors import SyntaxProblem
from sqlfront.dialect import parse
from sqlfront.problems import UnknownFunctionError


def kinds(sql):
    return [statement.kind for statement in parse(sql)]


def test_several_statements_are_split_and_named():
    sql = "SET a = 1; begin; select ';' ; declare c cursor for select 2; FETCH 10 FROM c;; close c; END"
    assert kinds(sql) == ["set", "begin", "select", "declare", "fetch", "close", "commit"]


@pytest.mark.parametrize("sql", ["", " ", ";", ";;", "-- nothing", "/* nothing */ ;"])
def test_an_empty_message_is_one_empty_statement(sql):
    assert kinds(sql) == ["empty"]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select 1", "select"),
        ("(select 1)", "select"),
        ("with a as (select 1) select * from a", "select"),
        ("values (1)", "select"),
        ("table web", "select"),
        ("explain select 1", "explain"),
        ("explain (format text, verbose true) select 1", "explain"),
        ("explain (analyze false) select 1", "explain"),
        ("EXPLAIN ANALYZE VERBOSE select 1", "analyze"),
        ("explain (analyze, format text) select 1", "analyze"),
        ("start transaction", "begin"),
        ("abort", "rollback"),
        ("copy (select 1) to stdout", "copy"),
        ("discard all", "discard"),
    ],
)
def test_kinds(sql, kind):
    assert kinds(sql) == [kind]


def test_text_is_as_sent_without_the_semicolon():
    first, second = parse(" select  1 /* a */ + 1;\n-- c\nselect 2 ")
    assert (first.text, second.text) == ("select  1 /* a */ + 1", "select 2")


def test_comments_in_front_are_ignored():
    tree = parse("-- Looker Query Context '{\"user_id\":1}'\nSELECT 1")[0].tree
    assert tree.selects[0].sql() == "1"


def test_backquotes_and_double_quotes_quote_identifiers():
    tree = parse('select `Product Name`, "a.b" from web')[0].tree
    assert [column.name for column in tree.selects] == ["Product Name", "a.b"]


def test_fetch_reads_as_limit():
    assert parse("select 1 fetch next 5 rows only")[0].tree.sql("duckdb") == "SELECT 1 LIMIT 5"


def test_only_questions_are_parsed():
    assert parse("declare c cursor for select 1")[0].tree is None
    assert parse("explain select 1")[0].tree.sql() == "SELECT 1"


def test_functions_remember_the_name_they_were_called_by():
    names = [
        f.meta["name"]
        for f in parse("select now(), char_length('a'), to_char(x, 'Day'), \"lower\"('A')")[0].tree.selects
    ]
    assert names == ["now", "char_length", "to_char", "lower"]


@pytest.mark.parametrize(
    ("sql", "near", "line", "column"),
    [
        ("select a b c from t", '"c"', 1, 12),
        ("select a,\n  b from where x", '"where"', 2, 10),
        ("select 1; select from", '"from"', 1, 18),
        ("select (1", '"1"', 1, 9),
        ("explain", "end of input", 1, 8),
        ("explain create", '"create"', 1, 9),
    ],
)
def test_errors_say_where(sql, near, line, column):
    with pytest.raises(SyntaxProblem) as caught:
        parse(sql)
    assert f"{near} (line {line}, column {column})" in caught.value.message
    assert caught.value.sqlstate == "42601"


@pytest.mark.parametrize(
    "sql",
    [
        *("select 'a", 'select "a', "select /* a"),
        *("SELECT a ? FROM web", "SELECT a @> FROM web", "SELECT a #> FROM web"),
    ],
)
def test_unclosed_quotes_and_missing_operands_are_errors(sql):
    with pytest.raises(SyntaxProblem):
        parse(sql)


def test_the_position_is_an_offset_into_the_message():
    sql = "select 1;\nselect a,\n   b from where x"
    with pytest.raises(SyntaxProblem) as caught:
        parse(sql)
    assert sql[caught.value.position - 1 :] == "where x"


def test_an_unknown_first_word_is_left_to_the_session():
    assert kinds("selec 1") == ["selec"]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT abs()", "abs"),
        ("SELECT lower(1, (2), 3)", "lower"),
        ("SELECT 1, max ( ) FROM t", "max"),
        ("SELECT sum(abs())", "abs"),
    ],
)
def test_calls_with_arguments_too_few_or_too_many_are_of_unknown_functions(sql, name):
    with pytest.raises(UnknownFunctionError, match=f"^function {name} does not take these arguments"):
        parse(sql)


@pytest.mark.parametrize(
    "sql",
    ["SELECT upper(,)", "SELECT (1 + )", "SELECT coalesce()", "SELECT exists()", "SELECT CASE WHEN THEN END"],
)
def test_other_gaps_are_errors_of_syntax(sql):
    with pytest.raises(SyntaxProblem):
        parse(sql)
