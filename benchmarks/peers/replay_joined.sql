-- Replay by the identity graph: read the window's rows, join each one's device with its owner, and rewrite them
-- by person and time. What the events themselves name does not count.
COPY (
    SELECT
        rows.*
        REPLACE (
            coalesce(owners.customer, rows.device_id) AS _person,
            CASE WHEN owners.customer IS NULL THEN 'device' ELSE 'customer' END AS _namespace
        )
    FROM read_parquet('{window}') AS rows
    LEFT JOIN read_parquet('{owners}') AS owners ON rows.device_id = owners.device
    ORDER BY coalesce(owners.customer, rows.device_id), rows._time
) TO '{target}' (FORMAT parquet, COMPRESSION lz4)
