-- Every model that shares, in ClickHouse: conversions joined with all touches of their 30 days, and a share for
-- each pair. Its windows know no range of microseconds; so an ASOF join finds the last touch before the 30 days,
-- and what that had seen (old.number touches, old.weights) is taken off.
-- The setting avoids an error of ClickHouse 26, "Not found column", over nullable columns in windows.
WITH touches AS (
    SELECT
        person,
        time AS touched,
        channel AS touch,
        number,
        weights,
        exp2((time - 1767225600000000) / 6.048e11) AS weight,
        leadInFrame(time, 1, 9000000000000000000) OVER (
            PARTITION BY person, channel ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS until
    FROM peers.events
    WHERE channel IS NOT NULL
),
conversions AS (
    SELECT
        found.person AS person,
        ts,
        time,
        revenue,
        orders,
        start,
        time - 2592000000000 AS since,
        found.number AS last,
        old.number + 1 AS first,
        found.number - old.number AS n,
        found.weights - old.weights AS total
    FROM (
        SELECT * FROM peers.events WHERE start = 1 OR revenue IS NOT NULL OR orders IS NOT NULL
    ) AS found ASOF LEFT JOIN touches AS old
        ON found.person = old.person AND old.touched < found.time - 2592000000000
)
SELECT
    touch AS channel,
    {period}
    sum(revenue * {share}),
    sum(orders * {share}),
    sum(start * {share})
FROM conversions LEFT JOIN touches
    ON conversions.person = touches.person AND touched <= time AND touched >= since AND {credited}
GROUP BY ALL
SETTINGS max_threads = 2, optimize_functions_to_subcolumns = 0
