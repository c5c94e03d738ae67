-- Report as most people would write it: window functions over rows as they arrived, in order of time.
WITH touched AS (
    SELECT
        ts,
        revenue,
        orders,
        CASE WHEN ts <= lag(ts) OVER person_time + INTERVAL 30 MINUTE THEN 0 ELSE 1 END AS start,
        last_value(channel IGNORE NULLS) OVER journey AS touch,
        last_value(CASE WHEN channel IS NOT NULL THEN ts END IGNORE NULLS) OVER journey AS touched
    FROM by_time
    WINDOW
        person_time AS (PARTITION BY person ORDER BY ts),
        journey AS (PARTITION BY person ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
SELECT
    CASE WHEN ts <= touched + INTERVAL 30 DAY THEN touch END AS channel,
    sum(revenue),
    sum(orders),
    sum(start)
FROM touched
GROUP BY 1
