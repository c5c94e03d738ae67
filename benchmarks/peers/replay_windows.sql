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
    told AS (
        SELECT *, identity(device_id) AS device, identity(customer_id) AS named FROM read_parquet('{window}')
    ),
    seen AS (
        SELECT
            *,
            last_value(named IGNORE NULLS) OVER so_far AS earlier,
            first_value(named IGNORE NULLS) OVER from_the_first AS later
        FROM told
        WINDOW
            so_far AS (
                PARTITION BY device ORDER BY _time, named DESC NULLS LAST
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            from_the_first AS (
                PARTITION BY device ORDER BY _time, named NULLS LAST
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            )
    ),
    stitched AS (
        SELECT
            seen.* EXCLUDE (device, named, earlier, later),
            CASE WHEN seen.device IS NULL THEN named ELSE coalesce(named, earlier, evidence.person, later) END AS customer
        FROM seen LEFT JOIN evidence ON seen.device = evidence.device
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
