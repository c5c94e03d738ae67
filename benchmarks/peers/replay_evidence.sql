-- Evidence: the customer last known on each device, of several at one instant the alphabetically first.
COPY (
    SELECT device_id AS device, arg_min(customer_id, (-_time, customer_id)) AS person
    FROM earlier
    WHERE customer_id IS NOT NULL
    GROUP BY device_id
) TO '{evidence}' (FORMAT parquet)
