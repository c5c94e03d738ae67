-- # totals
select sum(revenue), count(*), sum(visitors) from web;
-- _report_1: web
--   value revenue: "revenue"
--   value occurrences: "occurrences"
--   value visitors: "visitors"
-- rest: SELECT "report"."revenue" AS "sum", COALESCE("report"."occurrences", 0) AS "count", "report"."visitors" AS "sum" FROM "_report_1" AS "report"

-- # ranked, each way of reading a term
select channel, sum(credited) as r from web
where daterange between '2024-01-01' and '2024-01-31' and page = 'pay' and channel <> 'Email' and 1 = 1
group by channel having r > 100 order by r desc limit 5;
-- _report_1: web
--   group channel: "channel"
--   value credited: "credited"
--   from '2024-01-01' (ceiling day)
--   before '2024-01-31' (next day)
--   constant 1 = 1
--   segment "page" = 'pay'
-- rest: SELECT "report"."channel" AS "channel", "report"."credited" AS "r" FROM "_report_1" AS "report" WHERE ("report"."channel" <> 'Email') AND ("report"."credited" > 100) ORDER BY "report"."credited" DESC NULLS FIRST LIMIT 5

-- # an OR is one term; dates in it are no range
select channel, sum(orders) from web where daterange < '2024-02-01' or page = 'pay' group by 1;
-- _report_1: web
--   group channel: "channel"
--   value orders: "orders"
--   segment "daterange" < '2024-02-01' OR "page" = 'pay'
-- rest: SELECT "report"."channel" AS "channel", "report"."orders" AS "sum" FROM "_report_1" AS "report"

-- # bounds move to the periods of the dimension they are compared with
select count(*) from web
where daterangemonth >= date '2024-01-15' and date_trunc('week', "timestamp") < '2024-02-01' and "timestamp" <= now();
-- _report_1: web
--   value occurrences: "occurrences"
--   from CAST('2024-01-15' AS DATE) (ceiling month)
--   before '2024-02-01' (ceiling week, ceiling microsecond)
--   before (NOW() AT TIME ZONE 'UTC') (next microsecond)
-- rest: SELECT COALESCE("report"."occurrences", 0) AS "count" FROM "_report_1" AS "report"

-- # Power BI
select "_"."channel", "_"."a0" from (
  select "rows"."channel" as "channel", sum("rows"."revenue") as "a0" from (
    select "_"."channel", "_"."revenue" from (
      select "channel", "revenue", "daterange" from "public"."web" "$Table") "_"
    where ("_"."daterange" < date '2024-02-01' and "_"."daterange" >= date '2024-01-01')
      and "_"."channel" in ('Email', 'Social')) "rows"
  group by "channel") "_"
where not "_"."a0" is null limit 1000001;
-- _report_1: web
--   group channel: "channel"
--   value revenue: "revenue"
--   before CAST('2024-02-01' AS DATE) (ceiling day)
--   from CAST('2024-01-01' AS DATE) (ceiling day)
-- rest: SELECT "_"."channel" AS "channel", "_"."a0" AS "a0" FROM (SELECT "report"."channel" AS "channel", "report"."revenue" AS "a0" FROM "_report_1" AS "report" WHERE ("report"."channel" IN ('Email', 'Social'))) AS "_" WHERE NOT "_"."a0" IS NULL LIMIT 1000001

-- # Tableau, top n: one report, joined with itself
SELECT CAST("web"."channel" AS TEXT) AS "channel", SUM("web"."visitors") AS "sum:visitors:ok"
FROM "public"."web" "web" INNER JOIN (
  SELECT CAST("web"."channel" AS TEXT) AS "channel", SUM("web"."visitors") AS "$__alias__0"
  FROM "public"."web" "web" GROUP BY 1 ORDER BY 2 DESC, 1 ASC LIMIT 5
) "t0" ON (CAST("web"."channel" AS TEXT) = "t0"."channel") GROUP BY 1;
-- _report_1: web
--   group channel: "channel"
--   value visitors: "visitors"
-- rest: SELECT "report"."channel" AS "channel", "report"."visitors" AS "sum:visitors:ok" FROM "_report_1" AS "report" INNER JOIN (SELECT "report"."channel" AS "channel", "report"."visitors" AS "$__alias__0" FROM "_report_1" AS "report" ORDER BY "report"."visitors" DESC NULLS FIRST, "report"."channel" ASC LIMIT 5) AS "t0_1" ON "report"."channel" = "t0_1"."channel"

