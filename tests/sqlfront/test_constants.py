"""Questions that read nothing are answered once; all others each time."""

import pyarrow as pa
import pytest

from engine.cancellation import Cancellation
from engine.errors import SyntaxProblem, UnsupportedError
from engine.world import Home
from sqlfront.constants import Constants, is_constant
from sqlfront.dialect import parse
from sqlfront.front import open_front
from sqlfront.gate import OwnersGate
from sqlfront.query import ResultColumn
from sqlfront.state import Caller

CALLER = Caller("ada", "demo", 1, {})


def statement(sql):
    (only,) = parse(sql)
    return only


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "select 1 as ok",
        "SELECT 'x', NULL, true, -1.5",
        "SELECT 1::int4, CAST('2' AS bigint), '1'::numeric(4,2)",
        "SELECT (1 + 2) * 3 = 9",
    ],
)
def test_constant(sql):
    assert is_constant(statement(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM web",
        "SELECT (SELECT 1)",
        "SELECT 1 UNION SELECT 2",
        "SELECT DISTINCT 1",
        "SELECT 1 LIMIT 0",
        "SELECT 1 WHERE false",
        "SELECT $1",
        "SELECT x",
        "SELECT *",
        "SELECT random()",
        "SELECT now()",
        "SELECT current_date",
        "SELECT current_timestamp",
        "SELECT CURRENT_USER",
        "SELECT '2024-01-01 12:00'::timestamptz",
        "SELECT 'today'::date",
        "SELECT 'web'::regclass",
        "SELECT count(*)",
        "SELECT ARRAY[1]",
        "SELECT generate_series(1, 3)",
        "EXPLAIN SELECT 1",
        f"SELECT {'1 + ' * 100} 1",
        "VALUES (1)",
    ],
)
def test_not_constant(sql):
    assert not is_constant(statement(sql))


class Planning:
    columns = (ResultColumn("x", pa.int32()),)
    parameters = ()

    def __init__(self):
        self.planned = self.ran = 0

    def __call__(self):
        self.planned += 1
        return self

    def run(self, values, cancellation):
        self.ran += 1
        return pa.table({"x": pa.array([1], pa.int32())}).to_reader()


def test_a_constant_runs_once():
    constants, planning = Constants(), Planning()
    for _ in range(3):
        query = constants.planned(statement("SELECT 1 AS x"), planning)
        assert query.columns == planning.columns
        assert query.run((), Cancellation()).read_all().to_pylist() == [{"x": 1}]
    assert (planning.planned, planning.ran) == (1, 1)


def test_a_failure_is_not_kept():
    def fails():
        raise UnsupportedError("not now")

    constants = Constants()
    with pytest.raises(UnsupportedError):
        constants.planned(statement("SELECT 1 AS x"), fails)
    assert constants.planned(statement("SELECT 1 AS x"), Planning()).columns == Planning.columns


def test_a_home_answers_a_constant_without_being_asked_for_its_world(tmp_path):
    home = Home.create(tmp_path / "home")
    front = open_front(home, OwnersGate())
    first = front.plan(front.parse("SELECT 1 AS a, 'x'"), CALLER, ())
    assert [column.name for column in first.columns] == ["a", "?column?"]
    home.close()
    again = front.plan(front.parse("SELECT 1 AS a, 'x'"), CALLER, ())
    assert again.run((), Cancellation()).read_all().num_rows == 1


@pytest.mark.parametrize("sql", ["SELECT\x01a FROM web", "values\x02(1)"])
def test_a_word_with_a_control_character_begins_no_question(tmp_path, sql):
    home = Home.create(tmp_path / "home")
    with pytest.raises(SyntaxProblem):
        open_front(home, OwnersGate()).parse(sql)
    home.close()
