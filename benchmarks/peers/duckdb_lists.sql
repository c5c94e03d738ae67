-- Linear and participation by lists: each conversion collects the channels of its 30 days, all or distinct ones.
WITH collected AS (
    SELECT
        ts,
        revenue,
        orders,
        start,
        array_agg({channels}) FILTER (channel IS NOT NULL) OVER (
            PARTITION BY person ORDER BY ts RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND CURRENT ROW
        ) AS touches
    FROM relevant
),
shared AS (
    SELECT unnest(coalesce(touches, [NULL])) AS channel, ts, revenue, orders, start, {share} AS share
    FROM collected
    WHERE start = 1 OR revenue IS NOT NULL OR orders IS NOT NULL
)
SELECT channel, {period} sum(revenue * share), sum(orders * share), sum(start * share)
FROM shared
GROUP BY ALL
