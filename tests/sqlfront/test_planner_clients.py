"""Statements in the shapes that clients send, beside hand-written SQL over the events as a table."""

import pytest

from tests.sqlfront.compare import same_rows

PAIRS = {
    "power bi: ranked": (
        """select "_"."channel", "_"."a0" from (
  select "rows"."channel" as "channel", sum("rows"."revenue") as "a0" from (
    select "_"."channel", "_"."revenue" from (
      select "channel", "revenue", "daterange" from "public"."web" "$Table") "_"
    where ("_"."daterange" < date '2024-02-01' and "_"."daterange" >= date '2024-01-01')
      and "_"."channel" in ('Email', 'Social')) "rows"
  group by "channel") "_"
where not "_"."a0" is null limit 1000001""",
        "select channel, sum(revenue) from web where daterange >= '2024-01-01' and daterange < '2024-02-01'"
        " and channel in ('Email', 'Social') group by 1",
    ),
    "power bi: every column, derived column": (
        """select "_"."product_lower", "_"."a0", "_"."a1" from (
  select "rows"."product_lower" as "product_lower", sum("rows"."orders") as "a0",
    count(distinct("rows"."page")) + max(case when "rows"."page" is null then 1 else 0 end) as "a1" from (
    select "_"."orders", "_"."page", lower("_"."product") as "product_lower" from (
      select * from "public"."web" "$Table") "_"
    where (("_"."campaign" = 'sale' and not "_"."campaign" is null))) "rows"
  group by "product_lower") "_"
where not "_"."a0" is null or not "_"."a1" is null limit 1000001""",
        "select lower(product), sum(orders), count(distinct page) + max(case when page is null then 1 else 0 end)"
        " from web where campaign = 'sale' group by 1",
    ),
    "power bi: two levels of rows": (
        """select "rows"."daterangeday" as "daterangeday", sum("rows"."occurrences") as "a0" from (
  select "_"."daterangeday" as "daterangeday", "_"."occurrences" as "occurrences" from (
    select "_"."daterangeday", "_"."occurrences", "_"."timestamp" from "public"."web" "_") "_"
  where "_"."timestamp" >= timestamp '2024-01-01 00:00:00' and "_"."timestamp" < timestamp '2024-02-01 00:00:00'
) "rows" group by "daterangeday" """,
        "select daterangeday, count(*) from web where daterange < '2024-02-01' group by 1",
    ),
    "tableau: day": (
        """SELECT DATE_TRUNC('DAY', CAST("web"."daterangeday" AS TIMESTAMP)) AS "tdy:daterangeday:ok",
  SUM("web"."occurrences") AS "sum:occurrences:ok" FROM "public"."web" "web"
  WHERE ((CAST("web"."daterange" AS DATE) >= (DATE '2024-01-01')) AND ("web"."daterange" <= (DATE '2024-01-31')))
  GROUP BY 1""",
        "select daterangeday, count(*) from web where daterange <= '2024-01-31' group by 1",
    ),
    "tableau: year, having": (
        """SELECT CAST(EXTRACT(YEAR FROM "web"."daterangemonth") AS INTEGER) AS "yr:daterangemonth:ok",
  CAST("web"."channel" AS TEXT) AS "channel", SUM("web"."revenue") AS "sum:revenue:ok"
  FROM "public"."web" "web" WHERE (("web"."timestamp" >= (TIMESTAMP '2024-01-01 00:00:00.000'))
  AND ("web"."timestamp" < (TIMESTAMP '2024-03-01 00:00:00.000'))) GROUP BY 1, 2
  HAVING ((SUM("web"."revenue") >= 499.99999999999994) AND (SUM("web"."revenue") <= 99999.000000000007))""",
        "select 2024, channel, sum(revenue) from web where timestamp < '2024-03-01' group by 2"
        " having sum(revenue) between 500 and 99999",
    ),
    "tableau: top n": (
        """SELECT CAST("web"."channel" AS TEXT) AS "channel", SUM("web"."revenue") AS "sum:revenue:ok"
  FROM "public"."web" "web" INNER JOIN (
    SELECT CAST("web"."channel" AS TEXT) AS "channel", SUM("web"."revenue") AS "$__alias__0"
    FROM "public"."web" "web" GROUP BY 1 ORDER BY 2 DESC, 1 ASC LIMIT 2
  ) "t0" ON (CAST("web"."channel" AS TEXT) = "t0"."channel") GROUP BY 1""",
        "select channel, sum(revenue) from web where channel is not null group by 1 order by 2 desc limit 2",
    ),
    "looker: measures": (
        """-- Looker Query Context '{"user_id":1}'
SELECT (DATE(web."daterangeday")) AS "web.daterangeday_date", "web"."channel" AS "web.channel",
  COUNT(*) AS "web.count", COALESCE(SUM(CAST(( web."revenue"  ) AS DOUBLE PRECISION)), 0) AS "web.revenue"
FROM "public"."web" AS web
WHERE ((( web."daterange" ) >= ((DATE_TRUNC('day', DATE '2024-01-02'))) AND ( web."daterange" ) <
  ((DATE_TRUNC('day', DATE '2024-01-02') + INTERVAL '3 day'))))
GROUP BY 1, 2 HAVING (COALESCE(SUM(CAST(( web."revenue"  ) AS DOUBLE PRECISION)), 0)) >= 0
ORDER BY 1 DESC FETCH NEXT 500 ROWS ONLY""",
        "select daterangeday, channel, count(*), coalesce(sum(revenue), 0) from web"
        " where daterange >= '2024-01-02' and daterange < '2024-01-05' group by 1, 2",
    ),
    "looker: inverted range": (
        "SELECT web.channel AS \"web.channel\", COUNT(*) FROM web WHERE web.daterange >= DATE '2024-02-01'"
        " AND web.daterange < DATE '2024-01-01' GROUP BY 1",
        "select '', 0 where false",
    ),
    "notebook: backquotes": (
        "SELECT channel AS `Product Name`, SUM(orders) AS Orders_Total FROM web"
        " WHERE daterange BETWEEN '2024-01-01' AND '2024-02-01' GROUP BY 1 ORDER BY `Product Name`, orders_TOTAL"
        " LIMIT 10;",
        "select channel, sum(orders) from web where daterange <= '2024-02-01' group by 1",
    ),
    "notebook: count distinct in parentheses": (
        "SELECT COUNT(DISTINCT(product)) FROM web WHERE daterange BETWEEN '2024-01-01' AND '2024-01-31'",
        "select count(distinct product) from web where daterange <= '2024-01-31'",
    ),
    "notebook: IF": (
        "SELECT page, SUM(IF(channel = 'Email' AND campaign = 'sale', revenue, 0)) AS m1 FROM web GROUP BY page",
        "select page, sum(case when channel = 'Email' and campaign = 'sale' then revenue else 0 end) from web"
        " group by 1",
    ),
    "dbplyr": (
        """SELECT "channel", COUNT(*) AS "n" FROM (
  SELECT "web".* FROM "web" WHERE ("daterange" >= '2024-01-01' AND "daterange" < '2024-02-01')
) AS "q01" GROUP BY "channel" ORDER BY "n" DESC LIMIT 5""",
        "select channel, count(*) from web where daterange < '2024-02-01' group by 1",
    ),
    "dbplyr: computed beside star": (
        """SELECT "d2", SUM("revenue") AS "r" FROM (
  SELECT "web".*, lower("product") AS "d2" FROM "web") AS "q01" GROUP BY "d2" """,
        "select lower(product), sum(revenue) from web group by 1",
    ),
    "three layers with a star inside": (
        "select channel, sum(orders) from (select * from (select * from web) a where page = 'pay') b group by 1",
        "select channel, sum(orders) from web where page = 'pay' group by 1",
    ),
    "union over two views, aggregated again": (
        "select sum(r) from (select sum(revenue) as r from web union all select sum(revenue) from web_berlin) t",
        "select 2 * sum(revenue) from web",
    ),
}