-- # Tableau, top n of a dimension that is not shown: a lookup inside the report
SELECT "web"."page", SUM("web"."visitors") FROM "web" INNER JOIN (
  SELECT "web"."channel" AS "c", SUM("web"."visitors") AS "x" FROM "web" GROUP BY 1 ORDER BY 2 DESC LIMIT 5
) "t0" ON "web"."channel" = "t0"."c" GROUP BY 1;
-- _report_1: web
--   group channel: "channel"
--   value visitors: "visitors"
-- _report_2: web
--   group page: "page"
--   value visitors: "visitors"
--   lookup t0_1 on "channel" = c: SELECT "report"."channel" AS "c", "report"."visitors" AS "x" FROM "_report_1" AS "report" ORDER BY "report"."visitors" DESC NULLS FIRST LIMIT 5
-- rest: SELECT "report"."page" AS "page", "report"."visitors" AS "sum" FROM "_report_2" AS "report"

-- # Looker
SELECT (DATE(web."daterangeday")) AS "web.day", COALESCE(SUM(CAST(( web."revenue"  ) AS DOUBLE PRECISION)), 0) AS "r"
FROM "public"."web" AS web WHERE (( web."daterange" ) >= ((DATE_TRUNC('day', DATE '2024-01-02'))))
GROUP BY 1 ORDER BY 2 DESC FETCH NEXT 500 ROWS ONLY;
-- _report_1: web
--   group group: (CAST("daterangeday" AS DATE))
--   value revenue: "revenue"
--   from ((DATE_TRUNC('DAY', CAST('2024-01-02' AS DATE)))) (ceiling day)
-- rest: SELECT ("report"."group") AS "web.day", COALESCE("report"."revenue", 0) AS "r" FROM "_report_1" AS "report" ORDER BY COALESCE("report"."revenue", 0) DESC NULLS FIRST LIMIT 500

-- # conditions of single columns: on a group outside, on events inside
select channel, sum(case when channel = 'Email' and page = 'pay' then revenue else 0 end),
  count(*) filter (where campaign is null) from web group by channel;
-- _report_1: web
--   group channel: "channel"
--   value revenue: "revenue" where "page" = 'pay'
--   value occurrences: "occurrences" where "campaign" IS NULL
-- rest: SELECT "report"."channel" AS "channel", COALESCE(CASE WHEN "report"."channel" = 'Email' THEN "report"."revenue" END, 0) AS "sum", COALESCE("report"."occurrences", 0) AS "count" FROM "_report_1" AS "report"

-- # a range in a column of an attributed metric is a report of its own
select channel, sum(credited), sum(case when daterange >= '2024-02-01' then credited end) from web group by 1;
-- _report_1: web
--   group channel: "channel"
--   value credited: "credited"
-- _report_2: web
--   group channel: "channel"
--   value credited_2: "credited"
--   from '2024-02-01' (ceiling day)
-- rest: SELECT "report"."channel" AS "channel", "report"."credited" AS "sum", "report_2"."credited_2" AS "sum" FROM "_report_1" AS "report" LEFT JOIN "_report_2" AS "report_2" ON "report"."channel" IS NOT DISTINCT FROM "report_2"."channel"

-- # a range in a column of a plain metric is a condition
select sum(case when daterange >= '2024-02-01' then revenue end) from web;
-- _report_1: web
--   value revenue: "revenue" where "daterange" >= '2024-02-01'
-- rest: SELECT "report"."revenue" AS "sum" FROM "_report_1" AS "report"

