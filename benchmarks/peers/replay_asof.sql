-- Replay by ASOF join: few events name a customer, so joining them to the others saves the windows' sorting.
-- Otherwise as replay_windows.sql.
COPY (
    WITH evidence AS (
        SELECT device, arg_max(person, since) AS person
        FROM read_parquet('{timelines}')
        WHERE since < {start}
        GROUP BY device
    ),
    named AS (
        SELECT identity(device_id) AS device, _time AS since, min(identity(customer_id)) AS customer
        FROM read_parquet('{window}')
        WHERE identity(customer_id) IS NOT NULL
        GROUP BY ALL
    ),
    first_named AS (
        SELECT device, arg_min(customer, since) AS customer FROM named GROUP BY device
    ),
    stitched AS (
        SELECT
            rows.*,
            coalesce(identity(rows.customer_id), named.customer, evidence.person, first_named.customer) AS customer
        FROM read_parquet('{window}') AS rows
        ASOF LEFT JOIN named ON rows.device_id = named.device AND rows._time >= named.since
        LEFT JOIN evidence ON rows.device_id = evidence.device
        LEFT JOIN first_named ON rows.device_id = first_named.device
    )
    SELECT
        * EXCLUDE (customer)
        REPLACE (
            coalesce(customer, device_id) AS _person,
            CASE WHEN customer IS NULL THEN 'device' ELSE 'customer' END AS _namespace
        )
    FROM stitched
    ORDER BY coalesce(customer, device_id), _time
) TO '{target}' (FORMAT parquet, COMPRESSION lz4)
