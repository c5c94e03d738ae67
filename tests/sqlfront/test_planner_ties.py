"""FETCH … WITH TIES equals a condition on ranks, written by hand over the same events as a plain table."""

import pytest

from engine.errors import SyntaxProblem, UnsupportedError
from tests.sqlfront.compare import same_rows

PAGES = "select channel, count(distinct page) as n from web group by 1"
SAME = [
    (
        f"{PAGES} order by 2 desc fetch first 2 rows with ties",
        f"from ({PAGES}) qualify rank() over (order by n desc) <= 2",
    ),
    (
        "select channel, orders from web order by orders nulls first, channel desc fetch first row with ties",
        "select channel, orders from web qualify rank() over (order by orders nulls first, channel desc nulls first)"
        " <= 1",
    ),
    (
        "select * from plans order by 2 fetch first 1 row with ties",
        "select * from plans qualify rank() over (order by channel) <= 1",
    ),
    (
        "select channel as id from plans order by id fetch next 2 rows with ties",
        "select channel from plans qualify rank() over (order by channel) <= 2",
    ),
    (
        "select channel from plans group by 1 order by count(*) fetch first 1 row with ties",
        "select channel from plans where channel in ('Print', 'Search')",
    ),
    (
        "select channel from plans union all select channel from channels order by 1 fetch first 2 rows with ties",
        "select 'Email' from range(3)",
    ),
    (
        "select channel, sum(orders) from web group by rollup (channel) order by 1 nulls first"
        " fetch first 1 row with ties",
        "select null, sum(orders) from web union all select channel, sum(orders) from web"
        " where channel is null group by 1",
    ),
    ("select channel from plans order by 1 fetch first 0 rows with ties", "select 1 where false"),
    (
        "select channel from plans order by 1 offset 1 fetch first 0 rows with ties",
        "select 1 where false",
    ),
    (
        "select channel from plans order by channel offset 1 row fetch first 1 row with ties",
        "select 'Email'",
    ),
]


@pytest.mark.parametrize(("sql", "twin"), SAME)
def test_ties_are_kept(sql, twin, ask, plain):
    same_rows(ask(sql), plain(twin))


def test_without_ties_there_are_none(ask):
    assert len(ask("select channel from plans order by channel fetch first 1 row only")) == 1


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("select channel from web fetch first 2 rows with ties", SyntaxProblem),
        ("select channel from web limit 10 percent", SyntaxProblem),
        ("select distinct id, channel from plans order by 2 fetch first 1 row with ties", UnsupportedError),
    ],
)
def test_what_has_no_meaning_is_refused(sql, error, ask):
    with pytest.raises(error):
        ask(sql)