-- # aggregates that the engine does not know run over single events
select channel, sum(revenue), stddev(revenue) from web where page = 'pay' group by channel;
-- _report_1: web
--   group channel: "channel"
--   value revenue: "revenue"
--   segment "page" = 'pay'
-- _report_2: web, single events
--   group channel: "channel"
--   value revenue: "revenue"
--   segment "page" = 'pay'
-- rest: SELECT "report"."channel" AS "channel", "report"."revenue" AS "sum", "events"."aggregate" AS "stddev" FROM "_report_1" AS "report" LEFT JOIN (SELECT "event"."channel" AS "channel", STDDEV("event"."revenue") AS "aggregate" FROM "_report_2" AS "event" GROUP BY 1) AS "events" ON "report"."channel" IS NOT DISTINCT FROM "events"."channel"

-- # average, extremes, counts
select avg(revenue), min(revenue), max("timestamp"), count(revenue), count(page), count(distinct lower(page)),
  count(distinct adobe_personid) from web;
-- _report_1: web
--   value revenue: "revenue"
--   count revenue_2: "revenue"
--   minimum revenue_3: "revenue"
--   maximum timestamp: "timestamp"
--   count page: "page"
--   distinct metric: LOWER("page")
--   value visitors: "visitors"
-- rest: SELECT CAST("report"."revenue" AS DOUBLE) / NULLIF(COALESCE("report"."revenue_2", 0), 0) AS "avg", "report"."revenue_3" AS "min", "report"."timestamp" AS "max", COALESCE("report"."revenue_2", 0) AS "count", COALESCE("report"."page", 0) AS "count", COALESCE("report"."metric", 0) AS "count", COALESCE("report"."visitors", 0) AS "count" FROM "_report_1" AS "report"

-- # arithmetic over distinct and attributed metrics is taken apart, over plain ones it is per event
select sum(visits + visitors), sum(credited * 2), sum(revenue * orders) from web;
-- _report_1: web
--   value visits: "visits"
--   value visitors: "visitors"
--   value credited: "credited"
--   value metric: "revenue" * "orders"
-- rest: SELECT "report"."visits" + "report"."visitors" AS "sum", "report"."credited" * 2 AS "sum", "report"."metric" AS "sum" FROM "_report_1" AS "report"

-- # windows work on the answer
select channel, rank() over (order by sum(revenue) desc), sum(revenue) / sum(sum(revenue)) over () from web
group by channel;
-- _report_1: web
--   group channel: "channel"
--   value revenue: "revenue"
-- rest: SELECT "report"."channel" AS "channel", RANK() OVER (ORDER BY "report"."revenue" DESC NULLS FIRST) AS "rank", CAST("report"."revenue" AS DOUBLE) / SUM("report"."revenue") OVER () AS "?column?" FROM "_report_1" AS "report"

-- # rollup: one report each
select channel, page, sum(orders) from web where page = 'pay' group by rollup (channel, page) order by 3;
-- _report_1: web
--   group channel: "channel"
--   group page: "page"
--   value orders: "orders"
-- _report_2: web
--   group channel: "channel"
--   value orders: "orders"
--   segment "page" = 'pay'
-- _report_3: web
--   value orders: "orders"
--   segment "page" = 'pay'
-- rest: SELECT "_sets"."channel" AS "channel", "_sets"."page" AS "page", "_sets"."sum" AS "sum" FROM (SELECT "report"."channel" AS "channel", "report"."page" AS "page", "report"."orders" AS "sum", "report"."orders" AS "_order_0" FROM "_report_1" AS "report" WHERE ("report"."page" = 'pay') UNION ALL SELECT "report"."channel" AS "channel", NULL AS "page", "report"."orders" AS "sum", "report"."orders" AS "_order_0" FROM "_report_2" AS "report" UNION ALL SELECT NULL AS "channel", NULL AS "page", "report"."orders" AS "sum", "report"."orders" AS "_order_0" FROM "_report_3" AS "report") AS "_sets" ORDER BY "_sets"."_order_0"

-- # distinct is grouping
select distinct channel, lower(page) as p from web where campaign = 'sale';
-- _report_1: web
--   group channel: "channel"
--   group group: LOWER("page")
--   segment "campaign" = 'sale'
-- rest: SELECT DISTINCT "report"."channel" AS "channel", "report"."group" AS "p" FROM "_report_1" AS "report"

