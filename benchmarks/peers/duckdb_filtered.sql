-- Report by windows over the few rows that matter: touches, purchases and first events of sessions, one event
-- in five. The session windows name neither partition nor order: DuckDB then streams over the rows as stored,
-- by person and time, and need not sort.
WITH events AS (
    SELECT
        *,
        CASE
            WHEN person = lag(person) OVER () AND ts <= lag(ts) OVER () + INTERVAL 30 MINUTE THEN 0
            ELSE 1
        END AS start
    FROM by_person
),
touched AS (
    SELECT
        ts,
        revenue,
        orders,
        start,
        last_value(channel IGNORE NULLS) OVER journey AS touch,
        last_value(CASE WHEN channel IS NOT NULL THEN ts END IGNORE NULLS) OVER journey AS touched
    FROM events
    WHERE start = 1 OR channel IS NOT NULL OR revenue IS NOT NULL OR orders IS NOT NULL
    WINDOW journey AS (
        PARTITION BY person ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)
SELECT
    CASE WHEN ts <= touched + INTERVAL 30 DAY THEN touch END AS channel,
    sum(revenue),
    sum(orders),
    sum(start)
FROM touched
GROUP BY 1