@pytest.mark.parametrize("shape", PAIRS)
def test_shapes(shape, ask, plain):
    theirs, ours = PAIRS[shape]
    same_rows(ask(theirs), plain(ours))


@pytest.mark.parametrize(
    "probe",
    [
        "SELECT * FROM web WHERE 1=0",
        "SELECT * FROM web WHERE (0 = 1)",
        "SELECT * FROM web LIMIT 0",
        'select * from (select * from "public"."web") "_" limit 0',
        "select * from (select channel, sum(revenue) from web group by 1) t where 1 = 0",
        "select channel, sum(revenue) from web where false group by 1",
    ],
)
def test_probes_show_columns_and_run_no_report(probe, query, monkeypatch):
    from engine.cancellation import Cancellation

    planned = query(probe)

    def fail(*_):
        raise AssertionError("a report ran")

    monkeypatch.setattr("sqlfront.execution.run", fail)
    table = planned.run((), Cancellation()).read_all()
    assert table.num_rows == 0
    assert tuple(table.column_names) == tuple(column.name for column in planned.columns)
    assert "channel" in table.column_names


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        (
            "select count(*), sum(revenue), max(orders), 1 + 1, channel from web group by 5",
            ["count", "sum", "max", "?column?", "channel"],
        ),
        (
            "select Channel, lower(channel), channel::text, date_trunc('day', daterangeday) from web",
            ["channel", "lower", "channel", "date_trunc"],
        ),
        ('select sum(revenue) as Total, sum(orders) as "Order Total" from web', ["total", "Order Total"]),
        (
            "select case when channel = 'x' then 1 end, coalesce(channel, ''), '1'::int, now() from web",
            ["case", "coalesce", "int4", "now"],
        ),
        ('select "commerce.order", Commerce.Order from web', ["commerce.order", "commerce.order"]),
        (
            "select extract(year from daterangeday), to_char(daterangeday, 'YYYY'), date_part('month', daterangeday)"
            " from web",
            ["extract", "to_char", "date_part"],
        ),
        ("select t.count from (select count(*) from web) t", ["count"]),
        ("select distinct channel as c from web", ["c"]),
        ("select exists(select 1), (select max(region) from channels), true", ["exists", "max", "bool"]),
        ("values (1, 'a')", ["column1", "column2"]),
    ],
)
def test_names_are_postgresqls(sql, names, query):
    assert [column.name for column in query(sql).columns] == names


def test_special_columns_are_null_in_single_events(ask):
    rows = ask("select filterId, daterangeName, channel from web limit 2")
    assert [row[:2] for row in rows] == [(None, None), (None, None)]
