"""Questions without an answer: each error says what, with a code and mostly with a remedy."""

import pytest

from engine.errors import WaylineError

ERRORS = [
    # metrics where only dimensions make sense
    ("select channel, sum(orders) from web where revenue > 5 group by 1", "0A000", "HAVING"),
    ("select channel from web where revenue > 5", "0A000", "HAVING"),
    ("select revenue, count(*) from web group by revenue", "0A000", "HAVING"),
    ("select lower(channel), count(*) from web group by lower(channel), orders + 1", "0A000", "HAVING"),
    ("select t.r, count(*) from (select revenue as r from web) t group by t.r", "0A000", "HAVING"),
    # names around a sub-query that are clear nowhere
    (
        "select count(*) from web w join channels c on c.channel = w.channel"
        " where exists (select 1 from (select id from plans) p where p.id = channel)",
        "42702",
        "in front",
    ),
    # people and sessions
    ("select count(visitors) from web", "0A000", "SUM"),
    ("select avg(visits) from web", "0A000", "SUM"),
    ("select min(visitors) from web", "0A000", "SUM"),
    ("select max(visits) from web", "0A000", "SUM"),
    ("select stddev(visitors) from web", "0A000", "SUM"),
    ("select sum(distinct visitors) from web", "0A000", "SUM"),
    ("select sum(visitors * visits) from web", "0A000", "outside"),
    ("select sum(visitors) over () from web", "0A000", "SUM"),
    ("select sum(visitors) from (select visitors from web limit 10) t", "0A000", "innermost"),
    ("select sum(v) from (select distinct channel, visitors as v from web) t", "0A000", "innermost"),
    (
        "select sum(v) from (select visitors as v from web union all select visits from web) t",
        "0A000",
        "innermost",
    ),
    (
        "select sum(v + 1) from (select visits + 1 as v, row_number() over () from web) t",
        "0A000",
        "innermost",
    ),
    (
        "select max(v) from (select * from (select visitors as v, channel from web limit 5) a) b",
        "0A000",
        "innermost",
    ),
    ("select sum(w.visitors) from web w join plans p on w.channel = p.channel", "0A000", "innermost"),
    (
        "select sum(v) from (select w.visitors as v from web w join plans p on w.channel = p.channel) t",
        "0A000",
        None,
    ),
    (
        "with recursive r as (select visitors as v, 1 as n from web union all select v, n + 1 from r where n < 2)"
        " select sum(v) from r",
        "0A000",
        "innermost",
    ),
    (
        "select sum(b.v) from web w join (select visitors as v, channel from web limit 10) b"
        " on w.channel = b.channel",
        "0A000",
        "innermost",
    ),
    (
        "select sum(t.v) from (select b.v from web w join (select adobe_personid as p, visitors as v from web limit 1)"
        " b on w.adobe_personid = b.p) t",
        "0A000",
        "innermost",
    ),
    ("select sum(w.visitors) over () from web w join plans p on w.channel = p.channel", "0A000", "SUM"),
    (
        "select p.id, sum(b.v) from plans p left join (select w.channel, w.visitors as v from web w"
        " join plans q on w.channel = q.channel) b on p.channel = b.channel group by 1",
        "0A000",
        "innermost",
    ),
    (
        "select p.id, sum(b.v) from plans p left join (select w.channel, w.credited as v from web w"
        " join plans q on w.channel = q.channel) b on p.channel = b.channel group by 1",
        "0A000",
        "one by one",
    ),
    (
        "select p.id, count(*) from plans p left join web w on p.channel = w.channel"
        " and exists (select 1 from channels c where c.channel = w.channel) group by 1",
        "0A000",
        "IN",
    ),
    (
        "select p.id, sum(w.orders) from plans p left join (web w join channels c on w.channel = c.channel)"
        " on w.channel = p.channel group by 1",
        "0A000",
        "sub-query with a name",
    ),
    (
        "select count(*) from plans p join (web w join channels c on w.channel = c.channel) using (channel)",
        "0A000",
        "sub-query with a name",
    ),
    # attributed metrics
    ("select sum(credited * orders) from web", "0A000", "outside"),
    ("select count(distinct daterangeName) from web", "0A000", "AND"),
    # correlated sub-queries over a view
    (
        "select c.channel, (select sum(credited) from web w where w.channel = c.channel) from channels c",
        "0A000",
        "Join",
    ),
    # names
    ("select channl from web", "42703", 'Did you mean "channel"?'),
    ("select sum(reveneu) from web", "42703", 'Did you mean "revenue"?'),
    ("select w.channel from web", "42P01", "web"),
    ("select c.channel from channels", "42P01", None),
    ("select regio from channels", "42703", "region"),
    ("select * from wbe", "42P01", 'Did you mean "web"?'),
    ("select * from other.web", "42P01", None),
    ("select nope.* from web", "42P01", None),
    ("select channel from web w join channels c on w.channel = c.channel", "42702", "table"),
    ("select t.x from (select channel from web) t", "42703", None),
    (
        "with recursive r as (select channel from channels union select w.channel from web w join r on true)"
        " select * from r",
        "0A000",
        "CTE",
    ),
    # grouping
    ("select page, sum(orders) from web group by channel", "42803", "GROUP BY"),
    ("select channel, count(*) from web", "42803", "GROUP BY"),
    ("select channel from web group by 1 order by page", "42803", "GROUP BY"),
    ("select channel, count(*) from web group by 3", "42803", None),
    ("select channel, count(*) from web group by 1 having page = 'x'", "42803", "GROUP BY"),
    # types
    ("select sum(channel) from web", "42883", "COUNT"),
    ("select channel + 1 from web", "42883", None),
    ("select sum(revenue) from web where daterange > 'yesterday'", "22007", None),
    ("select 'a'::int", "22P02", None),
    # joins
    ("select w.channel from web w natural semi join channels c", "0A000", None),
    ("select count(*) from web w join channels c on w.revenue = c.rate", "0A000", None),
    (
        "select sum(w.revenue * w.orders) from web w join plans p on w.channel = p.channel",
        "0A000",
        "sub-query",
    ),
    ("select stddev(w.revenue) from web w join plans p on w.channel = p.channel", "0A000", "sub-query"),
]


@pytest.mark.parametrize(("sql", "sqlstate", "hint"), ERRORS)
def test_errors(sql, sqlstate, hint, ask):
    with pytest.raises(WaylineError) as caught:
        ask(sql)
    assert caught.value.sqlstate == sqlstate, caught.value
    assert "\n" not in caught.value.message
    assert "_report" not in caught.value.message and "_dataset" not in caught.value.message
    if hint is not None:
        assert hint in (caught.value.hint or ""), caught.value.hint
