-- Linear and time decay without pairs: a conversion is divided by the weights of its 30 days, and a touch adds
-- up what the 30 days after it hold. There is no such way once the answer depends on the conversion's time.
WITH weighed AS (
    SELECT *, CASE WHEN channel IS NOT NULL THEN {weight} END AS weight FROM relevant
),
divided AS (
    SELECT
        *,
        sum(weight) OVER (
            PARTITION BY person ORDER BY ts RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND CURRENT ROW
        ) AS total
    FROM weighed
),
credited AS (
    SELECT
        channel,
        weight * sum(revenue / total) OVER month AS revenue,
        weight * sum(orders / total) OVER month AS orders,
        weight * sum(start / total) OVER month AS start
    FROM divided
    WINDOW month AS (
        PARTITION BY person ORDER BY ts RANGE BETWEEN CURRENT ROW AND INTERVAL 30 DAY FOLLOWING
    )
)
SELECT channel, sum(revenue), sum(orders), sum(start)
FROM credited
WHERE channel IS NOT NULL
GROUP BY channel
UNION ALL
SELECT NULL, sum(revenue), sum(orders), sum(start)
FROM divided
WHERE total IS NULL
