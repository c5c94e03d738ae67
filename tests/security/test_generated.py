"""Statements that nobody thought of: every function of DuckDB, and random trees of every class of the parser.

What passes the allow-list is on a list that was read by eye, holds no forbidden call, and reaches nothing when it
runs in a DuckDB that is locked as the server's are.
"""

from __future__ import annotations

import os
from contextlib import suppress

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from engine.errors import WaylineError
from engine.locking import locked
from sqlfront import dialect
from sqlfront.functions import SAFE, TABLE_FUNCTIONS
from sqlfront.safety import check


def can_be_made(kind):
    """Tell whether there are nodes of a class; some are there to be inherited from."""
    try:
        kind()
    except TypeError:
        return False
    return True


CLASSES = sorted(
    {
        kind
        for kind in vars(exp).values()
        if isinstance(kind, type) and issubclass(kind, exp.Expr) and can_be_made(kind)
    },
    key=lambda kind: kind.__name__,
)
NAMES = sorted(
    {
        name
        for (name,) in duckdb.sql("SELECT DISTINCT lower(function_name) FROM duckdb_functions()").fetchall()
        if name.isidentifier()
    }
    - SAFE
)
OTHER_NAMES = {"argmax", "argmin", "max_by", "min_by"}
"""Names of ``arg_max`` and ``arg_min``, which the parser reads as these."""
PLACES = [
    "SELECT {}",
    "SELECT 1 FROM {} AS f",
    "SELECT 1 AS a WHERE {} IS NULL",
    "SELECT lower({})",
    "SELECT sum(1) FILTER (WHERE {} IS NULL)",
    "SELECT 1 AS a ORDER BY {}",
    "SELECT 1 AS a, row_number() OVER (PARTITION BY {})",
    "WITH f AS (SELECT {}) SELECT 1",
    "SELECT CASE WHEN true THEN 1 ELSE {} END",
    "SELECT 1 AS a LIMIT {}",
]
SPELLINGS = ["{}('/etc/passwd')", "\"{}\"('x')", "main.{}('x')", "pg_catalog.{}('x')", "{}()"]


def passes(sql):
    """Tell whether a statement would be planned."""
    try:
        trees = [statement.tree for statement in dialect.parse(sql)]
        for tree in trees:
            check(tree)
    except WaylineError:
        return False
    return True


def test_functions_of_duckdb_that_are_not_on_the_list_pass_nowhere():
    passed = {
        name
        for name in NAMES
        for spelling in SPELLINGS
        for call in (spelling.format(name), spelling.format(name.upper()))
        if passes(PLACES[0].format(call))
    }
    assert passed == OTHER_NAMES


@pytest.mark.parametrize("place", PLACES)
def test_what_reaches_out_passes_in_no_place(place):
    names = [
        name for name in NAMES if name.startswith(("read_", "getenv", "duckdb_", "glob", "query", "pragma_"))
    ]
    assert len(names) > 40
    assert [
        name for name in names for spelling in SPELLINGS if passes(place.format(spelling.format(name)))
    ] == []


def poison():
    """Nodes that must never pass, wherever they stand."""
    path = exp.Literal.string("/etc/passwd")
    return st.sampled_from(
        [
            exp.Anonymous(this="getenv", expressions=[exp.Literal.string("HOME")]),
            exp.Anonymous(this="read_text", expressions=[path]),
            exp.Anonymous(this="duckdb_settings", expressions=[]),
            exp.ReadCSV(this=path),
            exp.Table(this=exp.Anonymous(this="glob", expressions=[path])),
            exp.Table(this=exp.ReadParquet(expressions=[path])),
            exp.Command(this="ATTACH", expression=path),
            exp.Copy(this=exp.to_table("web"), kind=False),
            exp.Insert(this=exp.to_table("web")),
            exp.Drop(this=exp.to_table("web"), kind="TABLE"),
            exp.Into(this=exp.to_table("web")),
            exp.Attach(this=path),
            exp.Pragma(this=path),
            exp.Set(expressions=[]),
            exp.SessionParameter(this="x"),
        ]
    ).map(lambda node: node.copy())


LEAVES = st.sampled_from(
    [
        *(
            exp.Literal.number(1),
            exp.Literal.string("a"),
            exp.column("a"),
            exp.null(),
            exp.true(),
            exp.Star(),
        ),
        *(exp.to_table("web"), exp.select("1"), exp.to_identifier("a"), exp.DataType.build("int")),
        exp.Anonymous(this="lower", expressions=[exp.Literal.string("A")]),
    ]
).map(lambda node: node.copy())


def above(inner):
    """Trees of any class whose arguments are other trees, one of them in a list."""

    def made(drawn):
        kind, parts, in_list = drawn
        arguments = {}
        for (name, _), part in zip(kind.arg_types.items(), parts, strict=False):
            arguments[name] = [part.copy()] if in_list or name.endswith("expressions") else part.copy()
        return kind(**arguments)

    parts = st.lists(inner, min_size=1, max_size=4)
    return st.tuples(st.sampled_from(CLASSES), parts, st.booleans()).map(made)


TREES = st.recursive(LEAVES, above, max_leaves=8)
MANY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(st.sampled_from(CLASSES), poison(), st.lists(TREES, max_size=3), st.booleans())
def test_no_class_hides_what_is_forbidden(kind, hidden, others, in_list):
    for name in kind.arg_types:
        arguments = dict(zip(kind.arg_types, (other.copy() for other in others), strict=False))
        arguments[name] = [hidden.copy()] if in_list or name.endswith("expressions") else hidden.copy()
        tree = exp.select("1")
        tree.append("expressions", kind(**arguments))
        with pytest.raises((WaylineError, AttributeError)):  # no parser makes nodes without a name
            check(tree)


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    """A locked database, and a file and a variable that it must not read."""
    folder = tmp_path_factory.mktemp("canary")
    (folder / "canary.csv").write_text("a\ntweet-9\n")
    os.environ["WAYLINE_CANARY"] = "tweet-9"
    database = duckdb.connect(":memory:", config={"memory_limit": "200MB", "threads": 1})
    locked(database, (folder / "datasets",))
    yield database
    database.close()
    del os.environ["WAYLINE_CANARY"]
    assert sorted(path.name for path in folder.iterdir()) == ["canary.csv"]


@MANY
@given(tree=TREES)
def test_what_passes_reaches_nothing(canary, tree):
    whole = exp.select("1")
    whole.append("expressions", tree)
    before = canary.execute("SELECT * FROM duckdb_settings() ORDER BY name").fetchall()
    try:
        check(whole)
        sql = whole.sql("duckdb")
    except (WaylineError, ValueError, TypeError, AttributeError, KeyError):
        return
    with suppress(duckdb.Error):
        assert "tweet-9" not in str(canary.execute(sql).fetchmany(10))
    assert canary.execute("SELECT * FROM duckdb_settings() ORDER BY name").fetchall() == before


def test_the_lists_do_not_grow_unseen():
    """A name that is added to them is read here too: none reaches files, settings or other statements."""
    reach = ("read_", "write_", "scan", "glob", "getenv", "query", "pragma", "duckdb_", "setting", "variable")
    reach += ("secret", "sniff", "parquet", "copy", "which", "nextval", "currval", "load", "attach", "log_")
    assert [name for name in SAFE | TABLE_FUNCTIONS if any(part in name for part in reach)] == []
    assert len(SAFE) == 315
    assert {"generate_series", "unnest"} == TABLE_FUNCTIONS
