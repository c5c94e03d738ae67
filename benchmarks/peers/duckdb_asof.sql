-- Last or first touch by ASOF join: each conversion (a purchase or a session's first event) finds its person's
-- touch nearest to its own time, or nearest to the beginning of its 30 days.
WITH conversions AS (
    SELECT person, ts, revenue, orders, start
    FROM relevant
    WHERE start = 1 OR revenue IS NOT NULL OR orders IS NOT NULL
),
touches AS (
    SELECT person, ts AS touched, channel AS touch FROM by_person WHERE channel IS NOT NULL
)
SELECT
    CASE WHEN {inside} THEN touch END AS channel,
    {period}
    sum(revenue),
    sum(orders),
    sum(start)
FROM conversions ASOF LEFT JOIN touches ON conversions.person = touches.person AND {nearest}
GROUP BY ALL
