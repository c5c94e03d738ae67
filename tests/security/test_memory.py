"""Statements that make much of little end with an error, and the server's memory stays near its limit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from engine.folders import scratch
from engine.world import Home
from sqlfront.users import add_user
from sqlfront.workspace import Workspace
from tests.wayline.test_serve import connect, serving

LIMIT = 1 << 30
BEYOND = (LIMIT // 4 * 5) + (1 << 30) + (512 << 20)
"""The limit and a quarter, room for stacks, and what a process has before it begins."""
TOO_LARGE, TOO_MUCH, TOO_LONG = "54000", "53200", "57014"
WIDE = ", ".join(f"repeat('x', 100000) AS c{at}" for at in range(20))
BOMBS = [
    ("SELECT repeat('x', 1000000000)", {TOO_LARGE}),
    ("SELECT repeat('x', (10 ^ 9)::int)", {TOO_LARGE}),
    ("SELECT repeat(t, n) FROM (VALUES ('xyz', 40000)) v(t, n)", {TOO_LARGE}),
    ("SELECT lpad('x', 1000000000)", {TOO_LARGE}),
    ("SELECT rpad('x', n, 'y') FROM (VALUES (1000000000)) v(n)", {TOO_LARGE}),
    ("SELECT generate_series(1, 1000000000000)", {TOO_LARGE}),
    ("SELECT generate_series(1, n) FROM (VALUES (1000000000)) v(n)", {TOO_LARGE}),
    ("SELECT count(*) FROM generate_series(1, 1000000000000)", {TOO_LARGE}),
    ("SELECT string_agg(repeat('x', 1000), '') FROM generate_series(1, 10000000)", {TOO_MUCH, TOO_LARGE}),
    ("SELECT array_agg(i) FROM generate_series(1, 1000000000) t(i)", {TOO_MUCH}),
    ("SELECT replace(repeat('x', 40000), 'x', repeat('y', 40000))", {TOO_MUCH, TOO_LONG}),
    (f"SELECT {WIDE} FROM generate_series(1, 1000000)", {TOO_MUCH, TOO_LARGE}),
    (
        "SELECT (SELECT array_agg(i) FROM generate_series(1, 1000000) t(i)) FROM generate_series(1, 1000000)",
        {TOO_MUCH, TOO_LARGE},
    ),
    (
        "WITH RECURSIVE r AS (SELECT 'x' n UNION ALL SELECT n || n FROM r) SELECT max(length(n)) FROM r",
        {TOO_MUCH, TOO_LARGE},
    ),
    (
        "WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT r.n + 1 FROM r, generate_series(1, 1000))"
        " SELECT count(*) FROM r",
        {TOO_MUCH, TOO_LONG},
    ),
    ("WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r", {TOO_LONG}),
    ("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT 1 FROM r) SELECT count(*) FROM r", {TOO_LONG}),
    (
        "SELECT count(*) FROM generate_series(1, 10000000) a(i), generate_series(1, 10000000) b(i)"
        " WHERE a.i * b.i % 7 = 3",
        {TOO_LONG},
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("memory") / "home"
    with closing(Home.create(root)) as home:
        add_user(home.catalog, "ada", "secret")
    with serving(root, "--memory-limit", f"{LIMIT}", "--statement-timeout", "4s") as served:
        yield served


def peak(program):
    """Return the most bytes of memory that a process ever had."""
    lines = Path(f"/proc/{program.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.parametrize(("sql", "expected"), BOMBS, ids=[sql[:60] for sql, _ in BOMBS])
def test_it_ends_and_others_go_on(served, sql, expected):
    program, port = served
    with connect(port) as client, connect(port) as other:
        with pytest.raises(psycopg.Error) as caught:
            for _ in client.cursor().stream(sql):
                continue
        assert caught.value.sqlstate in expected
        assert peak(program) < BEYOND
        assert client.execute("SELECT 42").fetchone() == (42,)
        assert other.execute("SELECT sum(i) FROM generate_series(1, 1000) t(i)").fetchone() == (500500,)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT length(repeat('ab', 50000))", 100000),
        ("SELECT repeat('x', n) FROM (VALUES (3)) v(n)", "xxx"),
        ("SELECT repeat(NULL, 3)", None),
        ("SELECT lpad('7', 3, '0') || rpad('a', 3) || lpad('abc', -1)", "007a  "),
        ("SELECT lpad(t, n) FROM (VALUES ('a', 3)) v(t, n)", "  a"),
        ("SELECT count(*) FROM (SELECT generate_series(1, 1000000)) s", 1000000),
        ("SELECT count(*) FROM (SELECT generate_series(n, 1, -1) FROM (VALUES (5)) v(n)) s", 5),
        ("SELECT count(*) FROM generate_series(1000000000000, 1000000000009)", 10),
        (
            "SELECT count(*) FROM (SELECT generate_series(a, a + interval '2 days', interval '1 day')"
            " FROM (VALUES (timestamp '2026-01-01')) v(a)) s",
            3,
        ),
    ],
)
def test_what_is_small_is_made(served, sql, expected):
    with connect(served[1]) as client:
        assert client.execute(sql).fetchone() == (expected,)


def test_what_sorts_spill_lies_in_no_folder_of_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(tmp_path / "datasets")
    cursor = workspace.cursor()
    cursor.execute("CREATE TEMP TABLE t AS SELECT i FROM range(1000) r(i) ORDER BY hash(i)")
    shown = cursor.execute(
        "SELECT current_setting('temp_directory'), current_setting('max_temp_directory_size')"
    ).fetchone()
    assert shown[0].startswith(str(scratch()))
    assert shown[1] != "90% of available disk space"
    assert list(tmp_path.iterdir()) == []
