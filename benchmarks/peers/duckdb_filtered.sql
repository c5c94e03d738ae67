-- Last touch by windows over the few rows that matter.
WITH touched AS (
    SELECT
        ts,
        revenue,
        orders,
        start,
        last_value(channel IGNORE NULLS) OVER journey AS touch,
        last_value(CASE WHEN channel IS NOT NULL THEN ts END IGNORE NULLS) OVER journey AS touched
    FROM relevant
    WINDOW journey AS (
        PARTITION BY person ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)
SELECT
    CASE WHEN ts <= touched + INTERVAL 30 DAY THEN touch END AS channel,
    {period}
    sum(revenue),
    sum(orders),
    sum(start)
FROM touched
GROUP BY ALL
