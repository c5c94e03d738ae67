-- Every model that shares, in ClickHouse by arrays: each conversion collects the touches of its 30 days, each a
-- time and a channel, and makes a list of channels and shares of them. Windows know ranges of seconds only, so
-- up to a second too much is collected on both sides, and taken off. Weights halve with every seven days; they
-- are computed only if they are used. A join of all pairs was tried and was slower.
-- The setting avoids an error of ClickHouse 26, "Not found column", over nullable columns in windows.
WITH collected AS (
    SELECT
        ts,
        revenue,
        orders,
        start,
        toUnixTimestamp64Micro(ts) AS time,
        groupArrayIf((time, assumeNotNull(channel)), channel IS NOT NULL) OVER (
            PARTITION BY person ORDER BY intDiv(time, 1000000) RANGE BETWEEN 2592000 PRECEDING AND CURRENT ROW
        ) AS around,
        arrayFilter(touch -> touch.1 <= time AND touch.1 >= time - 2592000000000, around) AS touches,
        arrayMap(touch -> exp2((touch.1 - time) / 6.048e11), touches) AS weights,
        length(touches) AS n,
        arraySum(weights) AS total
    FROM peers.events
    WHERE start = 1 OR channel IS NOT NULL OR revenue IS NOT NULL OR orders IS NOT NULL
),
shared AS (
    SELECT ts, revenue, orders, start, {shares} AS shares
    FROM collected
    WHERE start = 1 OR revenue IS NOT NULL OR orders IS NOT NULL
)
SELECT
    nullIf(credit.1, '') AS channel,
    {period}
    sum(revenue * credit.2),
    sum(orders * credit.2),
    sum(start * credit.2)
FROM shared ARRAY JOIN if(empty(shares), [('', 1.)], shares) AS credit
GROUP BY ALL
SETTINGS max_threads = 2, optimize_functions_to_subcolumns = 0