-- # distinct with a metric is over single events
select distinct channel, orders from web;
-- _report_1: web, single events
--   group channel: "channel"
--   value orders: "orders"
-- rest: SELECT DISTINCT "event"."channel" AS "channel", "event"."orders" AS "orders" FROM "_report_1" AS "event"

-- # single events: filters are a segment, expressions are computed outside
select lower(channel) as c, revenue * 2 as twice from web where page = 'pay' and daterange > '2024-01-05' limit 10;
-- _report_1: web, single events
--   group channel: "channel"
--   value revenue: "revenue"
--   from '2024-01-05' (next day)
--   segment "page" = 'pay'
-- rest: SELECT LOWER("event"."channel") AS "c", "event"."revenue" * 2 AS "twice" FROM "_report_1" AS "event" LIMIT 10

-- # after a limit rows carry event values
select channel, sum(orders) from (select channel, orders from web limit 100) t group by channel;
-- _report_1: web, single events
--   group channel: "channel"
--   value orders: "orders"
-- rest: SELECT "channel" AS "channel", SUM("orders") AS "sum" FROM (SELECT "event"."channel" AS "channel", "event"."orders" AS "orders" FROM "_report_1" AS "event" LIMIT 100) AS "t" GROUP BY "channel"

-- # a projection keeps a metric a measure
with a as (select channel as c, visitors as v from web where page = 'pay') select c, sum(v) from a group by c;
-- _report_1: web
--   group channel: "channel"
--   value visitors: "visitors"
--   segment "page" = 'pay'
-- rest: SELECT "report"."channel" AS "c", "report"."visitors" AS "sum" FROM "_report_1" AS "report"

-- # a lookup that is unique on its key
select c.region, sum(w.visitors), sum(w.revenue * c.rate) from web w left join channels c on w.channel = c.channel
group by c.region;
-- _report_1: web
--   group region: "c_1"."region"
--   value visitors: "visitors"
--   value metric: "revenue" * "c_1"."rate"
--   outer lookup c_1 on "channel" = channel: SELECT * FROM "_dataset_channels"
-- rest: SELECT "report"."region" AS "region", "report"."visitors" AS "sum", "report"."metric" AS "sum" FROM "_report_1" AS "report"

-- # a condition on a lookup that is not grouped reads keys
select w.page, sum(w.visitors) from web w join channels c on w.channel = c.channel where c.region = 'EU' group by 1;
-- _report_1: web
--   group page: "page"
--   value visitors: "visitors"
--   segment "channel" IN (SELECT "c_1"."channel" FROM (SELECT * FROM "_dataset_channels") AS "c_1" WHERE NOT "c_1"."channel" IS NULL AND ("c_1"."region" = 'EU'))
--   lookup c_1 on "channel" = channel: SELECT * FROM "_dataset_channels"
-- rest: SELECT "report"."page" AS "page", "report"."visitors" AS "sum" FROM "_report_1" AS "report"

-- # a join on a key that is not unique: reported by its key first
select p.id, sum(w.orders), count(*) from web w join plans p on w.channel = p.channel
where w.page = 'pay' and p.budget > 5 group by p.id;
-- _report_1: web
--   group channel: "channel"
--   value orders: "orders"
--   value occurrences: "occurrences"
--   segment "page" = 'pay'
-- rest: SELECT "p_1"."id" AS "id", SUM("w_1"."_orders_1") AS "sum", CAST(COALESCE(SUM(1 * COALESCE("w_1"."_occurrences_2", 1)), 0) AS BIGINT) AS "count" FROM (SELECT "report"."channel" AS "channel", "report"."orders" AS "_orders_1", COALESCE("report"."occurrences", 0) AS "_occurrences_2" FROM "_report_1" AS "report") AS "w_1" INNER JOIN "_dataset_plans" AS "p_1" ON "w_1"."channel" = "p_1"."channel" WHERE ("p_1"."budget" > 5) GROUP BY "p_1"."id"

