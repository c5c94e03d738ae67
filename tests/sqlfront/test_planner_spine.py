"""Rows LEFT JOIN a view: all rows are shown, and people and sessions count as in the report by these rows."""

import pytest

from engine.errors import WaylineError
from tests.sqlfront.compare import same_rows

DAYS = "(select d from generate_series(timestamp '2023-12-30', timestamp '2024-01-09', interval '1 day') as g(d)) a"
COUNTED = (
    "count(*), count(1), count(s.page), count(distinct s.page), sum(s.orders), avg(s.revenue), min(s.page)"
)
OTHER = (
    "sum(coalesce(s.orders, 0)), sum(case when s.page = 'pay' then s.orders else 0 end),"
    " count(*) filter (where s.page = 'pay'), count(case when s.page is null then 1 end),"
    " sum(s.orders) filter (where s.page is null), max(lower(s.page)), round(sum(s.revenue) / count(*), 2)"
)
SAME = [
    f"select a.d, {COUNTED} from {DAYS} left join web s on s.daterangeday = a.d group by a.d",
    f"select a.d, {OTHER} from {DAYS} left join web s on a.d = s.daterangeday group by 1",
    f"select a.d, s.channel, {COUNTED} from {DAYS} left join web s on s.daterangeday = a.d group by a.d, s.channel",
    f"select a.d, count(*) from {DAYS} left join web s on s.daterangeday = a.d and s.page = 'pay' group by a.d",
    f"select a.d, count(*) from {DAYS} left join web s on s.daterangeday = a.d where a.d > '2024-01-03' group by a.d",
    f"select a.d from {DAYS} left join web s on s.daterangeday = a.d group by a.d having count(s.page) > 2",
    f"select a.d, sum(s.orders) as o from web s right join {DAYS} on s.daterangeday = a.d group by a.d order by o",
    "select c.channel, c.region, count(*), sum(s.orders) from channels c left join web s"
    " on s.channel = c.channel and s.campaign = 'sale' group by c.channel, c.region",
    "select c.k, count(*), count(s.page) from (values ('Email'), (null), ('x')) c(k) left join web s"
    " on s.channel = c.k group by c.k",
    "select c.k, count(*), count(s.page) from (values ('Email'), (null), (null)) c(k) left join web s"
    " on s.channel = c.k group by c.k",
    # groups are expressions over the rows, which tell these apart
    f"select a.d::date, {COUNTED} from {DAYS} left join web s on s.daterangeday = a.d group by 1",
    f"select extract(day from a.d) as day, s.channel, {COUNTED} from {DAYS} left join web s"
    " on s.daterangeday = a.d group by a.d::date, extract(day from a.d), s.channel",
    "select p.id, count(*), count(distinct s.page), sum(s.orders) from plans p left join web s"
    " on s.channel = p.channel group by p.id",
    # and ones that do not
    f"select date_trunc('week', a.d), count(*), sum(s.orders) from {DAYS} left join web s"
    " on s.daterangeday = a.d group by 1",
    # groups that are several rows, or rows that are several groups, are joined as ever
    "select p.channel, count(*), sum(s.orders) from plans p left join web s on s.channel = p.channel group by 1",
    "select c.region, count(*), sum(s.orders) from channels c left join web s on s.channel = c.channel group by 1",
    "select c.channel, sum(c.rate), sum(s.orders) from channels c left join web s on s.channel = c.channel group by 1",
]


@pytest.mark.parametrize("sql", SAME)
def test_numbers_that_add_up_are_those_of_plain_sql(sql, ask, plain):
    same_rows(ask(sql), plain(sql))


@pytest.mark.parametrize("condition", ["", " and s.page = 'pay'", " and s.daterange < '2024-01-05'"])
def test_people_sessions_and_credit_are_those_of_the_report(condition, ask):
    measured = "sum(s.visitors), sum(s.visits), sum(s.credited), count(distinct s.adobe_personid)"
    joined = ask(
        f"select a.d, {measured} from {DAYS} left join web s on s.daterangeday = a.d{condition} group by a.d"
    )
    report = {
        row[0]: row[1:]
        for row in ask(f"select s.daterangeday, {measured} from web s where true{condition} group by 1")
    }
    assert len(joined) == 11
    for day, *values in joined:
        assert tuple(values) == report.get(day, (None, None, None, 0))


def test_people_count_by_expressions_that_tell_the_rows_apart(ask):
    by_date = ask(
        f"select a.d::date::text, sum(s.visitors) from {DAYS} left join web s on s.daterangeday = a.d group by 1"
    )
    by_day = ask(
        f"select a.d, sum(s.visitors) from {DAYS} left join web s on s.daterangeday = a.d group by a.d"
    )
    assert sorted(by_date) == sorted((str(day.date()), people) for day, people in by_day)
    assert (
        len(
            ask(
                "select p.id, sum(s.visitors) from plans p left join web s on s.channel = p.channel group by 1"
            )
        )
        == 4
    )


@pytest.mark.parametrize(
    ("shown", "groups", "message"),
    [
        ("date_trunc('week', a.d), sum(s.visitors)", "1", "counts distinct"),
        ("a.d, sum(s.visitors)", "a.d::date", "must appear in the GROUP BY"),
        ("s.channel, sum(s.visitors)", "a.d", "must appear in the GROUP BY"),
    ],
)
def test_rows_that_share_a_group_and_columns_that_are_not_grouped_are_refused(shown, groups, message, ask):
    with pytest.raises(WaylineError, match=message):
        ask(f"select {shown} from {DAYS} left join web s on s.daterangeday = a.d group by {groups}")
