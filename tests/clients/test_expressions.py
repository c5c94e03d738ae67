"""Expressions that BI tools and analysts write give what PostgreSQL 15 gives: value, type, name, SQLSTATE."""

import pytest

from tests.clients import expressions

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def ours():
    with expressions.wayline() as connection:
        yield connection


@pytest.fixture(scope="module")
def theirs(postgres15):
    with expressions.postgresql(postgres15) as connection:
        yield connection


def test_expressions_are_postgresqls(ours, theirs):
    known = {member for members in expressions.differences().values() for member in members}
    asked = [expression for expression in expressions.expressions() if expression not in known]
    assert len(asked) >= 250
    wrong = {}
    for expression in asked:
        pair = expressions.outcome(ours, expression), expressions.outcome(theirs, expression)
        if pair[0] != pair[1]:
            wrong[expression] = pair
    assert wrong == {}


def test_differences_are_there_and_listed(ours, theirs):
    asked = expressions.expressions()
    for members in expressions.differences().values():
        for member in members:
            assert member in asked
            assert expressions.outcome(ours, member) != expressions.outcome(theirs, member), member
    assert expressions.kept() == expressions.listed(ours, theirs), "python -m tests.clients.expressions"
