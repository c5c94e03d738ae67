"""Quotients of sums have decimals; those of whole numbers have none."""

import pytest

from sqlfront.dialect import parse
from sqlfront.planner.quotients import with_decimals
from tests.sqlfront.compare import same_rows

DIVIDED = [
    ("sum(orders) / count(*)", "sum(orders)::double / count(*)"),
    ("sum(orders) * 100 / sum(visits)", "sum(orders)::double * 100 / sum(visits)"),
    ("7 / nullif(sum(orders), 0)", "7::double / nullif(sum(orders), 0)"),
    (
        "sum(orders) filter (where page is not null) / 7",
        "sum(orders) filter (where page is not null)::double / 7",
    ),
    ("sum(case when page is null then 1 else 0 end) / 7", "count(*) filter (where page is null) // 7"),
    ("count(*) / 7", "count(*) // 7"),
    ("max(orders) / 2", "max(orders) // 2"),
]


@pytest.mark.parametrize(("ours", "theirs"), DIVIDED)
def test_quotients_of_sums_have_decimals(ours, theirs, ask, plain):
    same_rows(ask(f"select {ours} as x from web"), plain(f"select {theirs} as x from web"))


def test_sums_of_sub_queries_and_ctes_are_sums(ask, plain):
    inner = "select channel, sum(orders) as s, count(*) as n from web group by 1"
    expected = plain(f"select s::double / n, n // 7 from ({inner})")
    same_rows(ask(f"select x.s / x.n, n / 7 from ({inner}) x"), expected)
    same_rows(ask(f"with x as ({inner}) select s / n, n / 7 from x"), expected)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a / b FROM t",
        "SELECT COUNT(*) / 7 FROM t",
        "SELECT SUM(1) / 7 FROM t",
        "SELECT SUM(CAST(a AS INT)) / 7 FROM t",
        "SELECT s / 7 FROM (SELECT s, SUM(a) AS x FROM t GROUP BY s) AS y",
        "SELECT y.s / 7 FROM (SELECT SUM(a) AS s FROM t) AS x, y",
        "SELECT SUM(a / 7) FROM t",
    ],
)
def test_other_quotients_stay(sql):
    tree = parse(sql)[0].tree
    assert with_decimals(tree.copy()) == tree
