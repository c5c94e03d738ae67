-- Replay by window functions: read the window's rows, find each one's person, rewrite them by person and time.
-- An event without a customer gets the last one known on its device, in the window or before it (evidence, from
-- the devices' timelines), else the first one known after it, else the device. Of several customers at one
-- instant the alphabetically first counts, hence the descending order, which also puts anonymous events last.
COPY (
    WITH evidence AS (
        SELECT device, arg_max(person, since) AS person
        FROM read_parquet('{timelines}')
        WHERE since < {start}
        GROUP BY device
    ),
    seen AS (
        SELECT
            *,
            last_value(customer_id IGNORE NULLS) OVER so_far AS earlier,
            first_value(customer_id IGNORE NULLS) OVER from_the_first AS later
        FROM read_parquet('{window}')
        WINDOW
            so_far AS (
                PARTITION BY device_id ORDER BY _time, customer_id DESC NULLS LAST
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            from_the_first AS (
                PARTITION BY device_id ORDER BY _time, customer_id NULLS LAST
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            )
    ),
    stitched AS (
        SELECT seen.*, coalesce(customer_id, earlier, evidence.person, later) AS customer
        FROM seen LEFT JOIN evidence ON seen.device_id = evidence.device
    )
    SELECT
        * EXCLUDE (earlier, later, customer)
        REPLACE (
            coalesce(customer, device_id) AS _person,
            CASE WHEN customer IS NULL THEN 'device' ELSE 'customer' END AS _namespace
        )
    FROM stitched
    ORDER BY coalesce(customer, device_id), _time
) TO '{target}' (FORMAT parquet, COMPRESSION lz4)
