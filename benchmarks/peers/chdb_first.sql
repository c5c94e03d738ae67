-- First touch in ClickHouse by ASOF join: the touch nearest to the beginning of a conversion's 30 days.
WITH conversions AS (
    SELECT person, ts, revenue, orders, start
    FROM peers.events
    WHERE start = 1 OR revenue IS NOT NULL OR orders IS NOT NULL
),
touches AS (
    SELECT person, ts AS touched, channel AS touch FROM peers.by_person WHERE channel IS NOT NULL
)
SELECT
    if(touched <= ts, touch, NULL) AS channel,
    {period}
    sum(revenue),
    sum(orders),
    sum(start)
FROM conversions ASOF LEFT JOIN touches
    ON conversions.person = touches.person AND touches.touched >= conversions.ts - INTERVAL 30 DAY
GROUP BY ALL
SETTINGS max_threads = 2
