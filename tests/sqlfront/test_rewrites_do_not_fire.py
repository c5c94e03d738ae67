"""Each rewrite beside statements that look alike and must not go through it, by what is planned.

A statement that fires a rewrite and one that does not stand in one case, so that the mark which tells the two
apart is known to be there where it should be.
"""

from __future__ import annotations

import pytest

from engine.errors import WaylineError
from tests.sqlfront.test_planner_golden import plan_text

CASES = {
    "a join unique on its key is a lookup": (
        "lookup ",
        "select c.region, sum(w.visitors) from web w join channels c on w.channel = c.channel group by 1",
        [
            "select p.id, sum(w.orders) from web w join plans p on w.channel = p.channel group by 1",
            "select c.region, sum(w.orders) from web w full join channels c on w.channel = c.channel group by 1",
            "select c.region, sum(w.orders) from web w right join channels c on w.channel = c.channel group by 1",
            "select c.region, sum(w.orders) from web w join channels c on w.channel < c.channel group by 1",
            "select c.region, sum(w.orders) from web w left join channels c"
            " on w.channel = c.channel and w.page = 'pay' group by 1",
            "select c.region, count(*) from web w join channels c on w.revenue = c.rate group by 1",
        ],
    ),
    "a condition on one lookup becomes a list of keys": (
        'segment "channel" IN (SELECT',
        "select w.page, sum(w.orders) from web w join channels c on w.channel = c.channel where c.rate > 1 group by 1",
        [
            "select w.page, sum(w.orders) from web w join channels c on w.channel = c.channel"
            " where c.rate > length(w.page) group by 1",
            "select w.page, sum(w.orders) from web w join channels c on w.channel = c.channel"
            " where c.rate > 1 or w.page = 'pay' group by 1",
            "select w.page, sum(w.orders) from web w join channels c on w.channel = c.channel and w.page = c.region"
            " where c.rate > 1 group by 1",
            "select w.channel, sum(w.orders) from web w join channels c on w.channel = c.channel"
            " where c.rate > 1 group by 1",
        ],
    ),
    "joins in parentheses are laid open": (
        "lookup c_1",
        "select c.region, sum(w.visitors) from (web w join channels c on w.channel = c.channel) group by 1",
        [
            "select c.region, sum(w.orders) from plans p left join (web w join channels c on w.channel = c.channel)"
            " on p.channel = w.channel group by 1",
            "select c.region, sum(w.orders) from plans p full join (web w join channels c on w.channel = c.channel)"
            " on p.channel = w.channel group by 1",
            "select c.region, sum(w.orders) from plans p join (web w join channels c on w.channel = c.channel)"
            " on p.channel = w.channel right join plans q on q.id = p.id group by 1",
            "select c.region, sum(w.orders) from plans p join (web w full join channels c on w.channel = c.channel)"
            " on p.channel = w.channel group by 1",
        ],
    ),
    "a condition on the rows of an outer join narrows them": (
        'outer lookup c_1 on "channel" = channel: SELECT * FROM "_dataset_channels" AS "c_1" WHERE',
        "select c.region, sum(w.visitors) from web w left join channels c"
        " on w.channel = c.channel and c.rate > 1 group by 1",
        [
            "select c.region, sum(w.visitors) from web w left join channels c on w.channel = c.channel"
            " where c.rate > 1 group by 1",
            "select c.region, sum(w.orders) from web w left join channels c"
            " on w.channel = c.channel and c.rate > length(w.page) group by 1",
            "select c.region, sum(w.orders) from web w left join channels c"
            " on w.channel = c.channel and (c.rate > 1 or w.page = 'pay') group by 1",
            "select c.region, sum(w.orders) from web w right join channels c"
            " on w.channel = c.channel and c.rate > 1 group by 1",
            "select c.region, sum(w.orders) from web w full join channels c"
            " on w.channel = c.channel and c.rate > 1 group by 1",
        ],
    ),
    "a join inside an outer join becomes single events": (
        "single events",
        "select p.id, sum(b.orders) from plans p left join (select w.channel, w.orders from web w"
        " join plans q on w.channel = q.channel) b on p.channel = b.channel group by 1",
        [
            "select p.id, sum(b.orders) from plans p join (select w.channel, w.orders from web w"
            " join plans q on w.channel = q.channel) b on p.channel = b.channel group by 1",
            "select p.id, sum(b.orders) from (select w.channel, w.orders from web w"
            " join plans q on w.channel = q.channel) b left join plans p on p.channel = b.channel group by 1",
            "select p.id, sum(b.orders) from plans p left join (select w.channel, w.orders from web w"
            " join channels q on w.channel = q.channel) b on p.channel = b.channel group by 1",
            "select p.id, sum(b.credited) from plans p left join (select w.channel, w.credited from web w"
            " join plans q on w.channel = q.channel) b on p.channel = b.channel group by 1",
        ],
    ),
    "a lookup whose key is grouped is joined to the answer": (
        'JOIN (SELECT * FROM "_dataset_channels")',
        "select w.channel, c.region, sum(w.orders) from web w join channels c on w.channel = c.channel group by 1, 2",
        [
            "select w.channel, max(c.rate) from web w join channels c on w.channel = c.channel group by 1",
            "select w.page, c.region, sum(w.orders) from web w join channels c on w.channel = c.channel group by 1, 2",
            "select w.channel, c.region, sum(w.orders) from web w join channels c on w.channel = c.channel"
            " where c.region < w.page group by 1, 2",
        ],
    ),
    "a term about one view is pushed into its scan": (
        "segment \"page\" = 'pay'",
        "select p.id, sum(w.orders) from web w join plans p on w.channel = p.channel where w.page = 'pay' group by 1",
        [
            "select p.id, sum(w.orders) from plans p left join web w on w.channel = p.channel"
            " where w.page = 'pay' group by 1",
            "select p.id, sum(w.orders) from web w full join plans p on w.channel = p.channel"
            " where w.page = 'pay' group by 1",
            "select p.id, sum(w.orders) from web w join plans p on w.channel = p.channel"
            " where w.page = 'pay' or p.id = 'a' group by 1",
        ],
    ),
    "DISTINCT of dimensions is GROUP BY": (
        'FROM "_report_1" AS "report"',
        "select distinct channel from web",
        [
            "select distinct channel, orders from web",
            "select distinct on (channel) channel, page from web",
            "select distinct channel, row_number() over () from web",
            "select distinct 1 from web",
        ],
    ),
    "a term on grouped columns filters the answer": (
        'WHERE ("report"."channel" = ',
        "select channel, sum(credited) from web where channel = 'Email' group by 1",
        [
            "select page, sum(credited) from web where channel = 'Email' group by 1",
            "select channel, sum(credited) from web where channel = 'Email' or page = 'pay' group by 1",
        ],
    ),
    "a condition on time is the range": (
        "  from ",
        "select count(*) from web where daterange >= '2024-01-01'",
        [
            "select count(*) from web where daterange >= '2024-01-01' or page = 'pay'",
            'select count(*) from web where extract(hour from "timestamp") >= 9',
            "select count(*) from web where daterange in ('2024-01-01', '2024-01-02')",
            "select count(*) from web where daterangeday <> '2024-01-01'",
            "select sum(case when daterange >= '2024-01-01' then orders end) from web",
        ],
    ),
    "a cast around a sum of counts is made after it": (
        'CAST("report"."orders" AS',
        "select sum(cast(orders as int)) from web",
        ["select sum(cast(revenue as int)) from web", "select sum(cast(orders as text)::int) from web"],
    ),
    "a name in WHERE chooses a saved segment": (
        "chosen filterName",
        "select count(*) from web where filterName = 'On sale'",
        [
            "select count(*) from web where filterName <> 'On sale'",
            "select count(*) from web where filterName = 'On sale' or page = 'pay'",
            "select count(*) from web where filterName = page",
            "select filterName from web where filterName = 'On sale'",
        ],
    ),
    "a list of names reads no events": (
        '"listed"',
        "select filterName from web",
        [
            "select filterName, channel from web",
            "select filterName, count(*) from web where filterName = 'On sale' group by 1",
            "select count(filterName) from web",
        ],
    ),
    "a tied sub-query is grouped by its ties": (
        "_groups_1",
        "select c.channel, (select sum(orders) from web w where w.channel = c.channel) from channels c",
        [
            "select c.channel, (select sum(credited) from web w where w.channel = c.channel) from channels c",
            "select c.channel, (select sum(orders) from web w where w.channel < c.channel) from channels c",
            "select c.channel, (select sum(orders) from web w where w.channel = c.channel or w.page = 'a') from channels c",
            "select c.channel, (select sum(orders) from web w where w.channel = 'Email') from channels c",
            "select c.channel, (select sum(orders) from web c where c.channel = c.channel) from channels c",
            "select c.channel, (select max(p.id) from plans p where p.channel = c.channel) from channels c",
        ],
    ),
    "a tied value around a view is a lookup": (
        "outer lookup _subquery",
        "select page, max((select max(c.rate) from channels c where c.channel = w.channel)) from web w group by 1",
        [
            "select page, max((select max(c.rate) from channels c)) from web w group by 1",
            "select page, (select p.id from plans p where p.channel = w.channel), count(*) from web w group by 1, 2",
            "select page, (select c.rate from channels c where c.channel = w.channel limit 1) from web w group by 1, 2",
        ],
    ),
    "rows LEFT JOIN a view are a spine": (
        'AS "answer" ON "c_1"."channel"',
        "select c.channel, sum(w.visitors) from channels c left join web w on w.channel = c.channel group by 1",
        [
            "select upper(p.id), sum(w.orders) from plans p left join web w on w.channel = p.channel group by 1",
            "select p.channel, sum(w.orders) from plans p left join web w on w.channel = p.channel group by 1",
            "select c.channel, sum(w.orders), sum(c.rate) from channels c left join web w on w.channel = c.channel group by 1",
            "select c.channel, sum(w.orders) from channels c left join web w on w.channel = c.channel"
            " where w.page = 'pay' group by 1",
            "select c.channel, sum(w.orders) from channels c join web w on w.channel = c.channel group by 1",
            "select c.channel, sum(w.orders) from channels c left join web w on w.channel > c.channel group by 1",
            "select c.channel, stddev(w.orders) from channels c left join web w on w.channel = c.channel group by 1",
        ],
    ),
    "a sub-query in an inner join's condition is one of WHERE": (
        'segment "page" IN (',
        "select c.region, sum(w.visitors) from web w join channels c on w.channel = c.channel"
        " and w.page in (select 'pay') group by 1",
        [
            "select c.region, sum(w.visitors) from web w left join channels c on w.channel = c.channel"
            " and w.page in (select 'pay') group by 1",
            "select c.region, sum(w.visitors) from plans p left join channels c on p.channel = c.channel"
            " join web w on w.channel = c.channel and w.page in (select 'pay') group by 1",
        ],
    ),
    "FETCH … WITH TIES is a condition on ranks": (
        "QUALIFY",
        "select channel, count(*) from web group by 1 order by 2 fetch first 2 rows with ties",
        [
            "select channel, count(*) from web group by 1 order by 2 fetch first 2 rows only",
            "select channel, count(*) from web group by 1 order by 2 limit 2",
        ],
    ),
}


def planned(sql):
    """Return the plan, or what was refused."""
    try:
        return plan_text(sql)
    except WaylineError as error:
        return f"{error.sqlstate} {error}"


@pytest.mark.parametrize("name", CASES)
def test_a_rewrite_fires_where_it_should(name):
    mark, fires, _ = CASES[name]
    assert mark in planned(fires), planned(fires)


@pytest.mark.parametrize(("name", "sql"), [(name, sql) for name in CASES for sql in CASES[name][2]])
def test_and_not_where_it_must_not(name, sql):
    assert CASES[name][0] not in planned(sql), planned(sql)
