-- Timelines: from when on which customer is known on each device, of several at one instant the alphabetically
-- first. Kept beside the events, as our devices' table is, for replays of any window.
COPY (
    WITH named AS (
        SELECT device_id AS device, _time AS since, min(customer_id) AS person
        FROM events
        WHERE identity(device_id) IS NOT NULL AND identity(customer_id) IS NOT NULL
        GROUP BY ALL
    )
    SELECT device, since, person
    FROM named
    QUALIFY person IS DISTINCT FROM lag(person) OVER (PARTITION BY device ORDER BY since)
) TO '{timelines}' (FORMAT parquet, COMPRESSION lz4)
