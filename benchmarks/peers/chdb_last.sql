-- Last touch in ClickHouse. One window serves all three columns, in the table's own order. Filtering first,
-- ASOF joins, arrays per person, integer times and low-cardinality strings were tried and were not faster.
WITH touched AS (
    SELECT
        ts,
        revenue,
        orders,
        if(row_number() OVER journey > 1 AND ts <= lagInFrame(ts) OVER journey + INTERVAL 30 MINUTE, 0, 1)
            AS start,
        anyLast(channel) OVER journey AS touch,
        anyLast(if(channel IS NULL, NULL, ts)) OVER journey AS touched
    FROM peers.by_person
    WINDOW journey AS (
        PARTITION BY person ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)
SELECT
    if(ts <= touched + INTERVAL 30 DAY, touch, NULL) AS channel,
    {period}
    sum(revenue),
    sum(orders),
    sum(start)
FROM touched
GROUP BY ALL
SETTINGS max_threads = 2