-- # two views: each by its key
select a.daterangeday, sum(a.revenue), sum(b.orders) from web a join web b on a.daterangeday = b.daterangeday
where a.page = 'pay' group by 1;
-- _report_1: web
--   group daterangeday: "daterangeday"
--   value revenue: "revenue"
--   segment "page" = 'pay'
-- _report_2: web
--   group daterangeday: "daterangeday"
--   value orders: "orders"
-- rest: SELECT "a_1"."daterangeday" AS "daterangeday", SUM("a_1"."_revenue_1") AS "sum", SUM("b_1"."_orders_1") AS "sum" FROM (SELECT "report"."daterangeday" AS "daterangeday", "report"."revenue" AS "_revenue_1" FROM "_report_1" AS "report") AS "a_1" INNER JOIN (SELECT "report"."daterangeday" AS "daterangeday", "report"."orders" AS "_orders_1" FROM "_report_2" AS "report") AS "b_1" ON "a_1"."daterangeday" = "b_1"."daterangeday" GROUP BY "a_1"."daterangeday"

-- # an outer join does not let a condition through to the side it fills
select p.id, sum(w.orders) from plans p left join web w on w.channel = p.channel where w.page = 'pay' group by 1;
-- _report_1: web
--   group page: "page"
--   group channel: "channel"
--   value orders: "orders"
-- rest: SELECT "p_1"."id" AS "id", SUM("w_1"."_orders_1") AS "sum" FROM "_dataset_plans" AS "p_1" LEFT JOIN (SELECT "report"."page" AS "page", "report"."channel" AS "channel", "report"."orders" AS "_orders_1" FROM "_report_1" AS "report") AS "w_1" ON "w_1"."channel" = "p_1"."channel" WHERE ("w_1"."page" = 'pay') GROUP BY "p_1"."id"

-- # sub-queries: on a group outside, on events inside
select channel, sum(orders) from web where channel in (select channel from channels)
  and page in (select page from web group by 1 order by sum(orders) desc limit 2) group by channel;
-- _report_1: web
--   group page: "page"
--   value orders: "orders"
-- _report_2: web
--   group channel: "channel"
--   value orders: "orders"
--   segment "page" IN (SELECT "report"."page" AS "page" FROM "_report_1" AS "report" ORDER BY "report"."orders" DESC NULLS FIRST LIMIT 2)
-- rest: SELECT "report"."channel" AS "channel", "report"."orders" AS "sum" FROM "_report_2" AS "report" WHERE ("report"."channel" IN (SELECT "channel" AS "channel" FROM "_dataset_channels" AS "channels"))

-- # union of totals
select sum(r) from (select sum(revenue) as r from web union all select sum(revenue) from web_berlin) t;
-- _report_1: web
--   value revenue: "revenue"
-- _report_2: web_berlin
--   value revenue: "revenue"
-- rest: SELECT SUM("r") AS "sum" FROM ((SELECT "report"."revenue" AS "r" FROM "_report_1" AS "report") UNION ALL (SELECT "report"."revenue" AS "sum" FROM "_report_2" AS "report")) AS "t"

-- # times in the view's zone
select count(*) from web_berlin where "timestamp" >= '2024-01-10 09:00:00Z' and daterange <= current_date;
-- _report_1: web_berlin
--   value occurrences: "occurrences"
--   from (CAST('2024-01-10 09:00:00Z' AS TIMESTAMPTZ) AT TIME ZONE 'Europe/Berlin') (ceiling microsecond)
--   before CAST((NOW() AT TIME ZONE 'Europe/Berlin') AS DATE) (next day)
-- rest: SELECT COALESCE("report"."occurrences", 0) AS "count" FROM "_report_1" AS "report"

-- # datasets are DuckDB's
select region, count(*) from channels c where exists (select 1 from plans p where p.channel = c.channel) group by 1;
-- rest: SELECT "region" AS "region", COUNT(*) AS "count" FROM "_dataset_channels" AS "c" WHERE EXISTS(SELECT 1 AS "?column?" FROM "_dataset_plans" AS "p" WHERE "p"."channel" = "c"."channel") GROUP BY 1
