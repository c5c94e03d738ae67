-- Live stitching of a batch: an event without a person gets the last one that its device showed, else the device.
CREATE OR REPLACE TABLE stitched AS
SELECT
    row,
    coalesce(
        person,
        last_value(person IGNORE NULLS) OVER (
            PARTITION BY device ORDER BY time ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ),
        device
    ) AS person
FROM events
