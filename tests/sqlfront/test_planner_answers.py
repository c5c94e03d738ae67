"""Statements over a view without persistence or attribution equal the same SQL over its events as a table."""

import pytest

from tests.sqlfront.compare import same_rows

SAME_TEXT = [
    # sub-queries whose own columns have names that several tables around them have
    "select c.region, sum(w.revenue) from web w join channels c on c.channel = w.channel"
    " where w.channel in (select channel from plans where budget > 8) group by 1",
    "select c.region, count(*) from web w left join channels c on c.channel = w.channel"
    " where w.page = 'pay' or w.channel not in (select channel from web where page = 'home' group by 1) group by 1",
    # totals and breakdowns
    "select sum(revenue), sum(orders), count(*), count(1), count(revenue), count(channel) from web",
    "select channel, sum(revenue) as r from web group by channel",
    "select channel, campaign, sum(orders) from web group by 1, 2",
    "select sum(revenue), channel from web group by 2 order by 1 desc limit 3",
    "select channel, sum(revenue) as r from web group by channel having sum(revenue) > 2200",
    "select channel from web group by channel",
    "select distinct channel, campaign from web",
    "select distinct channel from web where campaign = 'sale'",
    "select lower(product) as p, count(*) from web group by lower(product)",
    "select lower(product) as p, count(*) from web group by p order by p",
    "select channel, upper(channel) || '!' as loud, sum(orders) from web group by channel",
    "select case when channel in ('Email', 'Social') then 'own' else 'other' end as kind, sum(revenue) from web"
    " group by 1",
    "select date_trunc('month', daterangeday) as m, sum(revenue) from web group by 1",
    "select extract(year from daterangeday) as y, extract(month from daterangeday) as m, count(*) from web"
    " group by 1, 2",
    "select daterangeday, channel, sum(orders) from web group by daterangeday, channel",
    "select daterangehour, count(*) from web where daterangeday = date '2024-01-05' group by 1",
    "select coalesce(channel, 'none') as c, sum(revenue) from web group by 1",
    # conditions
    "select channel, sum(revenue) from web where campaign = 'sale' group by channel",
    "select channel, sum(revenue) from web where channel = 'Email' or campaign = 'sale' group by channel",
    "select channel, sum(revenue) from web where channel in ('Email', 'Direct') group by channel",
    "select channel, sum(revenue) from web where channel is not null and page is null group by channel",
    "select channel, count(*) from web where channel like 'S%' and not product like 'H%' group by channel",
    "select sum(revenue) from web where \"timestamp\" between '2024-01-05' and '2024-02-01 09:30:00'",
    "select sum(revenue) from web where \"timestamp\" >= timestamp '2024-01-05 10:00:00'",
    "select sum(revenue) from web where \"timestamp\" > '2024-01-05' and \"timestamp\" <= '2024-03-01'",
    "select count(*) from web where daterange between '2024-01-03' and '2024-01-04'",
    "select count(*) from web where daterange <= date '2024-01-04' and daterange > date '2024-01-02'",
    "select count(*) from web where daterange < date '2024-02-01' and daterange >= date '2024-01-01'",
    "select count(*) from web where daterangeday = '2024-01-04'",
    "select count(*) from web where daterangeday <> '2024-01-04'",
    "select count(*) from web where daterangemonth >= date '2024-01-15'",
    "select count(*) from web where date '2024-01-15' <= daterangemonth",
    "select count(*) from web where date_trunc('month', \"timestamp\") = date '2024-02-01'",
    "select count(*) from web where cast(daterangeday as date) <= date '2024-01-31'",
    "select count(*) from web where not (daterange < date '2024-02-01')",
    "select count(*) from web where daterange >= date_trunc('month', date '2024-02-10') + interval '1 day'",
    "select count(*) from web where (daterange > '2024-02-01' or channel = 'Email') and campaign = 'sale'",
    "select count(*) from web where daterange > '2024-02-01' and daterange < '2024-01-01'",
    "select count(*), sum(revenue), min(channel) from web where 1 = 0",
    "select channel, count(*) from web where 1 = 0 group by channel",
    "select channel, count(*) from web where true group by channel",
    "select channel, sum(revenue) from web where daterange >= (select max(daterangeday) from web) group by 1",
    # aggregates
    "select count(distinct channel), count(distinct adobe_personid), count(distinct lower(product)) from web",
    "select channel, count(distinct adobe_personid) from web group by channel",
    "select avg(revenue), min(revenue), max(revenue), min(orders) from web",
    "select channel, avg(orders) from web group by channel",
    'select min("timestamp"), max("timestamp"), max(daterangeday) from web',
    "select min(channel), max(lower(product)) from web",
    "select sum(case when channel = 'Email' then revenue end) from web",
    "select sum(case when channel = 'Email' then revenue else 0 end) from web where 1 = 1",
    "select channel, sum(case when channel = 'Email' then revenue else 0 end) from web group by channel",
    "select channel, sum(case when page = 'pay' and campaign = 'sale' then orders end) from web group by channel",
    "select campaign, sum(case when channel = 'Email' then revenue when page = 'pay' then orders else 0 end)"
    " from web group by campaign",
    "select campaign, sum(case when channel = 'Email' then revenue when page = 'pay' then orders end)"
    " from web group by campaign",
    "select campaign, sum(case channel when 'Email' then revenue when 'Social' then 2 * revenue end)"
    " from web group by campaign",
    "select campaign, count(case when channel = 'Email' then 1 end), count(case when page = 'pay' then revenue end)"
    " from web group by campaign",
    "select campaign, sum(case when channel = 'Email' then 1 else 0 end) from web group by campaign",
    "select campaign, count(distinct case when channel = 'Email' then product end) from web group by campaign",
    "select channel, sum(revenue) filter (where page = 'pay'), count(*) filter (where campaign is null) from web"
    " group by channel",
    "select channel, avg(case when page = 'pay' then revenue end) from web group by channel",
    "select channel, avg(case when page = 'pay' then revenue else 0 end) from web group by channel",
    "select channel, sum(revenue * 2), sum(revenue + orders), sum(-revenue) from web group by channel",
    "select channel, sum(coalesce(revenue, 0)), coalesce(sum(revenue), 0) from web group by channel",
    "select channel, sum(cast(revenue as double precision)), sum(orders::numeric) from web group by channel",
    "select channel, round(sum(revenue) / nullif(count(*), 0) * 100, 2) as x from web group by channel",
    "select sum(revenue) / sum(orders) + count(*) % 7 from web",
    "select sum(length(page)), sum(1), sum(2) from web",
    "select channel, stddev(revenue), string_agg(distinct page, ',' order by page) from web group by channel",
    "select count(distinct (channel, campaign)) from web",
    "select channel, sum(distinct orders), count(distinct orders) from web group by channel",
    "select count(distinct product) + max(case when product is null then 1 else 0 end) from web",
    "select bool_or(channel = 'Email'), median(revenue) from web",
    "select campaign, percentile_cont(0.5) within group (order by revenue) from web group by campaign",
    "select 'x' as a, count(*) from web group by 'x'",
    "select 1 as one, 'x' as a from web group by 1, 2",
    "select 1 as one from web having count(*) > 5",
    # order and limits
    "select channel, sum(revenue) as r from web group by channel order by R desc nulls last limit 2 offset 1",
    "select channel, sum(revenue) from web group by 1 order by sum(orders) desc limit 2",
    "select channel, sum(revenue) from web group by 1 order by -sum(revenue) fetch next 2 rows only",
    "select channel from web group by channel order by lower(channel) desc",
    # recursion that begins with groups, sub-queries in a join's condition
    "with recursive r as (select channel, 1 as n from web group by 1 union all select channel, n + 1 from r"
    " where n < 3) select channel, sum(n) from r group by 1",
    "select c.region, count(*) from web w join channels c on w.channel = c.channel and w.page in (select 'pay')"
    " group by 1",
    # windows over results
    "select channel, sum(revenue), sum(sum(revenue)) over () from web group by channel",
    "select channel, rank() over (order by sum(revenue) desc) from web group by channel",
    "select daterangemonth, channel, sum(orders), row_number() over (partition by daterangemonth"
    " order by sum(orders) desc, channel) from web group by 1, 2",
    "select channel, sum(revenue) / sum(sum(revenue)) over (partition by 1) as share from web group by channel",
    # grouping sets
    "select channel, campaign, sum(orders) from web group by rollup (channel, campaign)",
    "select channel, campaign, sum(orders), grouping(channel) from web group by cube (channel, campaign)",
    "select channel, page, count(*) from web where campaign = 'sale' and page = 'pay'"
    " group by grouping sets ((channel), (page), ())",
    "select channel, sum(orders) as o from web group by rollup (channel) having sum(orders) > 50 order by 2",
    "select channel, page, sum(revenue), sum(orders) from web group by grouping sets ((channel), (page))",
    "select channel, rank() over (order by sum(revenue) desc nulls last) from web group by channel",
    # single events
    "select channel, revenue from web",
    "select channel, revenue * 2 as twice, lower(page) from web where campaign = 'sale'",
    'select "timestamp", orders from web where "timestamp" < \'2024-01-10\' order by 1 limit 5',
    "select distinct channel, orders from web",
    'select distinct on (channel) channel, "timestamp" from web order by channel, "timestamp"',
    'select adobe_personid, "timestamp", sum(revenue) over (partition by adobe_personid order by "timestamp")'
    " from web where page is not null",
    'select adobe_personid, "timestamp", lag(channel) over (partition by adobe_personid order by "timestamp")'
    " from web",
    'select * from (select channel, revenue from web order by "timestamp", adobe_personid limit 20) t',
    'select t.channel, sum(t.revenue) from (select channel, revenue from web order by "timestamp",'
    " adobe_personid limit 50) t group by 1",
    "select 1 as x from web limit 3",
    # nesting
    "select * from (select channel, sum(revenue) as r from web group by channel) t where r > 2200",
    "select c, r * 2 from (select channel as c, sum(revenue) as r from web group by channel) t where c like 'S%'",
    "select max(r) from (select channel, sum(revenue) as r from web group by channel) t",
    "select k, sum(m) from (select lower(channel) as k, orders as m from (select * from web where page = 'pay') a"
    " where campaign = 'sale') b group by k",
    "with a as (select * from web where page = 'pay'), b as (select channel as c, revenue as r from a)"
    " select c, sum(r) from b where c <> 'Email' group by c",
    "with a as (with b as (select * from web) select channel, orders from b) select channel, sum(orders) from a"
    " group by 1",
    "with a(x, y) as (select channel, orders from web) select x, sum(y) from a group by x",
    "with a as (select channel, sum(orders) as o from web group by 1) select x.channel, x.o, y.o from a x join a y"
    " on x.channel = y.channel",
    "select count(*) from (select distinct channel from web) t",
    "select count(*) from (select channel, revenue from web) t",
    "select k, count(*), sum(m) from (select channel as k, orders as m from web union all"
    " select page, orders from web) x group by k",
    "select channel, sum(orders) from web group by 1 union all select campaign, sum(orders) from web group by 1",
    "select channel from web intersect select channel from channels",
    "(select channel, sum(orders) as o from web group by 1 order by 2 desc limit 1) union all"
    " (select 'all', sum(orders) from web)",
    "select channel, sum(revenue) from web where channel in (select channel from channels where region = 'EU')"
    " group by channel",
    "select campaign, sum(revenue) from web where channel in (select channel from channels where region = 'EU')"
    " group by campaign",
    "select campaign, sum(revenue) from web where channel not in (select channel from channels) group by campaign",
    "select campaign, sum(revenue) from web where channel in (select channel from web group by channel"
    " order by sum(revenue) desc limit 2) group by campaign",
    "select channel, sum(revenue) as r from web group by channel having sum(revenue) >"
    " (select sum(revenue) / 5 from web)",
    "select channel, sum(revenue) - (select avg(budget) from plans) from web group by channel",
    "select (select sum(revenue) from web) as a, (select count(*) from channels) as b",
    "select count(*) from web where exists (select 1 from channels where region = 'EU')",
    "select count(*) from web where exists (select 1 from channels where region = 'ZZ')",
    "select channel, sum(case when page = (select max(page) from web) then orders end) from web group by 1",
    "select x.* from (select channel, count(*) as n from web group by 1) as x(c, m) where m > 1",
    "select web.channel, public.web.page, count(*) from public.web group by web.channel, page",
    # joins: lookups
    "select c.region, sum(w.revenue), count(*) from web w join channels c on w.channel = c.channel group by c.region",
    "select c.region, sum(w.revenue), count(*) from web w left join channels c on w.channel = c.channel"
    " group by c.region",
    "select c.region, count(*) from channels c join web w on c.channel = w.channel group by 1",
    "select c.region, count(*) from channels c right join web w on c.channel = w.channel group by 1",
    "select region, sum(revenue * rate) from web join channels using (channel) group by region",
    "select region, channel, sum(orders) from web natural join channels group by region, channel",
    "select w.channel, c.region, sum(w.orders) from web w, channels c where w.channel = c.channel"
    " and c.region = 'EU' group by 1, 2",
    "select w.campaign, sum(w.orders) from web w join channels c on w.channel = c.channel where c.region = 'EU'"
    " group by 1",
    "select w.campaign, sum(w.orders) from web w left join channels c on w.channel = c.channel"
    " where c.region is null group by 1",
    "select w.campaign, sum(w.orders) from web w left join channels c on w.channel = c.channel"
    " where c.region = 'EU' group by 1",
    "select w.campaign, sum(case when c.region = 'EU' then w.orders end) from web w"
    " left join channels c on w.channel = c.channel group by 1",
    "select w.channel, c.region from web w join channels c on lower(w.channel) = lower(c.channel)",
    "select q.region, sum(q.revenue) from (select w.revenue, c.region from web w join channels c"
    " on w.channel = c.channel where w.page = 'pay') q group by q.region",
    "select w.channel, w.page, c.rate from web w left join channels c on w.channel = c.channel",
    "select web.channel, sum(web.orders) from web inner join (select channel, sum(revenue) as s from web"
    " group by 1 order by 2 desc limit 2) t0 on cast(web.channel as text) = t0.channel group by 1",
    "select web.page, sum(web.orders) from web inner join (select channel, sum(revenue) as s from web"
    " group by 1 order by 2 desc limit 2) t0 on cast(web.channel as text) = t0.channel group by 1",
    # joins: conditions over a view and its lookups together
    "select w.campaign, sum(w.orders), count(*) from web w join channels c on w.channel = c.channel"
    " where c.region < w.page group by 1",
    "select w.campaign, sum(w.orders), count(*) from web w left join channels c on w.channel = c.channel"
    " where c.region < w.page or c.region is null group by 1",
    "select w.channel, c.region, sum(w.orders) from web w left join channels c on w.channel = c.channel"
    " where c.region < w.page group by 1, 2",
    "select w.channel, w.page, c.region from web w left join channels c on w.channel = c.channel"
    " where c.region < w.page",
    "select w.campaign, sum(w.orders), count(*) from web w join channels c on w.channel = c.channel"
    " left join plans p on p.id = lower(left(w.page, 1)) where c.region < coalesce(p.channel, 'F') group by 1",
    "select w.campaign, stddev(w.revenue), count(distinct w.page) from web w left join channels c"
    " on w.channel = c.channel where length(c.region) < length(w.page) group by 1",
    "select w.campaign, count(*) from web w left join (select channel, page, count(*) as n from web group by 1, 2) q"
    " on w.channel = q.channel and w.page = q.page where q.n > length(w.product) * 3 group by 1",
    "select w.campaign, count(*) from web w left join (select channel, page, count(*) as n from web group by 1, 2) q"
    " on w.channel = q.channel and w.page = q.page where q.n > 12 group by 1",
    "select w.campaign, count(*) from web w left join channels c on w.channel = c.channel"
    " where c.region = w.page or w.product in (select 'shoe') and c.rate > 1 group by 1",
    # joins: others
    "select p.id, sum(w.orders), count(*) from web w join plans p on w.channel = p.channel group by p.id",
    "select w.channel, sum(w.orders), count(*), sum(p.budget), max(p.budget), count(p.id) from web w"
    " left join plans p on w.channel = p.channel group by w.channel",
    "select p.channel, count(w.channel), sum(w.revenue) from plans p left join web w on p.channel = w.channel"
    " group by p.channel",
    "select p.channel, w.channel, sum(w.revenue) from plans p full join web w on p.channel = w.channel group by 1, 2",
    "select p.id, avg(w.revenue), min(w.revenue), max(w.orders), count(w.revenue) from web w join plans p"
    " on w.channel = p.channel where w.page = 'pay' group by p.id",
    "select p.id, sum(case when w.page = 'pay' then w.orders else 0 end), sum(w.revenue * p.budget) from web w"
    " join plans p on w.channel = p.channel group by p.id",
    "select p.id, count(distinct w.page) from web w join plans p on w.channel = p.channel group by p.id"
    " having count(*) > 3 order by 2 desc",
    "select count(*) from web w cross join plans p",
    "select count(*) from web a join web b on a.daterangeday = b.daterangeday and a.channel = b.channel",
    "select w.channel, w.orders, p.budget from web w join plans p on w.channel = p.channel and p.budget > 5",
    "select q.id, sum(q.orders) from (select p.id, w.orders from web w join plans p on w.channel = p.channel) q"
    " group by 1",
    "select p.id, sum(w.orders) from web w join plans p on w.channel = p.channel and w.daterange < '2024-02-01'"
    " group by 1",
    "select p.channel, sum(w.orders) from plans p left join web w on w.channel = p.channel"
    " and w.daterange < '2024-02-01' and w.page = 'pay' group by 1",
    "select a.channel, a.o, b.n from (select channel, sum(orders) as o from web group by 1) a join"
    " (select channel, count(*) as n from plans group by 1) b on a.channel = b.channel",
    "select p.id from web w cross join plans p where p.budget > 6",
    "select max(p.budget), min(w.channel) from web w, plans p",
    "select max(p.budget) from web w, plans p",
    "select max(p.budget), count(*) from web w, plans p where w.page = 'nope'",
    "select p.id, sum(w.orders) from plans p, web w where w.page = 'nope' group by p.id",
    "select w.channel, sum(c.rate), sum(w.orders) from web w join channels c on w.channel = c.channel group by 1",
    "select w.campaign, sum(c.rate), avg(c.rate) from web w left join channels c on w.channel = c.channel"
    " group by 1",
    "select sum(c.rate) from web w left join channels c on w.channel = c.channel where w.channel = 'Direct'",
    # joins: sub-queries in the condition of an outer join
    "select c.channel, p.id from channels c left join plans p on c.channel = p.channel"
    " and p.id in (select id from plans where budget > 8)",
    "select c.channel, p.id from channels c left join plans p on c.channel = p.channel"
    " and c.channel in (select channel from web where page = 'pay')",
    "select c.region, sum(w.orders) from web w left join channels c on w.channel = c.channel"
    " and c.region in (select 'EU') group by 1",
    "select c.region, sum(w.orders) from web w left join channels c on w.channel = c.channel"
    " and w.page in (select page from web where campaign = 'sale') group by 1",
    "select p.id, t.channel, t.other from plans p join (select i.channel, c.channel as other"
    " from (select * from web where channel = 'Email') i right join channels c on i.channel = c.channel) t"
    " on p.channel = t.channel",
    "select w.channel, t.other from web w join (select i.channel, p.channel as other"
    " from (select * from web where channel = 'Email') i full join plans p on i.channel = p.channel) t"
    " on w.channel = t.channel",
    "select p.id, t.channel, sum(t.orders) from plans p join (select w.channel, w.orders from web w"
    " right join channels c on w.channel = c.channel and c.region = 'EU') t on p.channel = t.channel"
    " group by 1, 2",
    "select p.id, sum(w.orders) from plans p left join web w on p.channel = w.channel"
    " and w.page in (select page from web where campaign = 'sale') group by 1",
    "select p.id, count(w.channel) from plans p left join web w on p.channel = w.channel"
    " and p.budget > (select avg(budget) from plans) group by 1",
    "select w.channel, w.page, p.id from web w full join plans p on p.channel = w.channel"
    " and p.budget > (select avg(budget) from plans) and exists (select 1 from channels)",
    # joins: conditions on the other side of an outer join
    "select c.region, w.page, sum(w.orders) from web w left join channels c on w.channel = c.channel"
    " and c.rate > (select min(rate) from channels) group by 1, 2",
    "select p.budget, sum(w.orders), count(*) from web w left join plans p on w.channel = p.channel"
    " and p.id = 'a' group by 1",
    "select p.budget, sum(w.orders), count(*) from web w left join plans p on w.channel = p.channel and 1 = 0"
    " group by 1",
    "select w.channel, w.page, p.budget from web w left join plans p on w.channel = p.channel"
    " and p.id in (select 'a') where p.budget is not null",
    # joins: outer joins with sub-queries that join a view
    "select p.id, sum(b.orders), stddev(b.orders), count(distinct b.page) from plans p left join"
    " (select w.channel, w.orders, w.page from web w join plans q on w.channel = q.channel) b"
    " on p.channel = b.channel group by 1",
    "select b.channel, sum(b.budget), count(p.id) from plans p right join (select w.channel, q.budget from web w"
    " join plans q on w.channel = q.channel where w.page = 'pay') b on p.channel = b.channel group by 1",
    "select channel, sum(b.budget), count(p.id) from plans p full join (select w.channel, q.budget from web w"
    " join plans q on w.channel = q.channel where w.page = 'pay') b using (channel) group by 1",
    "select a.channel, sum(a.orders), sum(b.orders) from web a left join (select w.channel, w.orders from web w"
    " join plans q on w.channel = q.channel) b on a.channel = b.channel and a.page = 'pay' group by 1",
    # joins in parentheses
    "select a.region, sum(w.orders) from (web w join channels a on w.channel = a.channel) group by 1",
    "select a.region, sum(w.orders) from (web w join channels a on w.channel = a.channel)"
    " left join plans p on p.id = w.page group by 1",
    "select p.id, a.region, sum(w.orders) from plans p join (web w left join channels a on w.channel = a.channel)"
    " on p.channel = w.channel left join channels b on b.channel = a.channel group by 1, 2",
    "select b.region, sum(b.orders) from (web w join channels c using (channel)) b group by 1",
    "select p.id, sum(b.orders) from plans p left join (web w join channels c using (channel)) b"
    " on b.channel = p.channel group by 1",
    "select a.region, b.n from (channels a join (select channel, count(*) n from web group by 1) b"
    " on a.channel = b.channel)",
    "select a.region, w.page, sum(w.orders) from ((web w join channels a on w.channel = a.channel)"
    " join plans p on p.channel = a.channel) group by 1, 2",
    "select p.id, count(*) from plans p join (channels a) on a.channel = p.channel group by 1",
    "select sum(w.orders) from ((web w))",
    # columns of equal names
    "select * from (select channel, sum(revenue), sum(orders) from web group by 1) q",
    "with q as (select channel, sum(revenue), sum(orders) from web group by 1 limit 9) select * from q",
    "select b, sum(r) from (select channel, channel, revenue from web) q(a, b, r) group by 1",
    # datasets alone
    "select region, count(*), sum(rate) from channels group by region",
    "select c.*, p.budget from channels c left join plans p using (channel)",
    "select * from channels c where exists (select 1 from plans p where p.channel = c.channel)",
    "select channel, (select count(*) from plans p where p.channel = c.channel) as n from channels c",
    "with recursive n(x) as (select 1 union all select x + 1 from n where x < 4) select x, count(*) from n"
    " group by x",
    "select g, g * 2 as h from generate_series(1, 3) as t(g)",
    "values (1, 'a'), (2, 'b')",
    "values (1, 'a'), (2, 'b') order by 1 desc limit 1",
    "select v.a from (values (1), (2)) v(a) where a > 1",
    "select 1 + 1, 'a' || 'b', 7 / 2, null is null",
]


@pytest.mark.parametrize("sql", SAME_TEXT)
def test_equals_the_same_sql_over_a_table(sql, ask, plain):
    same_rows(ask(sql), plain(sql.replace("public.web.", "web.").replace("public.", "")))
