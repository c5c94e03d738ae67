-- Every model that shares: conversions joined with all touches of their 30 days, and a share for each pair.
-- What a share needs is known per conversion (n touches, the times of the first and the last, the sum of
-- their weights) or per touch (until: when its channel is seen again); DuckDB computes only what is used.
-- Weights double with every half-life of seven days.
WITH windowed AS (
    SELECT
        *,
        count(channel) OVER month AS n,
        min(CASE WHEN channel IS NOT NULL THEN ts END) OVER month AS first,
        max(CASE WHEN channel IS NOT NULL THEN ts END) OVER month AS last,
        sum(CASE WHEN channel IS NOT NULL THEN pow(2, epoch(ts - TIMESTAMP '2026-01-01') / 604800) END)
            OVER month AS total
    FROM relevant
    WINDOW month AS (
        PARTITION BY person ORDER BY ts RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND CURRENT ROW
    )
),
conversions AS (
    SELECT * FROM windowed WHERE start = 1 OR revenue IS NOT NULL OR orders IS NOT NULL
),
touches AS (
    SELECT
        person,
        ts AS touched,
        channel AS touch,
        pow(2, epoch(ts - TIMESTAMP '2026-01-01') / 604800) AS weight,
        coalesce(lead(ts) OVER (PARTITION BY person, channel ORDER BY ts), TIMESTAMP '9999-01-01') AS until
    FROM by_person
    WHERE channel IS NOT NULL
)
SELECT
    touch AS channel,
    {period}
    sum(revenue * {share}),
    sum(orders * {share}),
    sum(start * {share})
FROM conversions LEFT JOIN touches
    ON conversions.person = touches.person AND touched <= ts AND touched >= ts - INTERVAL 30 DAY AND {credited}
GROUP BY ALL
