-- Owners: whom the identity graph knows each device as. A graph holds one customer, and devices are linked to
-- customers alone, so a device belongs to the one who was seen there last, of several at that instant the
-- alphabetically first. Kept beside the events, as our graph is, so that a replay has to resolve nothing.
COPY (
    WITH links AS (
        SELECT device_id AS device, customer_id AS customer, max(_time) AS seen
        FROM events
        WHERE identity(device_id) IS NOT NULL AND identity(customer_id) IS NOT NULL
        GROUP BY ALL
    )
    SELECT device, customer
    FROM links
    QUALIFY row_number() OVER (PARTITION BY device ORDER BY seen DESC, customer) = 1
) TO '{owners}' (FORMAT parquet, COMPRESSION lz4)
