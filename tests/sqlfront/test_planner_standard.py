"""Standard components over SQL, beside the same written by hand with windows over a plain table."""

import pytest

from tests.sqlfront.compare import same_rows

BY_HAND = """with numbered as (
  select *, sum(visits) over (partition by who order by "timestamp") as session,
         lead("timestamp") over (partition by who order by "timestamp") as next,
         lead(visits) over (partition by who order by "timestamp") as next_starts
  from web
), web as (
  select *, who || '/' || session as id, coalesce(next_starts, 1) as is_end, session = 1 as first,
         row_number() over (partition by who, session order by "timestamp") as depth,
         case when next_starts = 0 then epoch(next - "timestamp") else 0 end as spent
  from numbered
) """

PAIRS = [
    (
        "select sum(adobe_sessionends), sum(adobe_timespent), avg(adobe_timespent) from web",
        "select sum(is_end), sum(spent), avg(spent) from web",
    ),
    (
        "select channel, sum(adobe_sessionends), sum(adobe_timespent), max(adobe_timespent) from web group by 1",
        "select channel, sum(is_end), sum(spent), max(spent) from web group by 1",
    ),
    (
        "select channel, sum(adobe_firsttimesessions), sum(adobe_returnsessions), sum(adobe_repeatsessions),"
        " sum(visits) from web group by channel",
        "select channel, count(distinct id) filter (where first), count(distinct id) filter (where not first),"
        " count(distinct id) filter (where not first), count(distinct id) from web group by channel",
    ),
    (
        "select adobe_sessiontype, sum(visits), sum(visitors), sum(revenue) from web group by 1",
        "select case when first then 'First-time' else 'Returning' end, count(distinct id), count(distinct who),"
        " sum(revenue) from web group by 1",
    ),
    (
        "select adobe_eventdepth, count(*), sum(orders) from web where adobe_eventdepth <= 2 group by 1",
        "select depth, count(*), sum(orders) from web where depth <= 2 group by 1",
    ),
    (
        "select channel, sum(orders) from web where adobe_sessiontype = 'Returning' and adobe_eventdepth > 1"
        " group by 1",
        "select channel, sum(orders) from web where not first and depth > 1 group by 1",
    ),
    (
        "select adobe_timespentperevent, count(*) from web group by 1",
        "select case when spent < 60 then 'less than 1 minute' when spent < 300 then '1 to 5 minutes'"
        " when spent < 600 then '5 to 10 minutes' when spent < 1800 then '10 to 30 minutes'"
        " else '30 to 60 minutes' end, count(*) from web group by 1",
    ),
    (
        "select adobe_timespentperperson, sum(visitors) from web group by 1",
        "select case when s < 60 then 'less than 1 minute' when s < 300 then '1 to 5 minutes'"
        " when s < 600 then '5 to 10 minutes' when s < 1800 then '10 to 30 minutes'"
        " when s < 3600 then '30 to 60 minutes' when s < 7200 then '1 to 2 hours' else 'more' end, count(*)"
        " from (select who, sum(spent) as s from web group by 1) t group by 1",
    ),
    (
        "select timepartdayofweek, timepartweekend, sum(revenue) from web group by 1, 2",
        "select dayname(\"timestamp\"), if(isodow(\"timestamp\") > 5, 'Weekend', 'Weekday'), sum(revenue)"
        " from web group by 1, 2",
    ),
    (
        "select timeparthourofday, timepartampm, timepartminuteofhour, count(*) from web group by 1, 2, 3",
        'select hour("timestamp"), if(hour("timestamp") < 12, \'AM\', \'PM\'), minute("timestamp"), count(*)'
        " from web group by 1, 2, 3",
    ),
    (
        "select timepartdayofmonth, timepartdayofyear, timepartweekofyear, timepartmonthofyear,"
        " timepartquarterofyear, count(*) from web group by 1, 2, 3, 4, 5",
        'select day("timestamp"), dayofyear("timestamp"), week("timestamp"), monthname("timestamp"),'
        " 'Q' || quarter(\"timestamp\"), count(*) from web group by all",
    ),
    (
        "select channel, count(*) from web where timeparthourofday = 9 and timepartdayofweek in ('Monday', 'Sunday')"
        " group by 1",
        'select channel, count(*) from web where hour("timestamp") = 9 and dayofweek("timestamp") <= 1'
        " group by 1",
    ),
    (
        "select count(distinct timepartdayofweek), count(distinct adobe_eventdepth), max(adobe_eventdepth) from web",
        'select count(distinct dayname("timestamp")), count(distinct depth), max(depth) from web',
    ),
    (
        "select timepartdayofweek, sum(visits) as s from web group by 1 having sum(visits) > 20 order by 2 desc, 1 limit 3",
        'select dayname("timestamp"), count(distinct id) as s from web group by 1 having s > 20 order by 2 desc, 1 limit 3',
    ),
    (
        "select x.channel, s / nullif(v, 0) from (select channel, sum(adobe_timespent) as s, sum(visits) as v"
        " from web group by 1) x",
        "select channel, sum(spent) / count(distinct id) from web group by 1",
    ),
    (
        "select adobe_datasetid, adobe_personidnamespace, count(*) from web group by 1, 2",
        "select 'events', 'who', 300",
    ),
    (
        "select adobe_personid, adobe_eventdepth, adobe_sessionends, adobe_timespent, adobe_sessiontype from web",
        "select who, depth, if(is_end = 1, 1, null), spent, if(first, 'First-time', 'Returning') from web",
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_pairs(ours, theirs, ask, plain):
    same_rows(ask(ours), plain(BY_HAND + theirs))


def test_parts_of_time_are_those_of_the_views_zone(ask, plain):
    local = "timezone('Europe/Berlin', timezone('UTC', \"timestamp\"))"
    theirs = f"select hour({local}), dayname({local}), sum(revenue) from events group by 1, 2"
    ours = "select timeparthourofday, timepartdayofweek, sum(revenue) from web_berlin group by 1, 2"
    same_rows(ask(ours), plain(theirs))


def test_credit_by_hour_of_day_is_the_metric_by_hour_of_day(ask):
    ours = "select h, sum(c) from (select channel, timeparthourofday as h, sum(credited) as c from web group by 1, 2) t group by 1"
    same_rows(ask(ours), ask("select timeparthourofday, sum(revenue) from web group by 1"))
